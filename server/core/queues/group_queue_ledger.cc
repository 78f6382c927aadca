// What the ledger is told.
#include <utility>

#include "server/core/queues/group_queue_parts.h"

namespace acta {
namespace {

using Entry = storage::v1::LedgerEntry;

// Members of one record, each named once.
class RecordMembers {
 public:
  explicit RecordMembers(storage::v1::LedgerRecord* record) : record_(record) {}

  // Null: nobody knows any more. Answers its index from 1.
  uint32_t IndexOf(const QueueMemberFacts* facts) {
    if (facts == nullptr) return 0;
    const auto [at, added] = indexes_.try_emplace(facts->member_id, 0);
    if (added) {
      storage::v1::LedgerMember* const member = record_->add_members();
      member->set_member_id(facts->member_id);
      member->set_app(facts->app);
      member->set_app_version(facts->app_version);
      at->second = static_cast<uint32_t>(record_->members_size());
    }
    return at->second;
  }

 private:
  storage::v1::LedgerRecord* const record_;
  absl::flat_hash_map<std::string, uint32_t> indexes_;
};

Entry FailedEntry(const FailedAttempt& attempt, storage::v1::AttemptRecord record) {
  Entry entry = LedgerEntryOf(Entry::FAILED, {attempt.offset, attempt.offset + 1});
  *entry.mutable_attempt() = std::move(record);
  entry.set_attempt_number(attempt.attempt);
  entry.set_redrives(attempt.redrives);
  return entry;
}

}  // namespace

void GroupQueue::TopicChanged(const Topic& topic) {
  After after;
  {
    MutexLock lock(mu_);
    for (int32_t number = 0; number < topic.partitions(); ++number) {
      Partition* const partition = Find(topic.partition(number));
      if (partition == nullptr) continue;
      const bool keeps = KeepsLedger(deps_.topics, partition->id);
      if (keeps == partition->keeps_ledger) continue;
      CollectRowsOf(*partition);  // What became of events before is told, or not, as it was then.
      partition->keeps_ledger = keeps;
    }
    after = MakeAfter();
  }
  Run(std::move(after));
}

int64_t GroupQueue::LeasedAt(const Partition& partition, uint64_t session, Offset offset) const {
  if (!partition.keeps_ledger) return 0;
  const std::vector<LedgerAck>& acked = partition.acked;
  const bool goes_on =
      !acked.empty() && acked.back().end == offset && acked.back().session == session;
  return goes_on ? 0 : partition.queue->leased_us(offset);
}

void GroupQueue::NoteAck(Partition& partition, uint64_t session, Offset offset, int64_t leased_us) {
  if (!partition.keeps_ledger) return;
  std::vector<LedgerAck>& acked = partition.acked;
  const bool goes_on =
      !acked.empty() && acked.back().end == offset && acked.back().session == session;
  if (goes_on) {
    acked.back().end = offset + 1;
  } else {
    acked.push_back({session, offset, offset + 1, leased_us});
  }
}

const QueueMemberFacts* GroupQueue::MemberFactsOf(uint64_t session) const {
  const auto member = members_.find(session);
  return member == members_.end() ? nullptr : &member->second->facts;
}

void GroupQueue::PutLedger(Partition& partition, const QueueChanges& changes) {
  const bool nothing =
      partition.acked.empty() && changes.failed.empty() && changes.dead_letters.empty();
  if (!partition.keeps_ledger || nothing) {
    partition.acked.clear();
    return;
  }
  storage::v1::LedgerRecord record;
  record.set_group_id(group_.value());
  record.set_partition_id(partition.id.value());
  RecordMembers members(&record);
  std::vector<ProcessedRun> runs;
  for (const LedgerAck& ack : std::exchange(partition.acked, {})) {
    runs.push_back({ack.first, Lag(ack.first, ack.end), members.IndexOf(MemberFactsOf(ack.session)),
                    ack.leased_us});
  }
  PutProcessed(std::move(runs), NowUs(), &record);
  for (const FailedAttempt& attempt : changes.failed) {
    *record.add_entries() = FailedEntry(attempt, AttemptRecordOf(attempt));
  }
  for (const DeadLetter& letter : changes.dead_letters) {
    *record.add_entries() = LedgerEntryOf(Entry::DEAD_LETTERED, {letter.offset, letter.offset + 1});
  }
  rows_.push_back(LedgerRow(record));
}

void GroupQueue::PutEntry(const Partition& partition, storage::v1::LedgerEntry entry) {
  if (!partition.keeps_ledger) return;
  rows_.push_back(LedgerRow(DecisionRecord(group_, partition.id, NowUs(), std::move(entry))));
}

void GroupQueue::PutSettledLedger(const Partition& partition,
                                  absl::Span<const HeldEvent* const> events,
                                  std::vector<RowWrite>* rows) const {
  if (!partition.keeps_ledger) return;
  storage::v1::LedgerRecord record;
  record.set_group_id(group_.value());
  record.set_partition_id(partition.id.value());
  RecordMembers members(&record);
  std::vector<ProcessedRun> runs;
  for (const HeldEvent* event : events) {
    if (!event->failure.has_value()) {
      const uint32_t member = members.IndexOf(event->member.get());
      const bool goes_on = !runs.empty() && runs.back().member == member &&
                           runs.back().first + runs.back().count == event->offset;
      if (goes_on) {
        ++runs.back().count;
      } else {
        runs.push_back({event->offset, 1, member, event->leased_us});
      }
      continue;
    }
    storage::v1::AttemptRecord attempt;  // As its row has it.
    (void)attempt.ParseFromString(*event->attempt->value);
    *record.add_entries() = FailedEntry(event->failure->attempt, std::move(attempt));
    if (event->failure->letter.has_value()) {
      *record.add_entries() =
          LedgerEntryOf(Entry::DEAD_LETTERED, {event->offset, event->offset + 1});
    }
  }
  PutProcessed(std::move(runs), NowUs(), &record);
  rows->push_back(LedgerRow(record));
}

}  // namespace acta
