#include "proto/support/publish_frame.h"

#include <string>

#include "acta/v1/publisher.pb.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/proto_support/hex_bytes.h"

namespace acta {
namespace {

absl::Status ParseHex(absl::string_view hex, PublishFrameView* frame) {
  static std::string bytes;  // Views last until the next call.
  bytes = HexBytes(hex);
  return ParsePublishFrame(bytes, 1000, frame);
}
v1::ErrorReason ReasonOfHex(absl::string_view hex) {
  PublishFrameView frame;
  return ReasonOf(ParseHex(hex, &frame));
}

TEST_CASE("a frame with every field is parsed in place") {
  v1::PublishFrame proto;
  proto.set_frame_id(UINT64_MAX);
  proto.set_level(v1::ACK_LEVEL_OS);
  proto.set_atomic(true);
  proto.set_tenant("default");
  proto.mutable_open()->set_topic("orders");
  proto.mutable_open()->set_level(v1::ACK_LEVEL_FSYNC);
  proto.mutable_open()->add_wanted_features("a");
  proto.mutable_open()->add_wanted_features("b");
  proto.mutable_open()->set_app("shop");
  proto.mutable_open()->set_app_version("1.2");
  proto.mutable_open()->set_instance("i-1");
  proto.mutable_open()->set_tenant("default");
  v1::PartitionBatch* batch = proto.add_batches();
  batch->set_topic("payments");
  batch->set_partition(-3);
  batch->set_producer_id(UINT64_MAX);
  batch->set_producer_epoch(UINT32_MAX);
  batch->set_first_sequence(7);
  batch->mutable_expect()->set_end_offset(-1);
  batch->set_payload_crc32c(0xdeadbeef);
  batch->add_events()->set_id("e1");
  batch->add_events()->set_id("e2");
  proto.add_batches()->mutable_expect();
  const std::string bytes = proto.SerializeAsString();

  PublishFrameView frame;
  REQUIRE_OK(ParsePublishFrame(bytes, 1000, &frame));
  CHECK(frame.frame_id == UINT64_MAX);
  CHECK(frame.level == v1::ACK_LEVEL_OS);
  CHECK(frame.atomic);
  CHECK(frame.tenant == "default");
  REQUIRE(frame.open.has_value());
  CHECK(frame.open->topic == "orders");
  CHECK(frame.open->level == v1::ACK_LEVEL_FSYNC);
  CHECK(frame.open->app == "shop");
  CHECK(frame.open->app_version == "1.2");
  CHECK(frame.open->instance == "i-1");
  CHECK(frame.open->tenant == "default");
  REQUIRE(frame.batch_count == 2);
  REQUIRE(frame.batches.size() == 2);
  const PartitionBatchView& first = frame.batches[0];
  CHECK(first.topic == "payments");
  CHECK(first.partition == -3);
  CHECK(first.producer_id == UINT64_MAX);
  CHECK(first.producer_epoch == UINT32_MAX);
  CHECK(first.first_sequence == 7);
  CHECK(first.expects);
  CHECK(first.expected_end == -1);
  CHECK(first.payload_crc32c == 0xdeadbeef);
  CHECK(first.unsupported_field == 0);
  CHECK(first.count == 2);
  CHECK(first.events == HexBytes("7a 04 0a 02 65 31 7a 04 0a 02 65 32"));
  CHECK(first.gathered == nullptr);
  CHECK(frame.batches[1].expects);
  CHECK_FALSE(frame.batches[1].expected_end.has_value());
  CHECK_FALSE(frame.batches[1].partition.has_value());
}

TEST_CASE("a frame view can be used again") {
  PublishFrameView frame;
  REQUIRE_OK(ParseHex("08 05 18 01 22 02 7a 00 2a 00 32 01 74", &frame));
  REQUIRE_OK(ParseHex("", &frame));
  CHECK(frame.frame_id == 0);
  CHECK_FALSE(frame.atomic);
  CHECK(frame.batches.empty());
  CHECK(frame.batch_count == 0);
  CHECK_FALSE(frame.open.has_value());
  CHECK(frame.tenant.empty());
}

TEST_CASE("events with other fields between them are gathered in order") {
  PublishFrameView frame;
  REQUIRE_OK(ParseHex("22 0e 7a 01 41 0a 02 74 75 7a 01 42 18 01 7a 00", &frame));
  REQUIRE(frame.batches.size() == 1);
  CHECK(frame.batches[0].count == 3);
  CHECK(frame.batches[0].topic == "tu");
  CHECK(frame.batches[0].partition == 1);
  REQUIRE(frame.batches[0].gathered != nullptr);
  CHECK(frame.batches[0].events == HexBytes("7a 01 41 7a 01 42 7a 00"));
  CHECK(frame.batches[0].events.data() == frame.batches[0].gathered->data());
}

TEST_CASE("fields before and after the events leave them a view") {
  PublishFrameView frame;
  REQUIRE_OK(ParseHex("22 07 18 01 7a 01 41 20 05", &frame));
  CHECK(frame.batches[0].gathered == nullptr);
  CHECK(frame.batches[0].events == HexBytes("7a 01 41"));
  CHECK(frame.batches[0].producer_id == 5);
}

TEST_CASE("batches above the maximum are counted only") {
  const std::string bytes = HexBytes("22 00 22 00 22 01 ff 22 00");
  PublishFrameView frame;
  REQUIRE_OK(ParsePublishFrame(bytes, 2, &frame));
  CHECK(frame.batch_count == 4);
  CHECK(frame.batches.size() == 2);
  CHECK(ReasonOf(ParsePublishFrame(bytes, 3, &frame)) == v1::MALFORMED_MESSAGE);
}

TEST_CASE("reserved fields of a batch are told") {
  PublishFrameView frame;
  REQUIRE_OK(ParseHex("22 02 10 01", &frame));
  CHECK(frame.batches[0].unsupported_field == 2);
}

TEST_CASE("a batch says what caused it by token and offset") {
  PublishFrameView frame;
  REQUIRE_OK(ParseHex("22 08 3a 06 0a 02 61 62 10 07", &frame));
  CHECK(frame.batches[0].caused_by == CausedByView{"ab", 7});
  REQUIRE_OK(ParseHex("22 02 3a 00", &frame));
  CHECK(frame.batches[0].caused_by == CausedByView{});
  REQUIRE_OK(ParseHex("22 00", &frame));
  CHECK_FALSE(frame.batches[0].caused_by.has_value());
  CHECK(ReasonOf(ParseHex("22 03 3a 01 61", &frame)) == v1::MALFORMED_MESSAGE);
  CHECK(ReasonOf(ParseHex("22 02 38 01", &frame)) == v1::MALFORMED_MESSAGE);
}

TEST_CASE("the time to deliver at is a number with a sign") {
  PublishFrameView frame;
  REQUIRE_OK(ParseHex("22 02 50 01", &frame));
  CHECK(frame.batches[0].deliver_at_us == 1);
  REQUIRE_OK(ParseHex("22 0b 50 ff ff ff ff ff ff ff ff ff 01", &frame));
  CHECK(frame.batches[0].deliver_at_us == -1);
  REQUIRE_OK(ParseHex("22 00", &frame));
  CHECK(frame.batches[0].deliver_at_us == 0);
}

TEST_CASE("unknown fields are ignored when they are well formed") {
  PublishFrameView frame;
  CHECK_OK(ParseHex("98 06 05 22 05 9a 06 02 ff fe 2a 03 9a 06 00", &frame));
  CHECK(frame.batches.size() == 1);
  CHECK(ReasonOfHex("9a 06 05 61") == v1::MALFORMED_MESSAGE);
  CHECK(ReasonOfHex("22 03 9a 06 05") == v1::MALFORMED_MESSAGE);
  CHECK(ReasonOfHex("2a 03 9a 06 05") == v1::MALFORMED_MESSAGE);
}

TEST_CASE("malformed frames are refused") {
  for (const char* hex : {
           "00",                 // Field number 0.
           "0a 01 61",           // frame_id as bytes.
           "08 01 08 01",        // frame_id twice.
           "0b 0c",              // A group.
           "22 05 7a",           // Truncated batch.
           "22 02 7a 05",        // Truncated event.
           "22 02 78 05",        // events as a varint.
           "22 04 fa 00 01 61",  // events under a longer tag.
           "22 02 4a 00",        // payload_crc32c as bytes.
           "22 04 42 02 0a 00",  // expect.end_offset as bytes.
           "22 04 42 00 42 00",  // expect twice.
           "22 03 0a 01 80",     // A topic that is not UTF-8.
           "2a 03 0a 01 80",     // open.topic not UTF-8.
           "2a 03 1a 01 80",     // A wanted feature not UTF-8.
           "32 01 80",           // The tenant not UTF-8.
           "2a 00 2a 00",        // open twice.
       }) {
    INFO(hex);
    CHECK(ReasonOfHex(hex) == v1::MALFORMED_MESSAGE);
  }
}

TEST_CASE("numbers are cut to their declared width as the parser does") {
  v1::PublishFrame proto;
  const std::string bytes = HexBytes("10 82 80 80 80 10 22 06 28 81 80 80 80 10");
  REQUIRE(proto.ParseFromString(bytes));
  PublishFrameView frame;
  REQUIRE_OK(ParsePublishFrame(bytes, 1000, &frame));
  CHECK(frame.level == static_cast<int32_t>(proto.level()));
  CHECK(frame.batches[0].producer_epoch == proto.batches(0).producer_epoch());
}

}  // namespace
}  // namespace acta
