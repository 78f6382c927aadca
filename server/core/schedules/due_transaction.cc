#include "server/core/schedules/due_transaction.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "proto/support/event_scanner.h"
#include "proto/support/partitioner.h"
#include "server/core/schedules/schedule_records.h"
#include "storage/base/crc32c.h"

namespace acta {
namespace {

// Chosen now: the topic may have grown since, and keys go where those of other publishers go.
int32_t PartitionNow(const HeldSchedule& due, const ScannedEvent& event, const Topic& topic) {
  const bool by_key = !event.key.empty() && topic.proto.partitioner() != v1::PARTITIONER_EXPLICIT;
  if (due.record.has_partition() && !by_key) return due.record.partition();
  return PartitionOfEvent(event.key, event.id, static_cast<uint32_t>(due.key.number),
                          topic.partitions());
}

// An append that grows.
struct DueAppend {
  Append append;
  std::string payload;
};

class DueAppends {
 public:
  explicit DueAppends(const LogEngine& engine) : engine_(engine) {}

  void Add(const HeldSchedule& due, const Topic& topic) {
    ScannedEvent event;
    (void)ScanEvent(EventBytes(due.record), &event);  // ReadSchedule() saw that it is whole.
    DueAppend& to =
        AppendFor(topic.partition(PartitionNow(due, event, topic)), due.record.context());
    const bool by_id = topic.settings.dedupe == Dedupe::kIds;
    to.append.ids_unknown = !by_id;
    if (by_id && !event.id.empty()) {
      to.append.ids.push_back({to.append.count, engine_.HashEventId(event.source, event.id)});
    }
    to.payload += due.record.element();
    ++to.append.count;
  }

  std::vector<Append> Take() {
    std::vector<Append> appends;
    appends.reserve(appends_.size());
    for (DueAppend& one : appends_) {
      one.append.payload_crc32c = Crc32c(one.payload);
      one.append.payload = SharedBytes(std::move(one.payload));
      appends.push_back(std::move(one.append));
    }
    return appends;
  }

 private:
  // The last one of the partition, unless somebody else published it.
  DueAppend& AppendFor(PartitionId partition, const std::string& context) {
    const auto [last, inserted] = last_.emplace(partition, appends_.size());
    if (!inserted) {
      DueAppend& found = appends_[last->second];
      if (found.append.context.view() == context) return found;
      last->second = appends_.size();
    }
    DueAppend& added = appends_.emplace_back();
    added.append.partition = partition;
    added.append.context = SharedBytes(context);
    return added;
  }

  const LogEngine& engine_;
  std::vector<DueAppend> appends_;
  absl::flat_hash_map<PartitionId, size_t> last_;  // Of each partition.
};

}  // namespace

Transaction MakeDueTransaction(const std::vector<HeldSchedule>& due, const LogEngine& engine,
                               const TopicRegistry& topics) {
  Transaction transaction;
  // Not atomic: an append may only fail because its topic was deleted meanwhile, or be left out
  // because the event was published too. Either way the schedule is over.
  transaction.level = Level::kOs;
  DueAppends appends(engine);
  for (const HeldSchedule& one : due) {
    DeleteScheduleRows(one.key, &transaction.rows);
    const TopicPtr topic = topics.FindById(TopicId(one.record.topic_id()));
    if (topic == nullptr) continue;
    transaction.level = std::max(transaction.level, topic->ack_level());
    appends.Add(one, *topic);
  }
  transaction.appends = appends.Take();
  return transaction;
}

}  // namespace acta
