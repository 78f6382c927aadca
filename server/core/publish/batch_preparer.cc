#include "server/core/publish/batch_preparer.h"

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "acta/v1/event.pb.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/partitioner.h"
#include "proto/support/wire.h"
#include "server/core/topics/topic_rules.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

std::string EventName(uint32_t index) { return absl::StrCat("event ", index, " of the batch"); }

ErrorDetails EventDetail(uint32_t index) { return {{"event_index", absl::StrCat(index)}}; }

absl::Status Malformed(uint32_t index, WireFault fault) {
  return Error(
      v1::MALFORMED_MESSAGE,
      absl::StrCat(EventName(index), " is malformed: ", Describe(fault), "; correct the encoder"),
      {{"event_index", absl::StrCat(index)}, {"fault", std::string(Describe(fault))}});
}

absl::Status KeyMismatch(uint32_t index, int32_t named, int32_t expected, const Topic& topic) {
  return Error(v1::PARTITION_KEY_MISMATCH,
               absl::StrCat("the key of ", EventName(index), " belongs to partition ", expected,
                            " of topic '", topic.name(), "', not to ", named,
                            "; use the partition function, or name no partition"),
               {{"event_index", absl::StrCat(index)},
                {"partition", absl::StrCat(named)},
                {"expected_partition", absl::StrCat(expected)},
                {"partitions", absl::StrCat(topic.partitions())}});
}

absl::Status EventTooLarge(uint32_t index, size_t size, const Topic& topic) {
  const std::string what =
      absl::StrCat(EventName(index), " for topic '", topic.name(), "' has bytes:");
  return LimitError{v1::EVENT_TOO_LARGE,
                    what,
                    size,
                    "max_event_bytes",
                    static_cast<uint64_t>(topic.proto.max_event_bytes()),
                    "send less, or raise the topic's limit"}
      .Make(EventDetail(index));
}

absl::Status TextTooLong(const ScannedEvent& event, uint32_t index) {
  const auto* const field =
      v1::Event::descriptor()->FindFieldByNumber(static_cast<int>(event.longest_field));
  const std::string name = field == nullptr ? "text" : field->name();
  // What is in a message has no name here: the kind or the id of one who is affected.
  const bool nested = field != nullptr && field->message_type() != nullptr;
  const std::string what =
      absl::StrCat(nested ? "a text of " : "the ", name, " of ", EventName(index), " has bytes:");
  ErrorDetails details = EventDetail(index);
  details.emplace_back("field", name);
  return LimitError{v1::EVENT_TOO_LARGE, what,
                    event.longest_text,  "max_event_text_bytes",
                    kMaxEventTextBytes,  "use a shorter one, or move it into the data"}
      .Make(std::move(details));
}

absl::Status NeedsPartition(absl::string_view field) {
  return Error(v1::PARTITION_REQUIRED,
               absl::StrCat("a batch with ", field, " must name its partition; set `partition`"),
               {{"field", std::string(field)}});
}

absl::Status CheckSum(const PartitionBatchView& batch) {
  if (!batch.payload_crc32c.has_value()) return absl::OkStatus();
  const uint32_t actual = Crc32c(batch.events);
  if (actual == *batch.payload_crc32c) return absl::OkStatus();
  return Error(v1::CHECKSUM_MISMATCH,
               absl::StrCat("the events of the batch have CRC32C ", actual, ", not ",
                            *batch.payload_crc32c, " as sent; send them again"),
               {{"payload_crc32c", absl::StrCat(*batch.payload_crc32c)},
                {"actual_crc32c", absl::StrCat(actual)}});
}

}  // namespace

absl::Status BatchPreparer::Prepare(const Frame& frame, const PartitionBatchView& batch,
                                    int32_t number, const Topic& topic, PreparedAppends* out) {
  RETURN_IF_ERROR(CheckBatch(batch, topic));
  RETURN_IF_ERROR(ScanEvents(batch, topic, frame.sticky));
  if (batch.deliver_at_us > 0 && batch.deliver_at_us > absl::ToUnixMicros(engine_.Now())) {
    return AddSchedules(frame, batch, number, topic, out);
  }
  if (batch.partition.has_value()) {
    AddWhole(frame, batch, number, topic.partition(*batch.partition), out);
  } else if (OnePartition()) {
    AddWhole(frame, batch, number, topic.partition(elements_.front().partition), out);
  } else {
    AddSplit(frame, batch, number, topic, out);
  }
  return absl::OkStatus();
}

absl::Status BatchPreparer::CheckBatch(const PartitionBatchView& batch, const Topic& topic) const {
  if (batch.unsupported_field != 0) {
    return Error(v1::UNSUPPORTED_FEATURE,
                 absl::StrCat("field ", batch.unsupported_field,
                              " of a batch is of no use to this server; leave it out"),
                 {{"field_number", absl::StrCat(batch.unsupported_field)}});
  }
  if (batch.count == 0) {
    return Error(v1::EMPTY_PUBLISH, "the batch has no events; send at least one");
  }
  const auto max_events = static_cast<uint64_t>(limits_.max_batch_events);
  if (batch.count > max_events) {
    return LimitError{
        v1::BATCH_TOO_LARGE, "the batch has events:", batch.count, "limits.events_per_batch",
        max_events,          "split the batch"}
        .Make();
  }
  if (!batch.partition.has_value()) {
    if (batch.producer_id != 0) return NeedsPartition("producer_id");
    if (batch.expects) return NeedsPartition("expect");
  } else if (*batch.partition < 0 || *batch.partition >= topic.partitions()) {
    return PartitionNotFound(topic.name(), *batch.partition, topic.partitions());
  }
  if (batch.expected_end.value_or(0) < 0) {
    return Error(
        v1::OFFSET_OUT_OF_RANGE,
        absl::StrCat("expect.end_offset is ", *batch.expected_end, "; an end offset is at least 0"),
        {{"end_offset", absl::StrCat(*batch.expected_end)}});
  }
  if (batch.deliver_at_us != 0) RETURN_IF_ERROR(CheckSchedule(batch));
  return CheckSum(batch);
}

absl::Status BatchPreparer::CheckSchedule(const PartitionBatchView& batch) {
  const absl::string_view field = batch.producer_id != 0 ? "producer_id"
                                  : batch.expects        ? "expect"
                                                         : "";
  if (field.empty()) return absl::OkStatus();
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("a batch with deliver_at_us has no ", field,
                            ": nobody knows what the partition will hold then; leave it out"),
               {{"field", std::string(field)}});
}

absl::Status BatchPreparer::CheckEvent(const ScannedEvent& event, uint32_t index) const {
  const auto max_key = static_cast<uint64_t>(limits_.max_key_bytes);
  if (event.key.size() > max_key) {
    return LimitError{
        v1::KEY_TOO_LARGE, absl::StrCat("the key of ", EventName(index), " has bytes:"),
        event.key.size(),  "limits.key",
        max_key,           "use a shorter key"}
        .Make(EventDetail(index));
  }
  if (event.longest_text > kMaxEventTextBytes) return TextTooLong(event, index);
  const auto max_affected = static_cast<uint64_t>(limits_.max_affected);
  if (event.affected > max_affected) {
    return LimitError{
        v1::EVENT_TOO_LARGE, absl::StrCat(EventName(index), " has entries of affected:"),
        event.affected,      "limits.affected_per_event",
        max_affected,        "publish an event for some of them each, or move them into the data"}
        .Make(EventDetail(index));
  }
  const auto max_entries = static_cast<uint64_t>(limits_.max_attributes);
  const auto max_bytes = static_cast<uint64_t>(limits_.max_attribute_bytes);
  if (event.attributes > max_entries) {
    return LimitError{v1::ATTRIBUTES_TOO_LARGE,
                      absl::StrCat(EventName(index), " has attributes:"),
                      event.attributes,
                      "limits.attributes_per_event",
                      max_entries,
                      "move them into the data"}
        .Make(EventDetail(index));
  }
  if (event.attribute_bytes > max_bytes) {
    return LimitError{v1::ATTRIBUTES_TOO_LARGE,
                      absl::StrCat("the attributes of ", EventName(index), " have bytes:"),
                      event.attribute_bytes,
                      "limits.attributes",
                      max_bytes,
                      "move them into the data"}
        .Make(EventDetail(index));
  }
  return absl::OkStatus();
}

absl::Status BatchPreparer::ScanEvents(const PartitionBatchView& batch, const Topic& topic,
                                       uint32_t sticky) {
  const auto max_event = static_cast<size_t>(topic.proto.max_event_bytes());
  const int32_t partitions = topic.partitions();
  by_id_ = topic.settings.dedupe == Dedupe::kIds;
  const bool split = !batch.partition.has_value();
  const bool check_key = !split && topic.proto.partitioner() != v1::PARTITIONER_EXPLICIT;
  ids_.clear();
  elements_.clear();
  EventElements elements(batch.events);
  absl::string_view bytes;
  ScannedEvent event;
  for (uint32_t index = 0; elements.Next(&bytes); ++index) {
    if (bytes.size() > max_event) return EventTooLarge(index, bytes.size(), topic);
    const WireFault fault = ScanEvent(bytes, &event);
    if (fault != WireFault::kNone) return Malformed(index, fault);
    RETURN_IF_ERROR(CheckEvent(event, index));
    if (split) {
      elements_.push_back(
          {elements.offset(), PartitionOfEvent(event.key, event.id, sticky, partitions)});
    } else if (check_key && !event.key.empty()) {
      const int32_t expected = PartitionOfKey(event.key, partitions);
      if (expected != *batch.partition) {
        return KeyMismatch(index, *batch.partition, expected, topic);
      }
    }
    if (by_id_ && !event.id.empty()) {
      ids_.push_back({index, engine_.HashEventId(event.source, event.id)});
    }
  }
  return absl::OkStatus();
}

bool BatchPreparer::OnePartition() const {
  for (const Element& element : elements_) {
    if (element.partition != elements_.front().partition) return false;
  }
  return true;
}

void BatchPreparer::AddWhole(const Frame& frame, const PartitionBatchView& batch, int32_t number,
                             PartitionId partition, PreparedAppends* out) const {
  Append& append = out->appends.emplace_back();
  append.partition = partition;
  append.payload = batch.gathered != nullptr ? SharedBytes(batch.gathered, batch.events)
                                             : SharedBytes(frame.bytes.owner(), batch.events);
  append.count = static_cast<uint32_t>(batch.count);
  // The client's checksum was compared before.
  append.payload_crc32c =
      batch.payload_crc32c.has_value() ? *batch.payload_crc32c : Crc32c(batch.events);
  append.context = frame.context;
  append.producer_id = batch.producer_id;
  append.producer_epoch = batch.producer_epoch;
  append.first_sequence = batch.first_sequence;
  if (batch.expected_end.has_value()) append.expected_end = Offset(*batch.expected_end);
  append.ids.assign(ids_.begin(), ids_.end());
  append.ids_unknown = !by_id_;
  out->parts.emplace_back().set_partition(partition.partition());
  out->batches.push_back(number);
}

absl::Status BatchPreparer::AddSchedules(const Frame& frame, const PartitionBatchView& batch,
                                         int32_t number, const Topic& topic,
                                         PreparedAppends* out) const {
  std::vector<ScheduleRequest::Event> events;
  events.reserve(batch.count);
  EventElements elements(batch.events);
  absl::string_view event;
  for (size_t begin = 0; elements.Next(&event); begin = elements.offset()) {
    events.push_back({batch.events.substr(begin, elements.offset() - begin), EventIdHash()});
  }
  for (const IdentifiedEvent& identified : ids_) events[identified.index].id = identified.id;
  ASSIGN_OR_RETURN(ScheduleReservation reservation,
                   schedules_.Reserve(
                       {topic, batch.partition, batch.deliver_at_us, frame.context.view(), events},
                       &out->numbers));
  out->schedules.push_back({number, std::move(reservation)});
  return absl::OkStatus();
}

std::string BatchPreparer::AddShares(const Frame& frame, int32_t number, const Topic& topic,
                                     PreparedAppends* out) {
  shares_.assign(static_cast<size_t>(topic.partitions()), Share());
  size_t begin = 0;
  for (const Element& element : elements_) {
    Share& share = shares_[static_cast<size_t>(element.partition)];
    ++share.count;
    share.bytes += element.end - begin;
    begin = element.end;
  }
  size_t filled = 0;
  for (size_t partition = 0; partition < shares_.size(); ++partition) {
    Share& share = shares_[partition];
    if (share.count == 0) continue;
    share.filled = filled;
    share.append = static_cast<int32_t>(out->appends.size());
    filled += share.bytes;
    Append& append = out->appends.emplace_back();
    append.partition = topic.partition(static_cast<int32_t>(partition));
    append.count = share.count;
    append.context = frame.context;
    append.ids_unknown = !by_id_;
    v1::PublishedPart& part = out->parts.emplace_back();
    part.set_partition(static_cast<int32_t>(partition));
    part.mutable_event_indexes()->Reserve(static_cast<int>(share.count));
    out->batches.push_back(number);
  }
  return std::string(filled, '\0');
}

void BatchPreparer::AddSplit(const Frame& frame, const PartitionBatchView& batch, int32_t number,
                             const Topic& topic, PreparedAppends* out) {
  // One buffer for all parts: each is a slice of it.
  auto payload = std::make_shared<std::string>(AddShares(frame, number, topic, out));
  size_t begin = 0;
  auto id = ids_.begin();
  for (size_t index = 0; index < elements_.size(); ++index) {
    const Element& element = elements_[index];
    Share& share = shares_[static_cast<size_t>(element.partition)];
    std::memcpy(&(*payload)[share.filled], batch.events.data() + begin, element.end - begin);
    share.filled += element.end - begin;
    begin = element.end;
    auto* indexes = out->parts[static_cast<size_t>(share.append)].mutable_event_indexes();
    if (id != ids_.end() && id->index == index) {
      out->appends[static_cast<size_t>(share.append)].ids.push_back(
          {static_cast<uint32_t>(indexes->size()), id->id});
      ++id;
    }
    indexes->AddAlreadyReserved(static_cast<int32_t>(index));
  }
  size_t offset = 0;
  for (const Share& share : shares_) {
    if (share.count == 0) continue;
    Append& append = out->appends[static_cast<size_t>(share.append)];
    append.payload = SharedBytes(payload, absl::string_view(*payload).substr(offset, share.bytes));
    append.payload_crc32c = Crc32c(append.payload.view());
    offset += share.bytes;
  }
}

}  // namespace acta
