#include <string>

#include "proto/support/partitioner.h"
#include "storage/base/crc32c.h"
#include "tests/unit/publish/publish_fixture.h"

namespace acta {
namespace {

AppendResult Stored(int64_t base, uint32_t count) {
  AppendResult result;
  result.base_offset = Offset(base);
  result.count = count;
  result.append_time_us = 5;
  return result;
}
AppendResult Failed(v1::ErrorReason reason) {
  AppendResult result;
  result.status = Error(reason, "no");
  return result;
}

// Sends one frame as a unary call and answers it with `appends`.
v1::FrameResult Answered(PublishFixture& f, const v1::PublishFrame& frame, absl::Status status,
                         std::vector<AppendResult> appends) {
  auto session = f.MakeSession(false);
  REQUIRE_OK(f.Send(*session, frame));
  REQUIRE(f.engine.pending.size() == 1);
  TransactionResult result;
  result.status = std::move(status);
  result.level = Level::kFsync;
  result.incarnation = Incarnation(7);
  result.appends = std::move(appends);
  f.engine.pending[0].Answer(std::move(result));
  f.engine.pending.clear();
  REQUIRE(f.answers.size() == 1);
  return f.answers[0];
}

TEST_CASE("duplicates are told with their position, parts list what was stored now") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 2);
  for (const char* id : {"a", "b", "c", "d"}) AddEvent(&frame, "", id);
  AppendResult stored = Stored(50, 2);
  stored.duplicates = {{0, Offset(10), Incarnation(3)}, {2, Offset(12), Incarnation(4)}};
  const v1::FrameResult result = Answered(f, frame, absl::OkStatus(), {stored});
  const v1::BatchResult& batch = result.batches(0);
  CHECK_FALSE(batch.has_error());
  REQUIRE(batch.parts_size() == 1);
  CHECK(batch.parts(0).base_offset() == 50);
  CHECK(batch.parts(0).count() == 2);
  REQUIRE(batch.parts(0).event_indexes_size() == 2);
  CHECK(batch.parts(0).event_indexes(0) == 1);
  CHECK(batch.parts(0).event_indexes(1) == 3);
  REQUIRE(batch.duplicates_size() == 2);
  CHECK(batch.duplicates(0).event_index() == 0);
  CHECK(batch.duplicates(0).partition() == 2);
  CHECK(batch.duplicates(0).offset() == 10);
  CHECK(batch.duplicates(0).incarnation() == 3);
  CHECK(batch.duplicates(1).event_index() == 2);
  CHECK(batch.duplicates(1).incarnation() == 4);
}

TEST_CASE("a batch of duplicates only has no part") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame, "", "a");
  AppendResult stored = Stored(0, 0);
  stored.duplicates = {{0, Offset(3), Incarnation(1)}};
  const v1::FrameResult result = Answered(f, frame, absl::OkStatus(), {stored});
  CHECK(result.batches(0).parts_size() == 0);
  CHECK(result.batches(0).duplicates_size() == 1);
  CHECK_FALSE(result.batches(0).has_error());
}

// Goal: a client whose gRPC takes 4 MiB, as by default, gets every answer.
TEST_CASE("an answer is below 4 MiB when all events of a full frame are duplicates") {
  PublishFixture f;
  constexpr uint32_t kEvents = 65'536;
  v1::PublishFrame frame;
  std::vector<AppendResult> appends;
  for (int i = 0; i < f.limits.max_frame_events / static_cast<int>(kEvents); ++i) {
    frame.add_batches()->set_topic("orders");
    frame.mutable_batches(i)->set_partition(3);
    AppendResult& repeated = appends.emplace_back(Stored(0, 0));
    for (uint32_t event = 0; event < kEvents; ++event) {
      AddEvent(&frame);
      repeated.duplicates.push_back({event, Offset(INT64_MAX), Incarnation(UINT32_MAX)});
    }
  }
  const v1::FrameResult result = Answered(f, frame, absl::OkStatus(), std::move(appends));
  REQUIRE_FALSE(result.has_error());
  CHECK(result.batches(1).duplicates_size() == static_cast<int>(kEvents));
  CHECK(result.ByteSizeLong() < size_t{4} << 20);
}

TEST_CASE("duplicates of a split batch are named by their index in the batch") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("fast");
  std::vector<int> in_zero;
  for (int i = 0; i < 20; ++i) {
    const std::string key = absl::StrCat("k", i);
    if (PartitionOfKey(key, 2) == 0) in_zero.push_back(i);
    AddEvent(&frame, key);
  }
  const auto zero = static_cast<uint32_t>(in_zero.size());
  REQUIRE(zero > 2);
  REQUIRE(zero < 20);
  AppendResult first = Stored(0, zero - 1);
  first.duplicates = {{1, Offset(77), Incarnation(7)}};
  const v1::FrameResult result =
      Answered(f, frame, absl::OkStatus(), {first, Stored(5, 20 - zero)});
  const v1::BatchResult& batch = result.batches(0);
  REQUIRE(batch.parts_size() == 2);
  REQUIRE(batch.duplicates_size() == 1);
  CHECK(batch.duplicates(0).event_index() == in_zero[1]);
  REQUIRE(batch.parts(0).event_indexes_size() == static_cast<int>(zero) - 1);
  CHECK(batch.parts(0).event_indexes(0) == in_zero[0]);
  CHECK(batch.parts(0).event_indexes(1) == in_zero[2]);
  CHECK(batch.parts(1).event_indexes_size() == 20 - static_cast<int>(zero));
}

TEST_CASE("a payload does not keep a frame that is mostly something else") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame)->set_data(std::string(1000, 'd'));
  const size_t rest = GENERATE(0, 100'000);
  frame.GetReflection()->MutableUnknownFields(&frame)->AddLengthDelimited(999,
                                                                          std::string(rest, 'u'));
  const SharedBytes bytes(frame.SerializeAsString());
  auto session = f.MakeSession(false);
  REQUIRE_OK(PublishWhole(*session, bytes, [](v1::FrameResult) {}));
  REQUIRE(f.engine.pending.size() == 1);
  const Append& append = f.engine.pending[0].transaction.appends[0];
  CHECK((append.payload.owner() == bytes.owner()) == (rest == 0));
  CHECK(append.payload.size() > 1000);
  CHECK(append.payload_crc32c == Crc32c(append.payload.view()));
}

TEST_CASE("an append that failed is its batch's error") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame);
  frame.add_batches()->set_topic("orders");
  frame.mutable_batches(1)->set_partition(1);
  AddEvent(&frame);
  const v1::FrameResult result =
      Answered(f, frame, absl::OkStatus(), {Failed(v1::OUT_OF_SEQUENCE), Stored(9, 1)});
  CHECK_FALSE(result.has_error());
  CHECK(result.batches(0).error().reason() == v1::OUT_OF_SEQUENCE);
  CHECK(result.batches(0).parts_size() == 0);
  CHECK(result.batches(1).parts(0).base_offset() == 9);
}

TEST_CASE("an outcome nobody knows is the frame's error") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame);
  const v1::FrameResult result = Answered(f, frame, Error(v1::OUTCOME_UNKNOWN, "?"), {});
  CHECK(result.error().reason() == v1::OUTCOME_UNKNOWN);
  CHECK(result.batches_size() == 0);
}

TEST_CASE("an atomic frame is one transaction") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  frame.set_atomic(true);
  AddEvent(&frame);
  frame.add_batches()->set_topic("fast");
  AddEvent(&frame);
  const v1::FrameResult result = f.Publish(frame);
  REQUIRE(f.sent.size() == 1);
  CHECK(f.sent[0].atomic);
  CHECK(f.sent[0].appends.size() == 2);
  CHECK(result.batches_size() == 2);
}

TEST_CASE("an atomic frame with a bad batch stores nothing and says which") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  frame.set_atomic(true);
  AddEvent(&frame);
  frame.add_batches()->set_topic("missing");
  AddEvent(&frame);
  frame.add_batches()->set_topic("fast");
  AddEvent(&frame);
  const v1::FrameResult result = f.Publish(frame);
  CHECK(f.sent.empty());
  CHECK_FALSE(result.has_error());
  REQUIRE(result.batches_size() == 3);
  CHECK(result.batches(0).error().reason() == v1::ATOMIC_ABORTED);
  CHECK(result.batches(1).error().reason() == v1::TOPIC_NOT_FOUND);
  CHECK(result.batches(2).error().reason() == v1::ATOMIC_ABORTED);
}

TEST_CASE("an atomic frame that the engine aborts names the failing batch") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 0);
  frame.set_atomic(true);
  AddEvent(&frame);
  frame.add_batches()->set_topic("fast");
  AddEvent(&frame);
  const absl::Status aborted = Error(v1::ATOMIC_ABORTED, "aborted");
  const v1::FrameResult result =
      Answered(f, frame, aborted, {Failed(v1::WRONG_EXPECTED_OFFSET), Stored(0, 1)});
  CHECK_FALSE(result.has_error());
  CHECK(result.batches(0).error().reason() == v1::WRONG_EXPECTED_OFFSET);
  CHECK(result.batches(1).error().reason() == v1::ATOMIC_ABORTED);
  CHECK(result.batches(1).parts_size() == 0);
}

}  // namespace
}  // namespace acta
