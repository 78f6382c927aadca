#include "proto/support/publish_frame.h"

#include "absl/strings/str_cat.h"
#include "acta/v1/errors.pb.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"

namespace acta {
namespace {

// One field of a message whose fields are few and cold.
struct Field {
  uint32_t tag = 0;
  uint64_t number = 0;      // The value of a varint or a fixed field.
  absl::string_view bytes;  // The value of a length-delimited field.
};

WireFault ReadField(WireReader& reader, Field* field) {
  const WireFault fault = reader.ReadTag(&field->tag);
  if (fault != WireFault::kNone) return fault;
  uint32_t word = 0;
  switch (WireTypeOf(field->tag)) {
    case kWireVarint:
      return reader.ReadVarint(&field->number);
    case kWireBytes:
      return reader.ReadBytes(&field->bytes);
    case kWireFixed32: {
      const WireFault end = reader.ReadFixed32(&word);
      field->number = word;
      return end;
    }
    default:
      return reader.SkipValue(field->tag);
  }
}

// What a message declares: for each field number from 1 its wire type.
struct Declared {
  uint32_t number;
  WireType type;
  bool repeated = false;
};

// Checks a field against the declarations of its message. `*known` is false for one that is not
// declared. `seen` remembers singular fields.
template <size_t N>
WireFault CheckDeclared(const Declared (&fields)[N], uint32_t tag, uint32_t* seen, bool* known) {
  *known = false;
  for (const Declared& field : fields) {
    if (field.number != FieldOf(tag)) continue;
    *known = true;
    if (WireTypeOf(tag) != field.type) return WireFault::kWrongWireType;
    if (!field.repeated && (*seen & 1u << field.number) != 0) return WireFault::kRepeatedField;
    *seen |= 1u << field.number;
    return WireFault::kNone;
  }
  return WireFault::kNone;
}

// Calls `take(field)` for each declared field of `bytes`; it returns a fault too.
template <size_t N, typename Take>
WireFault ForEachField(const Declared (&fields)[N], absl::string_view bytes, Take take) {
  WireReader reader(bytes);
  uint32_t seen = 0;
  while (!reader.AtEnd()) {
    Field field;
    WireFault fault = ReadField(reader, &field);
    bool known = false;
    if (fault == WireFault::kNone) fault = CheckDeclared(fields, field.tag, &seen, &known);
    if (fault == WireFault::kNone && known) fault = take(field);
    if (fault != WireFault::kNone) return fault;
  }
  return WireFault::kNone;
}

WireFault TakeText(absl::string_view bytes, absl::string_view* text) {
  *text = bytes;
  return IsUtf8(bytes) ? WireFault::kNone : WireFault::kBadUtf8;
}

WireFault ParseOpen(absl::string_view bytes, PublishOpenView* open) {
  static constexpr Declared kFields[] = {{1, kWireBytes}, {2, kWireVarint}, {3, kWireBytes, true},
                                         {4, kWireBytes}, {5, kWireBytes},  {6, kWireBytes},
                                         {7, kWireBytes}};
  return ForEachField(kFields, bytes, [open](const Field& field) {
    absl::string_view ignored;
    switch (FieldOf(field.tag)) {
      case 1:
        return TakeText(field.bytes, &open->topic);
      case 2:
        open->level = static_cast<int32_t>(field.number);
        return WireFault::kNone;
      case 4:
        return TakeText(field.bytes, &open->app);
      case 5:
        return TakeText(field.bytes, &open->app_version);
      case 6:
        return TakeText(field.bytes, &open->instance);
      case 7:
        return TakeText(field.bytes, &open->tenant);
      default:
        return TakeText(field.bytes, &ignored);
    }
  });
}

WireFault ParseExpect(absl::string_view bytes, PartitionBatchView* batch) {
  static constexpr Declared kFields[] = {{1, kWireVarint}};
  batch->expects = true;
  return ForEachField(kFields, bytes, [batch](const Field& field) {
    batch->expected_end = static_cast<int64_t>(field.number);
    return WireFault::kNone;
  });
}

WireFault ParseCausedBy(absl::string_view bytes, CausedByView* cause) {
  static constexpr Declared kFields[] = {{1, kWireBytes}, {2, kWireVarint}};
  return ForEachField(kFields, bytes, [cause](const Field& field) {
    if (FieldOf(field.tag) == 1) {
      cause->token = field.bytes;
    } else {
      cause->offset = static_cast<int64_t>(field.number);
    }
    return WireFault::kNone;
  });
}

constexpr Declared kBatchFields[] = {{1, kWireBytes},  {3, kWireVarint},  {4, kWireVarint},
                                     {5, kWireVarint}, {6, kWireVarint},  {7, kWireBytes},
                                     {8, kWireBytes},  {9, kWireFixed32}, {10, kWireVarint}};

WireFault TakeBatchField(const Field& field, PartitionBatchView* batch) {
  switch (FieldOf(field.tag)) {
    case 1:
      return TakeText(field.bytes, &batch->topic);
    case 3:
      batch->partition = static_cast<int32_t>(field.number);
      break;
    case 4:
      batch->producer_id = field.number;
      break;
    case 5:
      batch->producer_epoch = static_cast<uint32_t>(field.number);
      break;
    case 6:
      batch->first_sequence = static_cast<uint32_t>(field.number);
      break;
    case 7:
      return ParseCausedBy(field.bytes, &batch->caused_by.emplace());
    case 8:
      return ParseExpect(field.bytes, batch);
    case 10:
      batch->deliver_at_us = static_cast<int64_t>(field.number);
      break;
    default:
      batch->payload_crc32c = static_cast<uint32_t>(field.number);
      break;
  }
  return WireFault::kNone;
}

bool IsLaterField(uint32_t number) { return number == 2; }

// A field other than `events`.
WireFault ParseBatchField(WireReader& reader, uint32_t* seen, PartitionBatchView* batch) {
  Field field;
  WireFault fault = ReadField(reader, &field);
  if (fault != WireFault::kNone) return fault;
  const uint32_t number = FieldOf(field.tag);
  if (number == FieldOf(EventElements::kTag)) return WireFault::kWrongWireType;
  if (IsLaterField(number)) batch->unsupported_field = static_cast<int32_t>(number);
  bool known = false;
  fault = CheckDeclared(kBatchFields, field.tag, seen, &known);
  return fault == WireFault::kNone && known ? TakeBatchField(field, batch) : fault;
}

// Steps over `events` elements that lie together and adds them to the batch.
WireFault TakeEvents(WireReader& reader, std::string* gathered, PartitionBatchView* batch) {
  const char* const begin = reader.position();
  while (!reader.AtEnd() && reader.Peek() == EventElements::kTag) {
    uint32_t tag = 0;
    absl::string_view event;
    WireFault fault = reader.ReadTag(&tag);
    if (fault == WireFault::kNone) fault = reader.ReadBytes(&event);
    if (fault != WireFault::kNone) return fault;
    ++batch->count;
  }
  const absl::string_view run(begin, static_cast<size_t>(reader.position() - begin));
  if (batch->events.empty()) {
    batch->events = run;
    return WireFault::kNone;
  }
  if (gathered->empty()) gathered->append(batch->events.data(), batch->events.size());
  gathered->append(run.data(), run.size());
  return WireFault::kNone;
}

WireFault ParseBatch(absl::string_view bytes, PartitionBatchView* batch) {
  WireReader reader(bytes);
  uint32_t seen = 0;
  std::string gathered;
  while (!reader.AtEnd()) {
    const WireFault fault = reader.Peek() == EventElements::kTag
                                ? TakeEvents(reader, &gathered, batch)
                                : ParseBatchField(reader, &seen, batch);
    if (fault != WireFault::kNone) return fault;
  }
  if (!gathered.empty()) {
    batch->gathered = std::make_shared<const std::string>(std::move(gathered));
    batch->events = *batch->gathered;
  }
  return WireFault::kNone;
}

WireFault ParseFrame(absl::string_view bytes, size_t max_batches, PublishFrameView* frame) {
  static constexpr Declared kFields[] = {{1, kWireVarint},      {2, kWireVarint}, {3, kWireVarint},
                                         {4, kWireBytes, true}, {5, kWireBytes},  {6, kWireBytes}};
  return ForEachField(kFields, bytes, [max_batches, frame](const Field& field) {
    switch (FieldOf(field.tag)) {
      case 1:
        frame->frame_id = field.number;
        return WireFault::kNone;
      case 2:
        frame->level = static_cast<int32_t>(field.number);
        return WireFault::kNone;
      case 3:
        frame->atomic = field.number != 0;
        return WireFault::kNone;
      case 4:
        if (++frame->batch_count > max_batches) return WireFault::kNone;
        return ParseBatch(field.bytes, &frame->batches.emplace_back());
      case 5:
        return ParseOpen(field.bytes, &frame->open.emplace());
      default:
        return TakeText(field.bytes, &frame->tenant);
    }
  });
}

}  // namespace

absl::Status ParsePublishFrame(absl::string_view bytes, size_t max_batches,
                               PublishFrameView* frame) {
  std::vector<PartitionBatchView> batches = std::move(frame->batches);
  batches.clear();
  *frame = PublishFrameView();
  frame->batches = std::move(batches);
  const WireFault fault = ParseFrame(bytes, max_batches, frame);
  if (fault == WireFault::kNone) return absl::OkStatus();
  return Error(v1::MALFORMED_MESSAGE,
               absl::StrCat("the publish frame of ", bytes.size(),
                            " bytes is malformed: ", Describe(fault), "; correct the encoder"),
               {{"fault", std::string(Describe(fault))}});
}

}  // namespace acta
