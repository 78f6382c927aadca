#include "proto/support/event_scanner.h"

#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "acta/v1/event.pb.h"
#include "google/protobuf/stubs/logging.h"
#include "tests/unit/proto_support/hex_bytes.h"

namespace acta {
namespace {

WireFault Scan(absl::string_view bytes) {
  ScannedEvent event;
  return ScanEvent(bytes, &event);
}
WireFault ScanHex(absl::string_view hex) { return Scan(HexBytes(hex)); }

bool ParserTakes(absl::string_view hex) {
  google::protobuf::SetLogHandler(nullptr);
  return v1::Event().ParseFromString(HexBytes(hex));
}

TEST_CASE("an event with every field is accepted and its views are its bytes") {
  v1::Event event;
  event.set_id("e-1");
  event.set_source("/shop");
  event.set_type("OrderPlaced");
  event.set_subject("order/7");
  event.set_key(std::string("\x00\xff", 2));
  event.set_data(std::string("\xfe\x00", 2));
  event.set_time_us(-5);
  event.set_correlation_id("c");
  event.set_causation_id("d");
  event.set_schema("s");
  event.set_content_type("application/json");
  v1::Affected* affected = event.add_affected();
  affected->set_kind("user");
  affected->set_id("u1");
  event.add_affected()->set_kind("account");
  (*event.mutable_attributes())["region"] = "eu";
  (*event.mutable_attributes())["é"] = "";
  event.set_traceparent("00-1");
  event.set_process("fulfilment");
  event.set_expires_at_us(INT64_MAX);
  const std::string bytes = event.SerializeAsString();

  ScannedEvent scanned;
  REQUIRE(ScanEvent(bytes, &scanned) == WireFault::kNone);
  CHECK(scanned.id == "e-1");
  CHECK(scanned.source == "/shop");
  CHECK(scanned.type == "OrderPlaced");
  CHECK(scanned.key == absl::string_view("\x00\xff", 2));
  CHECK(scanned.time_us == -5);
  CHECK(scanned.attributes == 2);
  CHECK(scanned.attribute_bytes == 10);
  CHECK(scanned.affected == 2);
  CHECK(scanned.longest_text == 16);
  CHECK(scanned.longest_field == v1::Event::kContentTypeFieldNumber);
  CHECK(scanned.id.data() > bytes.data());
  CHECK(scanned.id.data() < bytes.data() + bytes.size());
}

TEST_CASE("the longest text is one of the event or of whom it affects, and none of attributes") {
  v1::Event event;
  event.set_type("1234");
  event.set_key("a key is no text");
  (*event.mutable_attributes())["a long attribute"] = "of a long value";
  const auto longest = [&] {
    ScannedEvent scanned;
    CHECK(ScanEvent(event.SerializeAsString(), &scanned) == WireFault::kNone);
    return std::pair<uint32_t, uint32_t>(scanned.longest_text, scanned.longest_field);
  };
  CHECK(longest() == std::pair(4u, 3u));
  event.add_affected()->set_kind("12345");
  CHECK(longest() == std::pair(5u, 12u));
  event.add_affected()->set_id("123456");
  CHECK(longest() == std::pair(6u, 12u));
  event.set_process("1234567");
  CHECK(longest() == std::pair(7u, 15u));
}

TEST_CASE("an empty event is an event") {
  ScannedEvent scanned;
  scanned.id = "left from before";
  CHECK(ScanEvent("", &scanned) == WireFault::kNone);
  CHECK(scanned.id.empty());
}

TEST_CASE("fields may come in any order") {
  CHECK(ScanHex("80 01 05  2a 01 6b  0a 01 61") == WireFault::kNone);
}

TEST_CASE("unknown fields of every wire type are kept, the reserved numbers too") {
  CHECK(ScanHex("88 01 05") == WireFault::kNone);
  CHECK(ScanHex("fa 01 02 ff fe") == WireFault::kNone);
  CHECK(ScanHex("99 06 01 02 03 04 05 06 07 08 9d 06 01 02 03 04") == WireFault::kNone);
  CHECK(ScanHex("88 01 05 88 01 05") == WireFault::kNone);
  CHECK(ScanHex("62 03 18 01 18") == WireFault::kTruncated);
  CHECK(ScanHex("62 04 18 01 18 02") == WireFault::kNone);
  CHECK(ScanHex("6a 04 18 01 18 02") == WireFault::kNone);
}

TEST_CASE("a known singular field twice is refused, where the parser takes the last") {
  for (const char* hex : {"0a 01 61 0a 01 62", "12 00 12 00", "1a 00 1a 00", "22 00 22 00",
                          "2a 00 2a 00", "32 00 32 00", "38 01 38 01", "42 00 42 00", "4a 00 4a 00",
                          "52 00 52 00", "5a 00 5a 00", "72 00 72 00", "7a 00 7a 00",
                          "80 01 01 80 01 01", "62 04 0a 00 0a 00", "6a 04 12 00 12 00"}) {
    INFO(hex);
    CHECK(ScanHex(hex) == WireFault::kRepeatedField);
    CHECK(ParserTakes(hex));
  }
}

TEST_CASE("repeated fields may repeat, equal attribute keys count each time") {
  CHECK(ScanHex("62 00 62 00") == WireFault::kNone);
  ScannedEvent event;
  const std::string twice = HexBytes("6a 05 0a 01 61 12 00 6a 06 0a 01 61 12 01 62");
  CHECK(ScanEvent(twice, &event) == WireFault::kNone);
  CHECK(event.attributes == 2);
  CHECK(event.attribute_bytes == 3);
}

TEST_CASE("a known field of another wire type is refused, where the parser keeps it as unknown") {
  for (const char* hex : {"08 01", "0d 01 02 03 04", "3a 01 61", "39 01 02 03 04 05 06 07 08",
                          "60 01", "68 01", "82 01 01 61", "62 02 08 01", "6a 02 10 01"}) {
    INFO(hex);
    CHECK(ScanHex(hex) == WireFault::kWrongWireType);
    CHECK(ParserTakes(hex));
  }
}

TEST_CASE("groups are refused, where the parser keeps them") {
  for (const char* hex : {"9b 06 9c 06", "0b 0c", "62 02 1b 1c", "62 02 0b 0c", "6a 02 1b 1c"}) {
    INFO(hex);
    CHECK(ScanHex(hex) == WireFault::kGroup);
    CHECK(ParserTakes(hex));
  }
  CHECK(ScanHex("9c 06") == WireFault::kGroup);
}

TEST_CASE("a tag that is not the shortest is refused, where the parser takes it") {
  CHECK(ScanHex("8a 00 01 61") == WireFault::kBadTag);
  CHECK(ParserTakes("8a 00 01 61"));
}

TEST_CASE("a varint of more than 64 bits is refused, where the parser drops bits") {
  CHECK(ScanHex("38 ff ff ff ff ff ff ff ff ff 02") == WireFault::kBadVarint);
  CHECK(ParserTakes("38 ff ff ff ff ff ff ff ff ff 02"));
  CHECK(ScanHex("38 ff ff ff ff ff ff ff ff ff 01") == WireFault::kNone);
}

TEST_CASE("what every parser refuses is refused") {
  CHECK(ScanHex("00 01") == WireFault::kBadTag);
  CHECK(ScanHex("02 01 61") == WireFault::kBadTag);
  CHECK(ScanHex("0a 02 61") == WireFault::kTruncated);
  CHECK(ScanHex("0a") == WireFault::kTruncated);
  CHECK(ScanHex("38") == WireFault::kTruncated);
  CHECK(ScanHex("38 80 80 80 80 80 80 80 80 80 80 00") == WireFault::kBadVarint);
  CHECK(ScanHex("0e") == WireFault::kBadWireType);
  CHECK(ScanHex("9f 06") == WireFault::kBadWireType);
  CHECK(ScanHex("62 03 0a 05 61") == WireFault::kTruncated);
}

TEST_CASE("every string field must be UTF-8, bytes fields need not") {
  for (const char* hex : {"0a 01 80", "12 01 ff", "1a 01 c0", "22 02 c3 28", "42 03 ed a0 80",
                          "4a 02 c0 80", "52 04 f4 90 80 80", "5a 01 e2", "72 01 80", "7a 01 80",
                          "62 03 0a 01 80", "62 03 12 01 80", "6a 03 0a 01 80", "6a 03 12 01 80"}) {
    INFO(hex);
    CHECK(ScanHex(hex) == WireFault::kBadUtf8);
    CHECK_FALSE(ParserTakes(hex));
  }
  CHECK(ScanHex("2a 01 80") == WireFault::kNone);
  CHECK(ScanHex("32 01 80") == WireFault::kNone);
}

TEST_CASE("every prefix of an event is accepted or refused as the parser does") {
  const std::string bytes = HexBytes("0a 02 c3 a9 38 ac 02 62 03 0a 01 61 6a 06 0a 01 61 12 01 62");
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const std::string prefix = bytes.substr(0, size);
    CHECK((Scan(prefix) == WireFault::kNone) == v1::Event().ParseFromString(prefix));
  }
}

}  // namespace
}  // namespace acta
