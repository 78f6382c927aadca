#include "proto/support/event_scanner.h"

namespace acta {
namespace {

enum class FieldKind : uint8_t { kUnknown, kString, kBytes, kNumber, kAffected, kAttribute };

constexpr uint32_t kId = 1;
constexpr uint32_t kSource = 2;
constexpr uint32_t kType = 3;
constexpr uint32_t kKey = 5;
constexpr uint32_t kTimeUs = 7;
constexpr uint32_t kLastField = 16;

// By field number, as event.proto declares them.
constexpr FieldKind kKinds[kLastField + 1] = {
    FieldKind::kUnknown,  FieldKind::kString,     // id
    FieldKind::kString,   FieldKind::kString,     // source, type
    FieldKind::kString,   FieldKind::kBytes,      // subject, key
    FieldKind::kBytes,    FieldKind::kNumber,     // data, time_us
    FieldKind::kString,   FieldKind::kString,     // correlation_id, causation_id
    FieldKind::kString,   FieldKind::kString,     // schema, content_type
    FieldKind::kAffected, FieldKind::kAttribute,  // affected, attributes
    FieldKind::kString,   FieldKind::kString,     // traceparent, process
    FieldKind::kNumber,                           // expires_at_us
};

// A wire type that is not the declared one.
WireFault WrongWireType(uint32_t tag) {
  switch (WireTypeOf(tag)) {
    case kWireGroupStart:
    case kWireGroupEnd:
      return WireFault::kGroup;
    case 6:
    case 7:
      return WireFault::kBadWireType;
    default:
      return WireFault::kWrongWireType;
  }
}

// A message of two strings, fields 1 and 2: Affected and the entries of `attributes`. `take` gets
// the size of each.
template <typename Take>
WireFault ScanPair(absl::string_view bytes, const Take& take) {
  WireReader reader(bytes);
  uint32_t seen = 0;
  while (!reader.AtEnd()) {
    uint32_t tag = 0;
    WireFault fault = reader.ReadTag(&tag);
    if (fault != WireFault::kNone) return fault;
    const uint32_t number = FieldOf(tag);
    if (number > 2) {
      fault = reader.SkipValue(tag);
      if (fault != WireFault::kNone) return fault;
      continue;
    }
    if (WireTypeOf(tag) != kWireBytes) return WrongWireType(tag);
    if ((seen & 1u << number) != 0) return WireFault::kRepeatedField;
    seen |= 1u << number;
    absl::string_view text;
    fault = reader.ReadBytes(&text);
    if (fault != WireFault::kNone) return fault;
    if (!IsUtf8(text)) return WireFault::kBadUtf8;
    take(static_cast<uint32_t>(text.size()));
  }
  return WireFault::kNone;
}

void Keep(uint32_t number, absl::string_view value, ScannedEvent* event) {
  switch (number) {
    case kId:
      event->id = value;
      break;
    case kSource:
      event->source = value;
      break;
    case kType:
      event->type = value;
      break;
    case kKey:
      event->key = value;
      break;
    default:
      break;
  }
}

void KeepLongest(uint32_t number, uint32_t size, ScannedEvent* event) {
  if (size <= event->longest_text) return;
  event->longest_text = size;
  event->longest_field = number;
}

WireFault ScanNumber(WireReader& reader, uint32_t tag, ScannedEvent* event) {
  if (WireTypeOf(tag) != kWireVarint) return WrongWireType(tag);
  uint64_t value = 0;
  const WireFault fault = reader.ReadVarint(&value);
  if (FieldOf(tag) == kTimeUs) event->time_us = static_cast<int64_t>(value);
  return fault;
}

WireFault ScanBytes(WireReader& reader, uint32_t tag, FieldKind kind, ScannedEvent* event) {
  if (WireTypeOf(tag) != kWireBytes) return WrongWireType(tag);
  absl::string_view value;
  const WireFault fault = reader.ReadBytes(&value);
  if (fault != WireFault::kNone) return fault;
  switch (kind) {
    case FieldKind::kString:
      if (!IsUtf8(value)) return WireFault::kBadUtf8;
      KeepLongest(FieldOf(tag), static_cast<uint32_t>(value.size()), event);
      break;
    case FieldKind::kAffected:
      ++event->affected;
      return ScanPair(value, [=](uint32_t size) { KeepLongest(FieldOf(tag), size, event); });
    case FieldKind::kAttribute:
      ++event->attributes;
      return ScanPair(value, [event](uint32_t size) { event->attribute_bytes += size; });
    default:
      break;
  }
  Keep(FieldOf(tag), value, event);
  return WireFault::kNone;
}

}  // namespace

WireFault ScanEvent(absl::string_view bytes, ScannedEvent* event) {
  *event = ScannedEvent();
  WireReader reader(bytes);
  uint32_t seen = 0;
  while (!reader.AtEnd()) {
    uint32_t tag = 0;
    WireFault fault = reader.ReadTag(&tag);
    if (fault != WireFault::kNone) return fault;
    const uint32_t number = FieldOf(tag);
    const FieldKind kind = number <= kLastField ? kKinds[number] : FieldKind::kUnknown;
    if (kind == FieldKind::kUnknown) {
      fault = reader.SkipValue(tag);
    } else {
      if (kind < FieldKind::kAffected) {
        if ((seen & 1u << number) != 0) return WireFault::kRepeatedField;
        seen |= 1u << number;
      }
      fault = kind == FieldKind::kNumber ? ScanNumber(reader, tag, event)
                                         : ScanBytes(reader, tag, kind, event);
    }
    if (fault != WireFault::kNone) return fault;
  }
  return WireFault::kNone;
}

}  // namespace acta
