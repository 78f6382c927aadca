#pragma once

#include <utility>

#include "acta/storage/v1/records.pb.h"
#include "server/core/groups/group.h"
#include "storage/base/ids.h"

namespace acta {

// A dead letter as it is on the disk, or an event that is held, as if it were one.
struct StoredLetter {
  PartitionId partition;
  Offset offset;
  TopicPtr topic;
  storage::v1::DeadLetterRecord record;
  bool held = false;  // Outstanding: its key waits until somebody decides.
};
using LetterPlace = std::pair<PartitionId, Offset>;
// For as long as the letter lives.
inline LetterToRedrive ToRedrive(const StoredLetter& letter) {
  return {letter.partition, letter.offset, letter.held ? nullptr : &letter.record};
}

}  // namespace acta
