#include "server/core/traces/trace_feed.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proto/support/event_scanner.h"
#include "server/core/journeys/event_links.h"
#include "server/core/queues/ledger.h"
#include "server/core/topics/place_name.h"
#include "storage/base/bytes.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

constexpr size_t kMostEvents = 100'000;
// Records of the ledger that wait for their events.
constexpr size_t kMostEarly = 10'000;
constexpr size_t kMostEarlyBytes = size_t{16} << 20;
// Of an event's id.
constexpr size_t kMostIdBytes = 256;
// What the conventions call an operation. They have no word for waiting and giving up.
constexpr char kOperationType[] = "messaging.operation.type";

// The beginning of a long one, of whole characters.
std::string ShortId(absl::string_view id) {
  if (id.size() <= kMostIdBytes) return std::string(id);
  size_t end = kMostIdBytes;
  while (end > 0 && (static_cast<unsigned char>(id[end]) & 0xc0) == 0x80) --end;
  return absl::StrCat(id.substr(0, end), "...");
}

std::string Bytes8(uint64_t number) {
  std::string bytes;
  PutBig64(&bytes, number);
  return bytes;
}

int64_t EndOf(const storage::v1::LedgerRecord& record) {
  int64_t end = 0;
  VisitProcessed(record, [&](const ProcessedRun& run) {
    end = std::max(end, (run.first + run.count).value());
  });
  for (const auto& entry : record.entries()) {
    end = std::max(end, entry.offset() + std::max<int64_t>(1, entry.count()));
  }
  return end;
}

}  // namespace

TraceFeed::TraceFeed(const Deps& deps)
    : deps_(deps), start_us_(absl::ToUnixMicros(deps.engine.Now())) {}

void TraceFeed::OnBatch(const StoredBatch& batch) {
  // What was told by a former life.
  if (batch.append_time_us < start_us_) return OnPassed(batch.partition, batch.end());
  ForgetDeleted();
  if (batch.partition == kLedgerPartition) {
    ReadLedger(batch);
  } else {
    ReadEvents(batch);
  }
  TellEarly();
}

void TraceFeed::OnPassed(PartitionId partition, Offset end) {
  ForgetDeleted();
  // The ledger, or it was deleted.
  if (deps_.topics.FindById(partition.topic()) == nullptr) return;
  Offset& seen = partitions_[partition].seen;
  seen = std::max(seen, end);
  TellEarly();
}

void TraceFeed::TellEarly() {
  while (!early_.empty()) {
    const bool full = early_.size() > kMostEarly || early_bytes_ > kMostEarlyBytes;
    if (!full && IsEarly(early_.front())) return;
    const Record record = std::move(early_.front());
    early_.pop_front();
    early_bytes_ -= record.ByteSizeLong();
    Tell(record);
  }
}

void TraceFeed::ForgetDeleted() {
  const uint64_t version = deps_.topics.version();
  if (std::exchange(topics_seen_, version) == version) return;
  const size_t gone = absl::erase_if(partitions_, [this](const auto& partition) {
    return deps_.topics.FindById(partition.first.topic()) == nullptr;
  });
  if (gone == 0) return;
  std::erase_if(order_, [this](const auto& event) { return !partitions_.contains(event.first); });
}

void TraceFeed::ReadEvents(const StoredBatch& batch) {
  // It was deleted while this was read.
  if (deps_.topics.FindById(batch.partition.topic()) == nullptr) return;
  partitions_[batch.partition].seen = batch.end();
  EventElements elements(batch.payload.view());
  absl::string_view bytes;
  for (Offset offset = batch.base_offset; elements.Next(&bytes); offset = offset + 1) {
    const absl::string_view traceparent = FindTraceparent(bytes);
    if (traceparent.empty()) continue;
    std::optional<TraceContext> context = ParseTraceparent(traceparent);
    if (!context.has_value() || !context->sampled) continue;
    EventLinks links;
    ReadEventLinks(bytes, &links);
    Traced event{*std::move(context), ShortId(links.id), "", batch.append_time_us, {}};
    Span span = Begin("publish", batch.partition, offset, event, nullptr, batch.append_time_us,
                      batch.append_time_us);
    span.parent = event.context.parent_id;
    span.role = SpanRole::kProducer;
    span.attributes.emplace_back(kOperationType, "send");
    event.publish = span.id;
    deps_.sink.Add(std::move(span));
    Remember(batch.partition, offset, std::move(event));
  }
}

void TraceFeed::Remember(PartitionId partition, Offset offset, Traced event) {
  partitions_[partition].events[offset] = std::move(event);
  order_.emplace_back(partition, offset);
  if (order_.size() <= kMostEvents) return;
  partitions_[order_.front().first].events.erase(order_.front().second);
  order_.pop_front();
}

void TraceFeed::ReadLedger(const StoredBatch& batch) {
  EventElements elements(batch.payload.view());
  absl::string_view bytes;
  while (elements.Next(&bytes)) {
    Record record;
    if (!ParseLedgerRecord(bytes, &record)) continue;
    // In their order: one that is early keeps those behind it.
    if (!early_.empty() || IsEarly(record)) {
      early_bytes_ += record.ByteSizeLong();
      early_.push_back(std::move(record));
    } else {
      Tell(record);
    }
  }
}

bool TraceFeed::IsEarly(const Record& record) const {
  const PartitionId partition(record.partition_id());
  // Of a topic that is not indexed nothing will come, and of what is older nothing is told.
  const auto extent = deps_.engine.Extent(partition);
  const TopicPtr topic = deps_.topics.FindById(partition.topic());
  if (!extent.ok() || topic == nullptr || topic->proto.journey() == v1::JOURNEY_MODE_OFF) {
    return false;
  }
  const auto at = partitions_.find(partition);
  if (at == partitions_.end()) return extent->last_time_us >= start_us_;
  return EndOf(record) > at->second.seen.value();
}

void TraceFeed::Tell(const Record& record) {
  const PartitionId partition(record.partition_id());
  const GroupId group(record.group_id());
  const auto at = partitions_.find(partition);
  if (at == partitions_.end()) return;
  auto& events = at->second.events;
  VisitProcessed(record, [&](const ProcessedRun& run) {
    if (run.delivered_us == 0) return;  // A range that a STREAM group passed, or nobody knows.
    Attempt attempt{run.delivered_us, record.time_us(), 0, "", ""};
    const auto member = static_cast<int>(run.member) - 1;
    if (member >= 0 && member < record.members_size()) {
      attempt.member_id = record.members(member).member_id();
    }
    const Offset end = run.first + run.count;
    for (auto event = events.lower_bound(run.first); event != events.end() && event->first < end;
         ++event) {
      TellAttempt(group, partition, event->first, event->second, attempt);
    }
  });
  for (const Entry& entry : record.entries()) {
    TellEntry(group, partition, entry, record.time_us());
  }
}

void TraceFeed::TellEntry(GroupId group, PartitionId partition, const Entry& entry,
                          int64_t time_us) {
  auto& events = partitions_[partition].events;
  const Offset offset(entry.offset());
  const auto at = events.find(offset);
  if (at == events.end()) return;
  Traced& event = at->second;
  if (entry.kind() == Entry::FAILED) {
    const storage::v1::AttemptRecord& record = entry.attempt();
    const std::string& reason = record.reason();
    TellAttempt(group, partition, offset, event,
                {record.leased_us(), record.ended_us(), entry.attempt_number(), record.member_id(),
                 reason.empty() ? storage::v1::AttemptRecord::End_Name(record.end()) : reason});
  } else if (entry.kind() == Entry::DEAD_LETTERED) {
    Span span = Begin("dead letter", partition, offset, event, &group, time_us, time_us);
    span.error = "DEAD_LETTERED";
    deps_.sink.Add(std::move(span));
  }
}

void TraceFeed::TellAttempt(GroupId group, PartitionId partition, Offset offset, Traced& event,
                            const Attempt& attempt) {
  // Of a run the delivery of its first event is known.
  const int64_t delivered_us = std::max(attempt.delivered_us, event.append_us);
  const auto failed = event.failed_us.find(group);
  const bool first = failed == event.failed_us.end();
  deps_.sink.Add(Begin(first ? "deliver" : "retry", partition, offset, event, &group,
                       first ? event.append_us : failed->second, delivered_us));
  Span settle = Begin("settle", partition, offset, event, &group, delivered_us, attempt.ended_us);
  settle.role = SpanRole::kConsumer;
  settle.attributes.emplace_back(kOperationType, "process");
  settle.error = attempt.error;
  if (!attempt.member_id.empty()) {
    settle.attributes.emplace_back("acta.member_id", attempt.member_id);
  }
  if (attempt.number > 0) settle.attributes.emplace_back("acta.attempt", int64_t{attempt.number});
  settle.attributes.emplace_back("acta.outcome", attempt.error.empty() ? "PROCESSED" : "FAILED");
  deps_.sink.Add(std::move(settle));
  if (!attempt.error.empty()) event.failed_us[group] = attempt.ended_us;
}

Span TraceFeed::Begin(absl::string_view what, PartitionId partition, Offset offset,
                      const Traced& event, const GroupId* group, int64_t start_us,
                      int64_t end_us) const {
  const TopicPtr topic = deps_.topics.FindById(partition.topic());
  const std::string topic_name =
      topic == nullptr ? absl::StrCat(partition.topic().value()) : topic->name();
  Span span;
  span.trace_id = event.context.trace_id;
  span.parent = event.publish;
  span.name = absl::StrCat(what, " ", topic_name);
  span.start_us = std::min(start_us, end_us);
  span.end_us = end_us;
  span.attributes.emplace_back("messaging.system", "acta");
  span.attributes.emplace_back("messaging.operation.name", std::string(what));
  span.attributes.emplace_back("messaging.destination.name", topic_name);
  span.attributes.emplace_back("messaging.destination.partition.id",
                               absl::StrCat(partition.partition()));
  span.attributes.emplace_back("acta.offset", offset.value());
  if (!event.id.empty()) span.attributes.emplace_back("messaging.message.id", event.id);
  std::string name = absl::StrCat(what, "/", partition.value(), "/", offset.value());
  if (group != nullptr) {
    absl::StrAppend(&name, "/", group->value(), "/", end_us);
    span.attributes.emplace_back(
        "messaging.consumer.group.name",
        deps_.groups.NameOf(*group).value_or(absl::StrCat("#", group->value())));
  }
  span.id = Bytes8(deps_.engine.HashEventId("span", name).low);
  return span;
}

}  // namespace acta
