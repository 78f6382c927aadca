#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace acta::cli {

// What was typed, by the names of the command's own table: "--partitions", "TOPIC".
class Args {
 public:
  bool Has(absl::string_view name) const { return values_.count(std::string(name)) > 0; }
  // The last one given; empty when there is none.
  const std::string& Get(absl::string_view name) const;
  std::string GetOr(absl::string_view name, absl::string_view fallback) const;
  // All of an option or argument that repeats.
  const std::vector<std::string>& All(absl::string_view name) const;

  // Typed readings. Nothing when the option is absent; a usage error names option and text.
  absl::StatusOr<std::optional<int64_t>> Integer(
      absl::string_view name, int64_t least = 0,
      int64_t most = std::numeric_limits<int64_t>::max()) const;
  absl::StatusOr<std::optional<absl::Duration>> Duration(absl::string_view name) const;
  // A moment, or one before or after `now`.
  absl::StatusOr<std::optional<absl::Time>> Time(absl::string_view name, absl::Time now) const;
  absl::StatusOr<std::optional<int64_t>> Size(absl::string_view name) const;

  void Add(absl::string_view name, absl::string_view value) {
    values_[std::string(name)].emplace_back(value);
  }

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace acta::cli
