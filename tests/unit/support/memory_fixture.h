#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "storage/base/crc32c.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"

namespace acta {

// One element of field 15: tag, length, bytes.
inline std::string Element(const std::string& event) {
  return std::string(1, '\x7a') + static_cast<char>(event.size()) + event;
}

inline constexpr PartitionId kFirst{TopicId(1), 0};
inline constexpr PartitionId kSecond{TopicId(1), 1};

// An engine with topic 1 (2 partitions) open, and short words for using it.
class MemoryFixture {
 public:
  explicit MemoryFixture(const TopicSettings& settings = {}) {
    REQUIRE_OK(engine.OpenTopic(TopicId(1), 2, settings));
  }

  static Append Of(PartitionId partition, const std::vector<std::string>& events) {
    Append append;
    append.partition = partition;
    append.count = static_cast<uint32_t>(events.size());
    std::string payload;
    for (const std::string& event : events) payload += Element(event);
    append.payload = SharedBytes(std::move(payload));
    append.payload_crc32c = Crc32c(append.payload.view());
    return append;
  }
  // Each event's own bytes are its id.
  Append WithIds(PartitionId partition, const std::vector<std::string>& events) const {
    Append append = Of(partition, events);
    for (uint32_t i = 0; i < events.size(); ++i) {
      append.ids.push_back({i, engine.HashEventId("", events[i])});
    }
    return append;
  }
  static Append Sequenced(PartitionId partition, const std::vector<std::string>& events,
                          uint32_t epoch, uint32_t first_sequence) {
    Append append = Of(partition, events);
    append.producer_id = 9;
    append.producer_epoch = epoch;
    append.first_sequence = first_sequence;
    return append;
  }

  TransactionResult Write(std::vector<Append> appends, bool atomic = false,
                          std::vector<RowWrite> rows = {}) {
    Transaction transaction;
    transaction.appends = std::move(appends);
    transaction.rows = std::move(rows);
    transaction.atomic = atomic;
    std::optional<TransactionResult> result;
    transaction.done = [&result](TransactionResult done) { result = std::move(done); };
    REQUIRE_OK(engine.Submit(std::move(transaction)));
    REQUIRE(result.has_value());
    return *std::move(result);
  }
  AppendResult WriteOne(Append append) {
    std::vector<Append> appends;
    appends.push_back(std::move(append));
    return Write(std::move(appends)).appends.at(0);
  }
  int64_t End(PartitionId partition) const { return engine.Extent(partition)->end.value(); }

  MemoryLogEngine engine;
};

}  // namespace acta
