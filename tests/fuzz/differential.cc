#include "tests/fuzz/differential.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "acta/v1/publisher.pb.h"
#include "google/protobuf/stubs/logging.h"
#include "google/protobuf/util/message_differencer.h"
#include "proto/support/error.h"
#include "proto/support/event_scanner.h"
#include "proto/support/publish_frame.h"
#include "proto/support/wire.h"

namespace acta {
namespace {

using google::protobuf::util::MessageDifferencer;

// Above it batches are counted and not looked into: nothing to compare.
constexpr size_t kMaxBatches = 1000;

// True for the faults of the closed list: the parser takes these bytes and the scanner need not.
bool IsStricter(absl::string_view fault) {
  return fault == Describe(WireFault::kRepeatedField) ||
         fault == Describe(WireFault::kWrongWireType) || fault == Describe(WireFault::kGroup) ||
         fault == Describe(WireFault::kBadTag) || fault == Describe(WireFault::kBadVarint);
}

// What both readings of the bytes say as verdicts.
std::string CompareVerdicts(bool scanned, absl::string_view fault, bool parsed) {
  if (scanned && !parsed) return "the scanner accepts what the parser refuses";
  if (!scanned && parsed && !IsStricter(fault)) {
    return absl::StrCat("the scanner refuses what the parser accepts: ", fault);
  }
  return "";
}

std::string Differs(absl::string_view field) { return absl::StrCat("they differ in ", field); }

template <typename Message>
bool Parse(absl::string_view bytes, Message* message) {
  google::protobuf::SetLogHandler(nullptr);  // It tells of each bad string.
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

size_t LongestText(const v1::Event& event) {
  size_t longest = 0;
  for (int i = 0; i < v1::Event::descriptor()->field_count(); ++i) {
    const auto* const field = v1::Event::descriptor()->field(i);
    if (field->type() != google::protobuf::FieldDescriptor::TYPE_STRING) continue;
    longest = std::max(longest, event.GetReflection()->GetString(event, field).size());
  }
  for (const v1::Affected& affected : event.affected()) {
    longest = std::max({longest, affected.kind().size(), affected.id().size()});
  }
  return longest;
}

std::string CompareScanned(const ScannedEvent& event, const v1::Event& parsed) {
  if (event.id != parsed.id()) return Differs("id");
  if (event.source != parsed.source()) return Differs("source");
  if (event.type != parsed.type()) return Differs("type");
  if (event.key != parsed.key()) return Differs("key");
  if (event.time_us != parsed.time_us()) return Differs("time_us");
  if (event.longest_text != LongestText(parsed)) return Differs("the longest text");
  if (event.affected != static_cast<uint32_t>(parsed.affected_size())) return Differs("affected");
  // A map keeps the last of equal keys, the scanner counts entries.
  const auto entries = static_cast<uint32_t>(parsed.attributes_size());
  uint32_t bytes = 0;
  for (const auto& [key, value] : parsed.attributes()) {
    bytes += static_cast<uint32_t>(key.size() + value.size());
  }
  if (event.attributes < entries) return Differs("attributes");
  if (event.attribute_bytes < bytes) return Differs("attribute_bytes");
  if (event.attributes == entries && event.attribute_bytes != bytes) {
    return Differs("attribute_bytes");
  }
  return "";
}

std::string CompareOpen(const PublishFrameView& frame, const v1::PublishFrame& parsed) {
  if (frame.open.has_value() != parsed.has_open()) return Differs("open");
  if (!frame.open.has_value()) return "";
  const v1::PublishOpen& open = parsed.open();
  if (frame.open->topic != open.topic()) return Differs("open.topic");
  if (frame.open->level != static_cast<int32_t>(open.level())) return Differs("open.level");
  if (frame.open->app != open.app()) return Differs("open.app");
  if (frame.open->app_version != open.app_version()) return Differs("open.app_version");
  if (frame.open->instance != open.instance()) return Differs("open.instance");
  if (frame.open->tenant != open.tenant()) return Differs("open.tenant");
  return "";
}

std::string CompareEvents(const PartitionBatchView& batch, const v1::PartitionBatch& parsed) {
  if (batch.count != static_cast<uint64_t>(parsed.events_size())) return Differs("count");
  EventElements elements(batch.events);
  absl::string_view bytes;
  for (const v1::Event& expected : parsed.events()) {
    v1::Event event;
    if (!elements.Next(&bytes) || !Parse(bytes, &event)) return Differs("events");
    if (!MessageDifferencer::Equals(event, expected)) return Differs("an event");
  }
  return elements.Next(&bytes) || !elements.ok() ? Differs("the end of events") : "";
}

std::string CompareBatch(const PartitionBatchView& batch, const v1::PartitionBatch& parsed) {
  if (batch.topic != parsed.topic()) return Differs("topic");
  if (batch.partition.has_value() != parsed.has_partition()) return Differs("has partition");
  if (batch.partition.value_or(0) != parsed.partition()) return Differs("partition");
  if (batch.producer_id != parsed.producer_id()) return Differs("producer_id");
  if (batch.producer_epoch != parsed.producer_epoch()) return Differs("producer_epoch");
  if (batch.first_sequence != parsed.first_sequence()) return Differs("first_sequence");
  if (batch.deliver_at_us != parsed.deliver_at_us()) return Differs("deliver_at_us");
  if (batch.expects != parsed.has_expect()) return Differs("expect");
  if (batch.expected_end.has_value() != parsed.expect().has_end_offset()) {
    return Differs("has end_offset");
  }
  if (batch.expected_end.value_or(0) != parsed.expect().end_offset()) return Differs("end_offset");
  if (batch.payload_crc32c.has_value() != parsed.has_payload_crc32c() ||
      batch.payload_crc32c.value_or(0) != parsed.payload_crc32c()) {
    return Differs("payload_crc32c");
  }
  return CompareEvents(batch, parsed);
}

std::string CompareFrames(const PublishFrameView& frame, const v1::PublishFrame& parsed) {
  if (frame.frame_id != parsed.frame_id()) return Differs("frame_id");
  if (frame.level != static_cast<int32_t>(parsed.level())) return Differs("level");
  if (frame.atomic != parsed.atomic()) return Differs("atomic");
  if (frame.tenant != parsed.tenant()) return Differs("tenant");
  const std::string open = CompareOpen(frame, parsed);
  if (!open.empty()) return open;
  if (frame.batch_count != static_cast<uint64_t>(parsed.batches_size())) return Differs("batches");
  for (int i = 0; i < parsed.batches_size(); ++i) {
    const std::string batch =
        CompareBatch(frame.batches[static_cast<size_t>(i)], parsed.batches(i));
    if (!batch.empty()) return batch;
  }
  return "";
}

// The first fault of an event of the frame.
WireFault ScanEvents(const PublishFrameView& frame) {
  for (const PartitionBatchView& batch : frame.batches) {
    EventElements elements(batch.events);
    absl::string_view bytes;
    ScannedEvent event;
    while (elements.Next(&bytes)) {
      const WireFault fault = ScanEvent(bytes, &event);
      if (fault != WireFault::kNone) return fault;
    }
  }
  return WireFault::kNone;
}

}  // namespace

std::string CompareEvent(absl::string_view bytes) {
  ScannedEvent event;
  const WireFault fault = ScanEvent(bytes, &event);
  v1::Event parsed;
  const bool accepts = Parse(bytes, &parsed);
  const std::string verdicts = CompareVerdicts(fault == WireFault::kNone, Describe(fault), accepts);
  if (!verdicts.empty() || fault != WireFault::kNone) return verdicts;
  return CompareScanned(event, parsed);
}

std::string ComparePublishFrame(absl::string_view bytes) {
  PublishFrameView frame;
  const absl::Status status = ParsePublishFrame(bytes, kMaxBatches, &frame);
  if (status.ok() && frame.batch_count > kMaxBatches) return "";
  std::string fault;
  if (status.ok()) {
    const WireFault first = ScanEvents(frame);
    if (first != WireFault::kNone) fault = std::string(Describe(first));
  } else {
    fault = DetailsOf(status)["fault"];
  }
  v1::PublishFrame parsed;
  const bool accepts = Parse(bytes, &parsed);
  const std::string verdicts = CompareVerdicts(fault.empty(), fault, accepts);
  if (!verdicts.empty() || !fault.empty()) return verdicts;
  return CompareFrames(frame, parsed);
}

}  // namespace acta
