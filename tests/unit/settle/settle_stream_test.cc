// Steps of members of STREAM groups: positions that are committed with what is published.
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/layout/rows.h"
#include "tests/unit/settle/stream_step_room.h"

namespace acta {
namespace {

TEST_CASE("a step of a STREAM group commits and publishes", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 4, 2);
  Client& client = room.Read();
  REQUIRE(client.sink.Notices("GRANTED_FEATURE").size() == 1);
  REQUIRE(client.sink.pieces.size() == 2);
  const auto answer = room.Settle(room.Step(client.sink.pieces[0], "bill"));
  REQUIRE_OK(answer);
  CHECK(answer->batches(0).parts(0).base_offset() == 0);
  CHECK(room.Committed() == 2);
  CHECK(room.Bills() == Strings{"bill"});
  CHECK(StepRoom::ContextOf(room.BillBatches()[0]).causation_id() == "orders/0/0");
  SECTION("once") {
    CHECK(room.Refused(room.Step(client.sink.pieces[0], "bill")) == v1::ALREADY_SETTLED);
    CHECK(room.Bills() == Strings{"bill"});
  }
  SECTION("and what follows as well, also a part of a delivery") {
    v1::SettleRequest part = room.Step(client.sink.pieces[1], "bill 2");
    part.mutable_processed(0)->set_count(1);
    REQUIRE_OK(room.Settle(part));
    CHECK(room.Committed() == 3);
  }
  SECTION("and commits of the stream go on behind it") {
    const uint64_t frame = client.Commit(client.sink.pieces[0].assignment, 4);
    room.Run();
    CHECK(client.sink.ErrorOf(frame) == v1::ERROR_REASON_UNSPECIFIED);
    CHECK(room.Committed() == 4);
  }
}

TEST_CASE("a step of a STREAM group that comes again is not told what went while it is written",
          "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 4, 2);
  Client& client = room.Read();
  v1::SettleRequest step = room.Step(client.sink.pieces.at(0), "bill");
  room.engine.HoldDone();
  const StepRoom::Answer answer = room.Begin(step);
  step.mutable_publish(0)->set_topic("nowhere");
  CHECK(room.Refused(step) == v1::CONCURRENT_CHANGE);
  // One that follows it is.
  v1::SettleRequest next = room.Step(client.sink.pieces.at(1), "bill");
  next.mutable_publish(0)->set_topic("nowhere");
  CHECK(room.Refused(next) == v1::TOPIC_NOT_FOUND);
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE_OK(**answer);
  CHECK(room.Refused(step) == v1::ALREADY_SETTLED);
}

TEST_CASE("a step of a STREAM group may commit several partitions at once", "[step]") {
  StreamStepRoom room;
  room.GrowTopic(3);
  for (int32_t partition = 0; partition < 3; ++partition) room.PublishNumbers(partition, 2, 2);
  Client& client = room.Read();
  REQUIRE(client.sink.pieces.size() == 3);
  v1::SettleRequest request = room.Step(client.sink.pieces[0], "bill");
  *request.add_processed() = room.Step(client.sink.pieces[1]).processed(0);
  *request.add_processed() = room.Step(client.sink.pieces[2]).processed(0);
  REQUIRE_OK(room.Settle(request));
  for (int32_t partition = 0; partition < 3; ++partition) CHECK(room.Committed(partition) == 2);
  v1::SettleRequest again = room.Step(client.sink.pieces[2], "bill");
  CHECK(room.Refused(again) == v1::ALREADY_SETTLED);
  CHECK(room.Bills() == Strings{"bill"});
}

TEST_CASE("a step of a STREAM group that is refused commits nothing", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 2, 2);
  Client& client = room.Read();
  v1::SettleRequest request = room.Step(client.sink.pieces[0], "bill");
  SECTION("by the engine") {
    request.mutable_publish(0)->set_partition(0);
    request.mutable_publish(0)->mutable_expect()->set_end_offset(7);
    CHECK(room.Refused(request) == v1::WRONG_EXPECTED_OFFSET);
  }
  SECTION("because the disk is full") {
    room.engine.SetDiskState(DiskState::kSoft);
    CHECK(room.Refused(request) == v1::DISK_FULL);
    room.engine.SetDiskState(DiskState::kOk);
  }
  SECTION("because the queue is full") {
    room.engine.SetRoom(false);
    CHECK(room.Refused(request) == v1::PUBLISH_QUEUE_FULL);
    room.engine.SetRoom(true);
  }
  SECTION("because events of it fail") {
    v1::FailedEvents* failed = request.add_failed();
    failed->set_delivery_token(client.sink.pieces[0].token);
    failed->set_kind(v1::SETTLE_KIND_NACK);
    CHECK(room.Refused(request) == v1::WRONG_GROUP_MODE);
  }
  CHECK(room.Committed() == 0);
  CHECK(room.Bills().empty());
  REQUIRE_OK(room.Settle(room.Step(client.sink.pieces[0], "bill")));
  CHECK(room.Committed() == 2);
}

TEST_CASE("what a refused step of a STREAM group would publish later comes when it is sent again",
          "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 2, 2);
  Client& client = room.Read();
  v1::SettleRequest request = room.Step(client.sink.pieces[0], "later");
  v1::PartitionBatch* now = request.add_publish();
  *now = request.publish(0);
  request.mutable_publish(0)->mutable_events(0)->set_id("x");
  request.mutable_publish(0)->set_deliver_at_us(
      absl::ToUnixMicros(room.engine.Now() + absl::Seconds(10)));
  now->set_partition(0);
  now->mutable_expect()->set_end_offset(7);
  CHECK(room.Refused(request) == v1::WRONG_EXPECTED_OFFSET);
  CHECK(room.schedules.waiting() == 0);
  now->clear_expect();
  REQUIRE_OK(room.Settle(request));
  CHECK(room.Bills().size() == 1);
  room.Wait(absl::Seconds(15));
  CHECK(room.Bills().size() == 2);
  CHECK(room.Committed() == 2);
}

TEST_CASE("a member that lost its partition cannot step", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 2, 2);
  Client& old = room.Read("one");
  old.stream->OnDisconnect();
  Client& other = room.Read("two");
  room.Wait(absl::Seconds(31));  // The place of the first was kept so long.
  REQUIRE(other.sink.pieces.size() == 1);
  const auto refused = room.Settle(room.Step(old.sink.pieces[0], "bill"));
  CHECK(ReasonOf(refused.status()) == v1::FENCED);
  CHECK(DetailsOf(refused.status()).at("partition") == "0");
  CHECK(room.Bills().empty());
  REQUIRE_OK(room.Settle(room.Step(other.sink.pieces[0], "bill")));
  CHECK(room.Refused(room.Step(old.sink.pieces[0], "bill")) == v1::ALREADY_SETTLED);
  CHECK(room.Bills() == Strings{"bill"});
}

TEST_CASE("a step is alone on its partitions until it is durable", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 6, 2);
  Client& client = room.Read();
  REQUIRE(client.sink.pieces.size() == 3);
  room.engine.HoldDone();
  const auto first = room.Begin(room.Step(client.sink.pieces[0], "bill 0"));
  const auto again = room.Begin(room.Step(client.sink.pieces[0], "bill 0"));
  const auto second = room.Begin(room.Step(client.sink.pieces[1], "bill 1"));
  const uint64_t commit = client.Commit(client.sink.pieces[0].assignment, 6);
  room.Run();
  CHECK(room.engine.held() == 1);
  CHECK_FALSE(again->has_value());
  CHECK_FALSE(second->has_value());
  for (int i = 0; i < 4; ++i) {
    room.engine.ReleaseDone();
    room.Run();
  }
  REQUIRE_OK(**first);
  REQUIRE(again->has_value());
  CHECK(ReasonOf((*again)->status()) == v1::ALREADY_SETTLED);
  REQUIRE(second->has_value());
  REQUIRE_OK(**second);
  CHECK(client.sink.ErrorOf(commit) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(client.sink.acked_through() >= commit);
  CHECK(room.Committed() == 6);
  CHECK(room.Bills() == Strings{"bill 0", "bill 1"});
}

TEST_CASE("what comes when a step is about to be tried again is written behind it", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 6, 2);
  Client& client = room.Read();
  REQUIRE(client.sink.pieces.size() == 3);
  room.engine.HoldDone();
  const auto first = room.Begin(room.Step(client.sink.pieces[0], "bill 0"));
  const bool again = GENERATE(false, true);  // Then it is refused.
  const auto second = room.Begin(room.Step(client.sink.pieces[again ? 0 : 1], "bill 1"));
  room.engine.ReleaseDone();
  const bool commits = GENERATE(true, false);
  const auto third = std::make_shared<std::optional<absl::StatusOr<v1::SettleResponse>>>();
  uint64_t commit = 0;
  if (commits) {
    commit = client.Commit(client.sink.pieces[0].assignment, 6);
  } else {
    const size_t before = room.pool.pending();
    room.settler.Settle(
        room.caller, room.Step(client.sink.pieces[2], "bill 2"),
        [third](absl::StatusOr<v1::SettleResponse> got) { *third = std::move(got); });
    for (size_t i = 0; i < before; ++i) room.pool.PutOff();
  }
  room.Run();
  REQUIRE(first->has_value());
  REQUIRE_OK(**first);
  REQUIRE(second->has_value());
  CHECK(ReasonOf((*second)->status()) ==
        (again ? v1::ALREADY_SETTLED : v1::ERROR_REASON_UNSPECIFIED));
  CHECK(client.sink.acked_through() >= commit);
  CHECK((commits || (third->has_value() && (*third)->ok())));
  Strings bills = {"bill 0"};
  if (!again) bills.push_back("bill 1");
  if (!commits) bills.push_back("bill 2");
  CHECK(room.Bills() == bills);
  CHECK(room.Committed() == 6);
}

TEST_CASE("what waits behind a step when its partition is released is written first", "[step]") {
  StreamStepRoom room;
  room.GrowTopic(2);
  for (int32_t partition = 0; partition < 2; ++partition) room.PublishNumbers(partition, 6, 2);
  Client& client = room.Read("one");
  REQUIRE(client.sink.pieces.size() == 6);
  Client& other = room.Read("two");
  uint64_t handle = 0;
  for (const OutgoingFrame& frame : client.sink.frames) {
    for (const v1::Revoking& one : frame.control.revoking()) handle = one.assignment();
  }
  REQUIRE(handle != 0);
  const int32_t partition = client.sink.by_handle[handle].partition();
  std::vector<RecordingSink::Piece> pieces;
  for (const RecordingSink::Piece& piece : client.sink.pieces) {
    if (piece.assignment == handle) pieces.push_back(piece);
  }
  REQUIRE(pieces.size() == 3);
  room.engine.HoldDone();
  const auto first = room.Begin(room.Step(pieces[0], "bill"));
  const bool commits = GENERATE(true, false);
  const auto second = commits ? nullptr : room.Begin(room.Step(pieces[1], "bill 2"));
  const uint64_t commit = commits ? client.Commit(handle, 6) : 0;
  const uint64_t released = client.Released(handle);
  const uint64_t late = client.Commit(handle, 6);
  const uint64_t again = client.Released(handle);
  room.Run();
  CHECK(other.sink.by_handle.empty());
  room.engine.ReleaseDone();
  room.Run();
  CHECK(client.sink.ErrorOf(released) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(client.sink.ErrorOf(late) == v1::FENCED);
  CHECK(client.sink.ErrorOf(again) == v1::FENCED);
  REQUIRE(first->has_value());
  REQUIRE_OK(**first);
  if (commits) CHECK(client.sink.ErrorOf(commit) == v1::ERROR_REASON_UNSPECIFIED);
  if (!commits) REQUIRE(second->has_value());
  if (!commits) REQUIRE_OK(**second);
  CHECK(room.Committed(partition) == (commits ? 6 : 4));
  REQUIRE(other.sink.Handle(partition) != 0);
  CHECK(other.sink.by_handle[other.sink.Handle(partition)].offset() == (commits ? 6 : 4));
}

TEST_CASE("a step waits for commits of its partition that are on their way", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 4, 2);
  Client& client = room.Read();
  room.engine.HoldDone();
  client.Commit(client.sink.pieces[0].assignment, 2);
  room.Run();
  const auto passed = room.Begin(room.Step(client.sink.pieces[0], "bill 0"));
  const auto next = room.Begin(room.Step(client.sink.pieces[1], "bill 1"));
  CHECK_FALSE(passed->has_value());
  for (int i = 0; i < 3; ++i) {
    room.engine.ReleaseDone();
    room.Run();
  }
  REQUIRE(passed->has_value());
  CHECK(ReasonOf((*passed)->status()) == v1::ALREADY_SETTLED);
  REQUIRE(next->has_value());
  REQUIRE_OK(**next);
  CHECK(room.Bills() == Strings{"bill 1"});
}

TEST_CASE("who gets a partition while a step of the one before is written publishes nothing twice",
          "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 2, 2);
  Client& old = room.Read("one");
  room.engine.HoldDone();
  const auto late = room.Begin(room.Step(old.sink.pieces[0], "bill"));
  v1::SubscribeStart same = room.Member("readers", "one");
  same.add_wanted_features("DELIVERY_TOKENS");
  Client& heir = room.Connect();
  heir.Start(same);
  room.Run();
  REQUIRE(heir.sink.pieces.size() == 1);
  REQUIRE(heir.sink.pieces[0].offset == 0);
  const auto early = room.Begin(room.Step(heir.sink.pieces[0], "bill"));
  for (int i = 0; i < 4; ++i) {
    room.engine.ReleaseDone();
    room.Run();
  }
  REQUIRE(late->has_value());
  REQUIRE_OK(**late);
  REQUIRE(early->has_value());
  CHECK(ReasonOf((*early)->status()) == v1::ALREADY_SETTLED);
  CHECK(room.Bills() == Strings{"bill"});
  CHECK(room.Committed() == 2);
  // The row on the disk is the step's, under the heir's generation.
  const auto rows = room.engine.LoadRows(Family::kState, "position/");
  REQUIRE_OK(rows);
  int found = 0;
  for (const auto& [key, value] : *rows) {
    storage::v1::PositionRecord record;
    REQUIRE(record.ParseFromString(value));
    if (record.offset() == 2) found += record.generation() == 2;
  }
  CHECK(found == 1);
}

TEST_CASE("nothing is written over a reset, or a topic that is left, by a step that ended before",
          "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 2, 2);
  Client& old = room.Read("one");
  room.engine.HoldDone();
  const auto late = room.Begin(room.Step(old.sink.pieces.at(0), "bill"));
  Client& heir = room.Read("one");  // The next owner, while the step is written.
  REQUIRE(heir.sink.pieces.size() == 1);
  const auto group = room.groups.FindForStep(room.caller, "", "readers");
  REQUIRE_OK(group);
  const bool resets = GENERATE(true, false);
  absl::Status changed;
  std::thread change([&] {
    if (resets) {
      v1::ResetOffsetsRequest reset;
      reset.set_group("readers");
      reset.mutable_to()->set_earliest(true);
      reset.set_reason("once more");
      reset.set_force(true);
      changed = room.groups.ResetOffsets(room.caller, reset).status();
      return;
    }
    v1::UpdateGroupRequest update;
    update.mutable_group()->set_name("readers");
    update.mutable_group()->add_topics("bills");
    update.mutable_update_mask()->add_paths("topics");
    changed = room.groups.Update(room.caller, update).status();
  });
  // Until the heir is to be told, and then until the step is waited for.
  while (room.pool.pending() == 0) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  room.engine.ReleaseDone();
  change.join();
  room.Run();
  REQUIRE_OK(changed);
  REQUIRE(late->has_value());
  REQUIRE_OK(**late);
  const auto rows = room.engine.LoadRows(Family::kState, PositionRow((*group)->id(), room.Id(0)));
  REQUIRE(rows->size() == (resets ? 1U : 0U));
  storage::v1::PositionRecord record;
  if (resets) REQUIRE(record.ParseFromString(rows->front().second));
  CHECK(record.offset() == 0);
}

TEST_CASE("a token of a former life of the broker commits nothing", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 4, 2);
  Client& client = room.Read();
  REQUIRE_OK(room.Settle(room.Step(client.sink.pieces[0])));
  const auto group = room.groups.FindForStep(room.caller, "", "readers");
  REQUIRE_OK(group);
  RecordingSink::Piece old = client.sink.pieces[0];
  old.token = DeliveryTokens().Make({(*group)->id(), 1, room.Id(0), Offset(0), 2, 0});
  CHECK(room.Refused(room.Step(old, "bill")) == v1::ALREADY_SETTLED);
  old = client.sink.pieces[1];
  old.token = DeliveryTokens().Make({(*group)->id(), 1, room.Id(0), Offset(2), 2, 0});
  CHECK(room.Refused(room.Step(old, "bill")) == v1::FENCED);
  old.token = DeliveryTokens().Make({(*group)->id(), 1, PartitionId(1 << 20), Offset(2), 2, 0});
  CHECK(room.Refused(room.Step(old, "bill")) == v1::FENCED);
  CHECK(room.Bills().empty());
  CHECK(room.Committed() == 2);
}

TEST_CASE("a step of a STREAM group completes claims of it", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 2, 2);
  Client& client = room.Read();
  v1::ClaimRequest wish;
  wish.set_group("readers");
  wish.set_key("k");
  const auto claim = room.claims.Claim(room.caller, wish);
  REQUIRE_OK(claim);
  v1::SettleRequest request = room.Step(client.sink.pieces[0]);
  v1::CompletedClaim* completed = request.add_claims();
  completed->set_key("k");
  completed->set_token(claim->token());
  completed->set_result("done");
  REQUIRE_OK(room.Settle(request));
  const auto again = room.claims.Claim(room.caller, wish);
  REQUIRE_OK(again);
  CHECK(again->result() == "done");
}

TEST_CASE("a chain of events ends at 64 in a STREAM group too", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Read();
  const auto next = [&](size_t at) {
    v1::SettleRequest request = room.Step(client.sink.pieces.at(at), "next");
    request.mutable_publish(0)->set_topic("orders");
    return request;
  };
  for (size_t depth = 0; depth < 64; ++depth) {
    REQUIRE_OK(room.Settle(next(depth)));
    room.Run();
  }
  CHECK(room.Refused(next(64)) == v1::CAUSATION_TOO_DEEP);
  CHECK(room.Committed() == 64);
}

}  // namespace
}  // namespace acta
