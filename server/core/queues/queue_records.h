#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/delivery/queue_types.h"
#include "storage/base/ids.h"
#include "storage/log_engine.h"

namespace acta {

// Between what the machine says and what is on the disk.

QueuePosition PositionFrom(const storage::v1::PositionRecord& record);
void PutPosition(const QueuePosition& position, storage::v1::PositionRecord* record);

// What was before an event was redriven.
struct AttemptsBefore {
  bool empty() const { return rounds.empty(); }

  std::vector<int32_t> rounds;  // Attempts before each redrive, the first first.
  uint64_t redrive = 0;         // The last redrive, when it is one with a rate.
};

// A redrive's number as users see it: 16 hexadecimal digits.
std::string RedriveText(uint64_t redrive);

storage::v1::ParkedRecord ParkedRecordOf(const ParkedEvent& event, const AttemptsBefore& before);
storage::v1::DeadLetterRecord DeadLetterRecordOf(const DeadLetter& letter,
                                                 const AttemptsBefore& before);
EventFacts FactsFrom(const storage::v1::EventFactsRecord& record);

// What a parked event's row says. Errors: DATA_CORRUPTED.
struct StoredParked {
  PartitionId partition;
  ParkedEvent event;
  AttemptsBefore before;
};
absl::StatusOr<StoredParked> ParkedFrom(absl::string_view key, absl::string_view value);

// The partition and the offset of a row under QueueRows(). Errors: DATA_CORRUPTED.
absl::StatusOr<std::pair<PartitionId, Offset>> PlaceOfRow(absl::string_view kind,
                                                          absl::string_view key);

// Equal for failures that are alike: of the words, without digits.
uint64_t FailureFingerprint(const LogEngine& engine, absl::string_view reason,
                            absl::string_view text);

}  // namespace acta
