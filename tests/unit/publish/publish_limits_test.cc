#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/partitioner.h"
#include "storage/base/crc32c.h"
#include "tests/unit/publish/publish_fixture.h"

namespace acta {
namespace {

constexpr v1::ErrorReason kFine = v1::ERROR_REASON_UNSPECIFIED;

// An event of exactly `bytes` encoded bytes.
void SizeEvent(v1::Event* event, size_t bytes) {
  event->set_data(std::string(bytes, 'x'));
  const size_t above = event->ByteSizeLong() - bytes;
  event->set_data(std::string(bytes - above, 'x'));
  REQUIRE(event->ByteSizeLong() == bytes);
}

void CheckLimit(const v1::Status& error, const std::string& limit, const std::string& limit_value,
                const std::string& value) {
  CHECK(error.details().at("limit") == limit);
  CHECK(error.details().at("limit_value") == limit_value);
  CHECK(error.details().at("value") == value);
  CHECK(error.message().find(limit) != std::string::npos);
}

TEST_CASE("an event may be as large as its topic allows") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("fast", 0);
  SizeEvent(AddEvent(&frame), 100);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  SizeEvent(frame.mutable_batches(0)->mutable_events(0), 101);
  const v1::FrameResult result = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(result) == v1::EVENT_TOO_LARGE);
  CheckLimit(result.batches(0).error(), "max_event_bytes", "100", "101");
  CHECK(result.batches(0).error().details().at("event_index") == "0");
}

TEST_CASE("a key may have 1 KiB") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders");
  AddEvent(&frame, std::string(1024, 'k'));
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  AddEvent(&frame, std::string(1025, 'k'));
  const v1::FrameResult result = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(result) == v1::KEY_TOO_LARGE);
  CheckLimit(result.batches(0).error(), "limits.key", "1024", "1025");
  CHECK(result.batches(0).error().details().at("event_index") == "1");
}

TEST_CASE("each text of an event may have 4 KiB") {
  PublishFixture f;
  const std::string fits(4096, 't');
  const std::string longer(4097, 't');
  v1::PublishFrame frame = OneBatch("orders", 0);
  v1::Event full;
  int texts = 0;
  for (int i = 0; i < v1::Event::descriptor()->field_count(); ++i) {
    const auto* const field = v1::Event::descriptor()->field(i);
    if (field->type() != google::protobuf::FieldDescriptor::TYPE_STRING) continue;
    ++texts;
    full.GetReflection()->SetString(&full, field, fits);
    frame.mutable_batches(0)->clear_events();
    v1::Event* const event = AddEvent(&frame);
    event->GetReflection()->SetString(event, field, longer);
    const v1::FrameResult result = f.Publish(frame);
    INFO(field->name());
    REQUIRE(PublishFixture::BatchReason(result) == v1::EVENT_TOO_LARGE);
    CheckLimit(result.batches(0).error(), "max_event_text_bytes", "4096", "4097");
    CHECK(result.batches(0).error().details().at("field") == field->name());
    CHECK(result.batches(0).error().details().at("event_index") == "0");
  }
  CHECK(texts == 10);
  frame.mutable_batches(0)->clear_events();
  *AddEvent(&frame) = full;
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
}

TEST_CASE("kind and id of each who is affected may have 4 KiB") {
  PublishFixture f;
  const std::string fits(4096, 't');
  v1::PublishFrame frame = OneBatch("orders", 0);
  v1::Event* const event = AddEvent(&frame);
  event->set_source("/shop");
  for (int i = 0; i < 2; ++i) {
    v1::Affected* const affected = event->add_affected();
    affected->set_kind(fits);
    affected->set_id(fits);
  }
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  const auto refused = [&] {
    const v1::FrameResult result = f.Publish(frame);
    REQUIRE(PublishFixture::BatchReason(result) == v1::EVENT_TOO_LARGE);
    CheckLimit(result.batches(0).error(), "max_event_text_bytes", "4096", "4097");
    CHECK(result.batches(0).error().details().at("field") == "affected");
    CHECK(result.batches(0).error().details().at("event_index") == "0");
  };
  event->mutable_affected(1)->mutable_kind()->push_back('t');
  refused();
  event->mutable_affected(1)->set_kind(fits);
  event->mutable_affected(0)->mutable_id()->push_back('t');
  refused();
}

TEST_CASE("an event may have 64 entries of affected") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  v1::Event* const event = AddEvent(&frame);
  for (int i = 0; i < 64; ++i) event->add_affected();
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  event->add_affected();
  const v1::FrameResult result = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(result) == v1::EVENT_TOO_LARGE);
  CheckLimit(result.batches(0).error(), "limits.affected_per_event", "64", "65");
  CHECK(result.batches(0).error().details().at("event_index") == "0");
}

TEST_CASE("an event may have 64 attributes") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  v1::Event* event = AddEvent(&frame);
  for (int i = 0; i < 64; ++i) (*event->mutable_attributes())[absl::StrCat(i)] = "v";
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  (*event->mutable_attributes())["64"] = "v";
  const v1::FrameResult result = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(result) == v1::ATTRIBUTES_TOO_LARGE);
  CheckLimit(result.batches(0).error(), "limits.attributes_per_event", "64", "65");
}

TEST_CASE("attributes may have 8 KiB") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  v1::Event* event = AddEvent(&frame);
  (*event->mutable_attributes())["a"] = std::string(8191, 'v');
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  (*event->mutable_attributes())["a"] = std::string(8192, 'v');
  const v1::FrameResult result = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(result) == v1::ATTRIBUTES_TOO_LARGE);
  CheckLimit(result.batches(0).error(), "limits.attributes", "8192", "8193");
}

TEST_CASE("a batch may have 65,536 events") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  for (int i = 0; i < 65536; ++i) AddEvent(&frame);
  const v1::FrameResult fine = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(fine) == kFine);
  CHECK(fine.batches(0).parts(0).count() == 65536);
  AddEvent(&frame);
  const v1::FrameResult result = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(result) == v1::BATCH_TOO_LARGE);
  CheckLimit(result.batches(0).error(), "limits.events_per_batch", "65536", "65537");
}

TEST_CASE("a frame may have 1,000 batches") {
  PublishFixture f;
  v1::PublishFrame frame;
  for (int i = 0; i < 1000; ++i) {
    frame.add_batches()->set_topic("orders");
    AddEvent(&frame);
  }
  const v1::FrameResult fine = f.Publish(frame);
  CHECK_FALSE(fine.has_error());
  CHECK(fine.batches_size() == 1000);
  frame.add_batches();
  const v1::FrameResult result = f.Publish(frame);
  CHECK(result.error().reason() == v1::FRAME_TOO_LARGE);
  CHECK(result.batches_size() == 0);
  CheckLimit(result.error(), "limits.batches_per_frame", "1000", "1001");
}

TEST_CASE("a frame may have 131,072 events") {
  PublishFixture f;
  v1::PublishFrame frame;
  for (int batch = 0; batch < 2; ++batch) {
    frame.add_batches()->set_topic("orders");
    for (int i = 0; i < 65536; ++i) AddEvent(&frame);
  }
  CHECK_FALSE(f.Publish(frame).has_error());
  frame.add_batches()->set_topic("orders");
  AddEvent(&frame);
  const v1::FrameResult result = f.Publish(frame);
  CHECK(result.error().reason() == v1::FRAME_TOO_LARGE);
  CHECK(result.batches_size() == 0);
  CheckLimit(result.error(), "limits.events_per_frame", "131072", "131073");
}

TEST_CASE("a frame may have as many bytes as configured") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame)->set_data("x");
  f.limits.max_frame_bytes = static_cast<int32_t>(frame.ByteSizeLong());
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  f.limits.max_frame_bytes -= 1;
  const v1::FrameResult result = f.Publish(frame);
  CHECK(result.error().reason() == v1::FRAME_TOO_LARGE);
  CHECK(result.error().details().at("limit") == "limits.max_frame");
}

TEST_CASE("an atomic frame may have 1,000 events") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  frame.set_atomic(true);
  for (int i = 0; i < 600; ++i) AddEvent(&frame);
  frame.add_batches()->set_topic("fast");
  for (int i = 0; i < 400; ++i) AddEvent(&frame);
  CHECK_FALSE(f.Publish(frame).has_error());
  AddEvent(&frame);
  const v1::FrameResult result = f.Publish(frame);
  CHECK(result.error().reason() == v1::ATOMIC_TOO_LARGE);
  CheckLimit(result.error(), "limits.events_per_atomic", "1000", "1001");
}

TEST_CASE("an atomic frame may have as many bytes of events as configured") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  frame.set_atomic(true);
  SizeEvent(AddEvent(&frame), 100);
  f.limits.max_atomic_bytes = 102;
  CHECK_FALSE(f.Publish(frame).has_error());
  SizeEvent(frame.mutable_batches(0)->mutable_events(0), 101);
  const v1::FrameResult result = f.Publish(frame);
  CHECK(result.error().reason() == v1::ATOMIC_TOO_LARGE);
  CheckLimit(result.error(), "limits.atomic", "102", "103");
}

TEST_CASE("frames without batches and batches without events are refused") {
  PublishFixture f;
  CHECK(f.Publish(v1::PublishFrame()).error().reason() == v1::EMPTY_PUBLISH);
  CHECK(PublishFixture::BatchReason(f.Publish(OneBatch("orders"))) == v1::EMPTY_PUBLISH);
}

TEST_CASE("a partition is between 0 and the number of partitions") {
  PublishFixture f;
  for (const auto& [partition, reason] : {std::pair<int32_t, v1::ErrorReason>{0, kFine},
                                          {3, kFine},
                                          {4, v1::PARTITION_NOT_FOUND},
                                          {-1, v1::PARTITION_NOT_FOUND},
                                          {INT32_MAX, v1::PARTITION_NOT_FOUND},
                                          {INT32_MIN, v1::PARTITION_NOT_FOUND}}) {
    v1::PublishFrame frame = OneBatch("orders", partition);
    AddEvent(&frame);
    CHECK(PublishFixture::BatchReason(f.Publish(frame)) == reason);
  }
}

TEST_CASE("a producer sequence and a condition need a partition") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders");
  AddEvent(&frame);
  frame.mutable_batches(0)->set_producer_id(1);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::PARTITION_REQUIRED);
  frame.mutable_batches(0)->set_partition(0);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  frame = OneBatch("orders");
  AddEvent(&frame);
  frame.mutable_batches(0)->mutable_expect()->set_end_offset(0);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::PARTITION_REQUIRED);
  frame.mutable_batches(0)->set_partition(0);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
}

TEST_CASE("an expected end offset is not negative") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame);
  frame.mutable_batches(0)->mutable_expect()->set_end_offset(-1);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::OFFSET_OUT_OF_RANGE);
}

TEST_CASE("a checksum that was sent must be that of the events") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame)->set_data("x");
  const uint32_t crc = Crc32c(absl::string_view("\x7a\x03\x32\x01x", 5));
  frame.mutable_batches(0)->set_payload_crc32c(crc);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  CHECK(f.sent.back().appends[0].payload_crc32c == crc);
  frame.mutable_batches(0)->set_payload_crc32c(crc + 1);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::CHECKSUM_MISMATCH);
}

TEST_CASE("fields of later versions are refused for their batch") {
  PublishFixture f;
  // 2 in a batch for orders with one event.
  const std::string batch("\x0a\x06orders\x12\x01x\x7a\x00", 13);
  auto session = f.MakeSession(false);
  REQUIRE_OK(f.SendBytes(*session, std::string("\x22\x0d", 2) + batch));
  REQUIRE(f.answers.size() == 1);
  CHECK(PublishFixture::BatchReason(f.answers[0]) == v1::UNSUPPORTED_FEATURE);
  CHECK(f.answers[0].batches(0).error().details().at("field_number") == "2");
}

TEST_CASE("what caused a batch is kept beside it, and asked for once in a frame") {
  PublishFixture f;
  v1::PublishFrame frame;
  for (const char* const token : {"of a", "of b", "of a", "", "of b", "bad"}) {
    frame.add_batches()->set_topic("orders");
    AddEvent(&frame);
    if (*token != 0)
      frame.mutable_batches(frame.batches_size() - 1)
          ->mutable_caused_by()
          ->set_delivery_token(token);
  }
  const v1::FrameResult result = f.Publish(frame);
  std::vector<std::string> causes;
  for (const Append& append : f.sent.back().appends) {
    v1::BatchContext context;
    REQUIRE(context.ParseFromString(std::string(append.context.view())));
    CHECK(context.principal() == "alice");
    CHECK(context.correlation_id() == (context.causation_id().empty() ? "" : "j"));
    causes.push_back(context.causation_id());
  }
  CHECK(causes == std::vector<std::string>{"a", "b", "a", "", "b"});
  CHECK(result.batches(5).error().reason() == v1::INVALID_DELIVERY_TOKEN);
  CHECK(f.causes.asked == 3);
}

TEST_CASE("what is stored beside the batches of a frame has a limit, however often it is") {
  PublishFixture f;
  std::vector<std::string> keys;  // One of each partition.
  for (int i = 0; keys.size() < 4; ++i) {
    const std::string key = absl::StrCat("key-", i);
    if (PartitionOfKey(key, 4) == static_cast<int32_t>(keys.size())) keys.push_back(key);
  }
  // As of a stored event whose id is so long.
  const std::string token = "of " + std::string(20'000, 'i');
  const auto publish = [&](int batches) {
    v1::PublishFrame frame;
    for (int i = 0; i < batches; ++i) {
      v1::PartitionBatch* const batch = frame.add_batches();
      batch->set_topic("orders");
      batch->mutable_caused_by()->set_delivery_token(token);
      for (const std::string& key : keys) AddEvent(&frame, key);
    }
    return f.Publish(frame);
  };
  CHECK_FALSE(publish(200).has_error());
  REQUIRE(f.sent.size() == 1);
  CHECK(f.sent[0].appends.size() == 800);
  const v1::FrameResult result = publish(250);
  CHECK(result.error().reason() == v1::FRAME_TOO_LARGE);
  CHECK(result.error().details().at("limit") == "max_frame_context_bytes");
  CHECK(result.batches_size() == 0);
  CHECK(f.sent.size() == 1);
}

TEST_CASE("a frame that says what caused it may wait for the disk, others do not") {
  PublishFixture f;
  auto session = f.MakeSession(false);
  v1::PublishFrame frame = OneBatch("orders");
  AddEvent(&frame);
  REQUIRE_OK(session->Begin(SharedBytes(frame.SerializeAsString())));
  CHECK_FALSE(session->MayBlock());
  frame.mutable_batches(0)->mutable_caused_by();
  REQUIRE_OK(session->Begin(SharedBytes(frame.SerializeAsString())));
  CHECK(session->MayBlock());
}

TEST_CASE("an unknown level is refused") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame);
  for (const int level : {3, -1, 99}) {
    frame.set_level(static_cast<v1::AckLevel>(level));
    CHECK(f.Publish(frame).error().reason() == v1::UNKNOWN_ENUM_VALUE);
  }
}

TEST_CASE("unknown topics, names too long and no name at all are refused") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("missing");
  AddEvent(&frame);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::TOPIC_NOT_FOUND);
  frame.mutable_batches(0)->set_topic(std::string(250, 'x'));
  const v1::FrameResult longer = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(longer) == v1::INVALID_NAME);
  CheckLimit(longer.batches(0).error(), "max_name_bytes", "249", "250");
  frame.mutable_batches(0)->set_topic(std::string(249, 'x'));
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::TOPIC_NOT_FOUND);
  frame.mutable_batches(0)->clear_topic();
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::INVALID_NAME);
}

TEST_CASE("an unauthorised topic is refused before it is looked up") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("secret.missing");
  AddEvent(&frame);
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::PERMISSION_DENIED);
  CHECK(f.authorizer.asked == std::vector<std::string>{"secret.missing"});
}

TEST_CASE("another tenant is not found") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame);
  frame.set_tenant("default");
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == kFine);
  frame.set_tenant("other");
  CHECK(f.Publish(frame).error().reason() == v1::TENANT_NOT_FOUND);
}

}  // namespace
}  // namespace acta
