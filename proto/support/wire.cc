#include "proto/support/wire.h"

#include <cstring>

namespace acta {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

uint64_t LoadEight(const char* data) {
  uint64_t word;
  std::memcpy(&word, data, 8);
  return word;
}

// The length of the character at `text`, whose first byte is not ASCII; 0 when it is not one.
size_t CharacterSize(const unsigned char* text, size_t left) {
  const auto follows = [&](size_t at, unsigned char low, unsigned char high) {
    return at < left && text[at] >= low && text[at] <= high;
  };
  const unsigned char lead = text[0];
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return follows(1, 0x80, 0xbf) ? 2 : 0;
  if (lead < 0xf0) {
    const unsigned char low = lead == 0xe0 ? 0xa0 : 0x80;   // Below: overlong.
    const unsigned char high = lead == 0xed ? 0x9f : 0xbf;  // Above: surrogates.
    return follows(1, low, high) && follows(2, 0x80, 0xbf) ? 3 : 0;
  }
  const unsigned char low = lead == 0xf0 ? 0x90 : 0x80;   // Below: overlong.
  const unsigned char high = lead == 0xf4 ? 0x8f : 0xbf;  // Above: beyond U+10FFFF.
  return follows(1, low, high) && follows(2, 0x80, 0xbf) && follows(3, 0x80, 0xbf) ? 4 : 0;
}

bool IsUtf8BeyondAscii(const char* data, const char* end) {
  while (data < end) {
    if (static_cast<unsigned char>(*data) < 0x80) {
      const bool eight = end - data >= 8 && (LoadEight(data) & kHighBits) == 0;
      data += eight ? 8 : 1;
      continue;
    }
    const size_t size = CharacterSize(reinterpret_cast<const unsigned char*>(data),
                                      static_cast<size_t>(end - data));
    if (size == 0) return false;
    data += size;
  }
  return true;
}

}  // namespace

void AppendVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

absl::string_view Describe(WireFault fault) {
  switch (fault) {
    case WireFault::kNone:
      return "nothing is wrong";
    case WireFault::kTruncated:
      return "a field reaches beyond the end of its message";
    case WireFault::kBadVarint:
      return "a varint is longer than it may be";
    case WireFault::kBadTag:
      return "a tag has a field number out of range or is not in its shortest form";
    case WireFault::kBadWireType:
      return "a field has a wire type that does not exist";
    case WireFault::kGroup:
      return "a field is a group";
    case WireFault::kWrongWireType:
      return "a field has another wire type than declared";
    case WireFault::kRepeatedField:
      return "a singular field is there twice";
    case WireFault::kBadUtf8:
      return "a string field is not UTF-8";
  }
  return "unknown fault";
}

bool IsUtf8(absl::string_view text) {
  const char* data = text.data();
  const char* const end = data + text.size();
  if (text.size() < 8) return IsUtf8BeyondAscii(data, end);
  for (; end - data >= 8; data += 8) {
    if ((LoadEight(data) & kHighBits) != 0) return IsUtf8BeyondAscii(data, end);
  }
  // The last eight bytes overlap what was seen; a high bit among them is in the rest.
  if ((LoadEight(end - 8) & kHighBits) == 0) return true;
  return IsUtf8BeyondAscii(data, end);
}

WireFault WireReader::ReadLongTag(uint32_t* tag) {
  const char* const begin = pos_;
  uint64_t value = 0;
  const WireFault fault = ReadLongVarint(&value);
  if (fault == WireFault::kTruncated) return fault;
  const bool shortest = fault == WireFault::kNone && pos_[-1] != 0;
  if (!shortest || pos_ - begin > 5 || value > UINT32_MAX) return WireFault::kBadTag;
  *tag = static_cast<uint32_t>(value);
  return WireFault::kNone;
}

WireFault WireReader::ReadLongVarint(uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (pos_ == end_) return WireFault::kTruncated;
    const uint64_t byte = static_cast<uint8_t>(*pos_++);
    if (shift == 63 && byte > 1) return WireFault::kBadVarint;
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return WireFault::kNone;
    }
  }
  return WireFault::kBadVarint;
}

WireFault WireReader::ReadFixed32(uint32_t* value) {
  if (end_ - pos_ < 4) return WireFault::kTruncated;
  std::memcpy(value, pos_, 4);
  pos_ += 4;
  return WireFault::kNone;
}

WireFault WireReader::ReadFixed64(uint64_t* value) {
  if (end_ - pos_ < 8) return WireFault::kTruncated;
  std::memcpy(value, pos_, 8);
  pos_ += 8;
  return WireFault::kNone;
}

WireFault WireReader::SkipValue(uint32_t tag) {
  uint64_t number = 0;
  uint32_t word = 0;
  absl::string_view bytes;
  switch (WireTypeOf(tag)) {
    case kWireVarint:
      return ReadVarint(&number);
    case kWireFixed64:
      return ReadFixed64(&number);
    case kWireBytes:
      return ReadBytes(&bytes);
    case kWireGroupStart:
    case kWireGroupEnd:
      return WireFault::kGroup;
    case kWireFixed32:
      return ReadFixed32(&word);
    default:
      return WireFault::kBadWireType;
  }
}

int64_t EventElements::Count(absl::string_view payload) {
  EventElements elements(payload);
  absl::string_view event;
  int64_t count = 0;
  while (elements.Next(&event)) ++count;
  return elements.ok() ? count : -1;
}

absl::string_view EventElements::Cut(absl::string_view payload, uint32_t from, uint32_t to) {
  EventElements elements(payload);
  absl::string_view event;
  size_t begin = from == 0 ? 0 : payload.size();
  size_t end = 0;
  for (uint32_t index = 0; index < to && elements.Next(&event); ++index) {
    end = elements.offset();
    if (index + 1 == from) begin = end;
  }
  return begin < end ? payload.substr(begin, end - begin) : absl::string_view();
}

}  // namespace acta
