#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/log/log_reader.h"
#include "storage/log/log_table.h"
#include "storage/rocks/rocks_store.h"
#include "storage/state/siphash.h"

namespace acta {

// Identity of an event for dedupe: SipHash of its source and id, keyed per store.
EventIdHash HashEvent(const SipKey& key, absl::string_view source, absl::string_view id);
// The events of a payload that have an id.
std::vector<IdentifiedEvent> IdsOf(const SipKey& key, absl::string_view payload);

// Both read back what a start has to remember of events. Damage costs the memory of what is in it.
// Where the disk did not answer nothing is known to be lost: FOLDER_UNUSABLE, or, with
// `accept_loss`, as for damage.

// What a partition knows of its producers: the last snapshot, then the headers of the batches after
// it, which the snapshot has to be told of; without those that are silent for too long by now.
absl::Status RecoverProducers(const RocksStore& store, const LogReader& reader, absl::Time now,
                              bool accept_loss, PartitionLog& partition);

// The ids a topic remembers, from the events themselves: those of its window, at most the newest
// its maximum and `budget_ids` allow; the window shows what is missing, also what retention took.
// Returns how many.
absl::StatusOr<int64_t> RecoverIds(const LogReader& reader, const SipKey& key, absl::Time now,
                                   int64_t budget_ids, bool accept_loss, TopicLog& topic);

}  // namespace acta
