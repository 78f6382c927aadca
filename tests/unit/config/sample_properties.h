#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "server/config/property_table.h"

namespace acta {

enum class Colour { kRed, kBlue };

// A few fields of every type, and the table that describes them.
struct SampleProperties {
  std::string data;
  bool accept_loss = false;
  double disk_percent = 20;
  int64_t cache = int64_t{128} << 20;
  int32_t partitions = 4;
  absl::Duration retention = absl::Hours(24 * 7);
  Colour colour = Colour::kRed;
  PropertyTable table;

  SampleProperties() {
    table.AddText("storage.data", &data, "where");
    table.AddSwitch("storage.accept_loss", &accept_loss, "starts anyway");
    table.AddNumber("storage.disk_percent", &disk_percent, 0, 100, "free disk");
    table.AddBytes<int64_t>("storage.cache", &cache, 1 << 20, int64_t{1} << 40, "memory");
    table.AddInteger<int32_t>("topics.partitions", &partitions, 1, 256, "of a new topic");
    table.AddDuration("topics.retention", &retention, absl::Seconds(1), absl::Hours(24 * 36500),
                      "kept so long");
    table.AddChoice("log.colour", &colour, {{"red", Colour::kRed}, {"blue", Colour::kBlue}},
                    "of lines");
  }
  SampleProperties(const SampleProperties&) = delete;
  SampleProperties& operator=(const SampleProperties&) = delete;
};

inline bool Says(const absl::Status& status, absl::string_view text) {
  return status.message().find(text) != absl::string_view::npos;
}

}  // namespace acta
