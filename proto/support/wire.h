#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace acta {

// Reading encoded protobuf in place, without objects. Everything here takes bytes of strangers:
// whatever it accepts a generated parser accepts too, with equal values. It is stricter than the
// parser in the points that are marked "stricter"; event_scanner.h has the whole list.

// What is wrong with the bytes.
enum class WireFault : uint8_t {
  kNone,
  kTruncated,      // The message ends inside a field.
  kBadVarint,      // More than 10 bytes, or more than 64 bits (stricter).
  kBadTag,         // Field number 0 or above 2^29-1, or not in its shortest form (stricter).
  kBadWireType,    // 6 or 7.
  kGroup,          // Groups: deprecated, and of no use here (stricter).
  kWrongWireType,  // A known field of another wire type than declared (stricter).
  kRepeatedField,  // A known singular field for the second time (stricter).
  kBadUtf8,        // A string field that is not UTF-8.
};
// For people: "a string field is not UTF-8".
absl::string_view Describe(WireFault fault);

enum WireType : uint32_t {
  kWireVarint = 0,
  kWireFixed64 = 1,
  kWireBytes = 2,
  kWireGroupStart = 3,
  kWireGroupEnd = 4,
  kWireFixed32 = 5,
};
constexpr uint32_t WireTag(uint32_t number, WireType type) { return number << 3 | type; }
constexpr uint32_t FieldOf(uint32_t tag) { return tag >> 3; }
constexpr uint32_t WireTypeOf(uint32_t tag) { return tag & 7; }

// True when the bytes are UTF-8 as protobuf's parser checks it: no surrogates, nothing above
// U+10FFFF, no overlong forms.
bool IsUtf8(absl::string_view text);

// The encoded varint behind what is there.
void AppendVarint(uint64_t value, std::string* out);

// A cursor over the bytes of one message. After a fault the position means nothing.
class WireReader {
 public:
  explicit WireReader(absl::string_view bytes)
      : pos_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool AtEnd() const { return pos_ == end_; }
  const char* position() const { return pos_; }
  // The next byte without taking it; only when not AtEnd().
  uint8_t Peek() const { return static_cast<uint8_t>(*pos_); }

  WireFault ReadTag(uint32_t* tag) {
    if (pos_ == end_) return WireFault::kTruncated;
    const uint8_t first = Peek();
    if (first >= 0x80) return ReadLongTag(tag);
    if (first < 8) return WireFault::kBadTag;
    ++pos_;
    *tag = first;
    return WireFault::kNone;
  }

  WireFault ReadVarint(uint64_t* value) {
    if (pos_ == end_) return WireFault::kTruncated;
    const uint8_t first = Peek();
    if (first >= 0x80) return ReadLongVarint(value);
    ++pos_;
    *value = first;
    return WireFault::kNone;
  }

  // A length and that many bytes. A length has at most 5 bytes.
  WireFault ReadBytes(absl::string_view* bytes) {
    uint64_t size = 0;
    const char* const begin = pos_;
    const WireFault fault = ReadVarint(&size);
    if (fault != WireFault::kNone) return fault;
    if (pos_ - begin > 5) return WireFault::kBadVarint;
    if (size > static_cast<uint64_t>(end_ - pos_)) return WireFault::kTruncated;
    *bytes = absl::string_view(pos_, size);
    pos_ += size;
    return WireFault::kNone;
  }

  WireFault ReadFixed32(uint32_t* value);
  WireFault ReadFixed64(uint64_t* value);

  // Steps over the value of a field nobody knows.
  WireFault SkipValue(uint32_t tag);

 private:
  WireFault ReadLongTag(uint32_t* tag);
  WireFault ReadLongVarint(uint64_t* value);

  const char* pos_;
  const char* end_;
};

// The elements of field 15, `events`, one after the other: tag byte 0x7a, length, bytes. A payload
// as it is stored, and the part of a batch or delivery message that is moved and never rebuilt.
//
// The payload is borrowed. Elements are found by their lengths; the events are not looked into.
class EventElements {
 public:
  static constexpr uint8_t kTag = 0x7a;

  explicit EventElements(absl::string_view payload) : payload_(payload), reader_(payload) {}

  // The next event, without tag and length. False at the end and where the payload is not whole
  // elements; ok() tells which.
  bool Next(absl::string_view* event) {
    if (reader_.AtEnd()) return false;
    uint32_t tag = 0;
    if (reader_.ReadTag(&tag) != WireFault::kNone || tag != kTag ||
        reader_.ReadBytes(event) != WireFault::kNone) {
      reader_ = WireReader(absl::string_view());
      ok_ = false;
      return false;
    }
    return true;
  }
  bool ok() const { return ok_; }
  // Bytes before the next element: the element Next() returned ends here.
  size_t offset() const { return static_cast<size_t>(reader_.position() - payload_.data()); }

  // Number of elements; -1 when the payload is not whole elements.
  static int64_t Count(absl::string_view payload);
  // The bytes of elements `from` (inclusive) to `to` (exclusive); those beyond the end do not
  // count. Of a payload that is not whole elements: what lies before the fault.
  static absl::string_view Cut(absl::string_view payload, uint32_t from, uint32_t to);

 private:
  absl::string_view payload_;
  WireReader reader_;
  bool ok_ = true;
};

}  // namespace acta
