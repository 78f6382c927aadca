#include "proto/support/wire.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "acta/v1/event.pb.h"
#include "google/protobuf/stubs/logging.h"
#include "tests/unit/proto_support/hex_bytes.h"

namespace acta {
namespace {

WireFault Varint(absl::string_view hex, uint64_t* value) {
  const std::string bytes = HexBytes(hex);
  WireReader reader(bytes);
  const WireFault fault = reader.ReadVarint(value);
  if (fault == WireFault::kNone) CHECK(reader.AtEnd());
  return fault;
}

WireFault Tag(absl::string_view hex, uint32_t* tag) {
  const std::string bytes = HexBytes(hex);
  return WireReader(bytes).ReadTag(tag);
}

TEST_CASE("varints of one to ten bytes are read") {
  uint64_t value = 0;
  CHECK(Varint("00", &value) == WireFault::kNone);
  CHECK(value == 0);
  CHECK(Varint("7f", &value) == WireFault::kNone);
  CHECK(value == 127);
  CHECK(Varint("ac 02", &value) == WireFault::kNone);
  CHECK(value == 300);
  CHECK(Varint("80 00", &value) == WireFault::kNone);
  CHECK(value == 0);
  CHECK(Varint("ff ff ff ff ff ff ff ff ff 01", &value) == WireFault::kNone);
  CHECK(value == UINT64_MAX);
}

TEST_CASE("varints that end early, are too long or have more than 64 bits are refused") {
  uint64_t value = 0;
  CHECK(Varint("", &value) == WireFault::kTruncated);
  CHECK(Varint("80", &value) == WireFault::kTruncated);
  CHECK(Varint("ff ff ff ff ff ff ff ff ff 02", &value) == WireFault::kBadVarint);
  CHECK(Varint("80 80 80 80 80 80 80 80 80 80 00", &value) == WireFault::kBadVarint);
}

TEST_CASE("tags need a field number in range and the shortest form") {
  uint32_t tag = 0;
  CHECK(Tag("0a", &tag) == WireFault::kNone);
  CHECK(tag == WireTag(1, kWireBytes));
  CHECK(Tag("80 01", &tag) == WireFault::kNone);
  CHECK(tag == WireTag(16, kWireVarint));
  CHECK(Tag("f8 ff ff ff 0f", &tag) == WireFault::kNone);
  CHECK(FieldOf(tag) == (1u << 29) - 1);
  CHECK(Tag("00", &tag) == WireFault::kBadTag);
  CHECK(Tag("02", &tag) == WireFault::kBadTag);
  CHECK(Tag("fa 00", &tag) == WireFault::kBadTag);
  CHECK(Tag("f8 ff ff ff 1f", &tag) == WireFault::kBadTag);
  CHECK(Tag("80 80 80 80 80 01", &tag) == WireFault::kBadTag);
  CHECK(Tag("80", &tag) == WireFault::kTruncated);
}

TEST_CASE("lengths have at most five bytes and stay inside the message") {
  absl::string_view bytes;
  const std::string padded = HexBytes("81 80 80 80 00 61");
  CHECK(WireReader(padded).ReadBytes(&bytes) == WireFault::kNone);
  CHECK(bytes == "a");
  const std::string longer = HexBytes("81 80 80 80 80 00 61");
  CHECK(WireReader(longer).ReadBytes(&bytes) == WireFault::kBadVarint);
  const std::string beyond = HexBytes("02 61");
  CHECK(WireReader(beyond).ReadBytes(&bytes) == WireFault::kTruncated);
  const std::string huge = HexBytes("ff ff ff ff 0f 61");
  CHECK(WireReader(huge).ReadBytes(&bytes) == WireFault::kTruncated);
}

TEST_CASE("values of unknown fields are stepped over by wire type") {
  const auto skip = [](absl::string_view hex) {
    const std::string bytes = HexBytes(hex);
    WireReader reader(bytes);
    uint32_t tag = 0;
    REQUIRE(reader.ReadTag(&tag) == WireFault::kNone);
    const WireFault fault = reader.SkipValue(tag);
    if (fault == WireFault::kNone) CHECK(reader.AtEnd());
    return fault;
  };
  CHECK(skip("98 06 05") == WireFault::kNone);
  CHECK(skip("99 06 01 02 03 04 05 06 07 08") == WireFault::kNone);
  CHECK(skip("9a 06 01 61") == WireFault::kNone);
  CHECK(skip("9d 06 01 02 03 04") == WireFault::kNone);
  CHECK(skip("9b 06 9c 06") == WireFault::kGroup);
  CHECK(skip("9c 06") == WireFault::kGroup);
  CHECK(skip("9e 06") == WireFault::kBadWireType);
  CHECK(skip("9f 06") == WireFault::kBadWireType);
  CHECK(skip("99 06 01 02 03 04 05 06 07") == WireFault::kTruncated);
  CHECK(skip("9d 06 01 02 03") == WireFault::kTruncated);
}

// Goal: one verdict on text. Method: all sequences of two and three bytes, and those of four whose
// last is a continuation or not, beside the generated parser.
TEST_CASE("UTF-8 is what the generated parser takes for it") {
  google::protobuf::SetLogHandler(nullptr);
  const auto agrees = [](const std::string& text) {
    const std::string bytes = std::string("\x0a", 1) + static_cast<char>(text.size()) + text;
    v1::Event event;
    return event.ParseFromString(bytes) == IsUtf8(text);
  };
  std::vector<std::string> wrong;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      std::string two{static_cast<char>(a), static_cast<char>(b)};
      if (!agrees(two)) wrong.push_back(two);
      for (int c : {0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xe1, 0xff}) {
        const std::string three = two + static_cast<char>(c);
        if (!agrees(three)) wrong.push_back(three);
        for (int d : {0x41, 0x80, 0xbf, 0xc2}) {
          const std::string four = three + static_cast<char>(d);
          if (!agrees(four)) wrong.push_back(four);
        }
      }
    }
  }
  CHECK(wrong.empty());
}

TEST_CASE("a bad byte is found wherever it stands in a text") {
  for (size_t size = 1; size < 40; ++size) {
    const std::string good(size, 'x');
    CHECK(IsUtf8(good));
    for (size_t at = 0; at < size; ++at) {
      std::string bad = good;
      bad[at] = '\x80';
      CHECK_FALSE(IsUtf8(bad));
    }
    for (size_t at = 0; at + 3 < size; ++at) {
      std::string euro = good;
      euro.replace(at, 3, "\xe2\x82\xac");
      CHECK(IsUtf8(euro));
    }
  }
}

TEST_CASE("elements are walked, counted and cut by their lengths") {
  const std::string payload = HexBytes("7a 01 41  7a 00  7a 02 42 43");
  CHECK(EventElements::Count(payload) == 3);
  EventElements elements(payload);
  absl::string_view event;
  REQUIRE(elements.Next(&event));
  CHECK(event == "A");
  CHECK(elements.offset() == 3);
  REQUIRE(elements.Next(&event));
  CHECK(event.empty());
  REQUIRE(elements.Next(&event));
  CHECK(event == "BC");
  CHECK_FALSE(elements.Next(&event));
  CHECK(elements.ok());

  CHECK(EventElements::Cut(payload, 0, 3) == payload);
  CHECK(EventElements::Cut(payload, 0, 99) == payload);
  CHECK(EventElements::Cut(payload, 1, 2) == HexBytes("7a 00"));
  CHECK(EventElements::Cut(payload, 1, 3) == HexBytes("7a 00 7a 02 42 43"));
  CHECK(EventElements::Cut(payload, 2, 2).empty());
  CHECK(EventElements::Cut(payload, 3, 9).empty());
  CHECK(EventElements::Cut("", 0, 1).empty());
}

TEST_CASE("a payload that is not whole elements is told") {
  CHECK(EventElements::Count("") == 0);
  CHECK(EventElements::Count(HexBytes("7a 02 41")) == -1);
  CHECK(EventElements::Count(HexBytes("0a 01 41")) == -1);
  CHECK(EventElements::Count(HexBytes("fa 00 01 41")) == -1);
  const std::string payload = HexBytes("7a 01 41 7a");
  EventElements elements(payload);
  absl::string_view event;
  CHECK(elements.Next(&event));
  CHECK_FALSE(elements.Next(&event));
  CHECK_FALSE(elements.ok());
}

}  // namespace
}  // namespace acta
