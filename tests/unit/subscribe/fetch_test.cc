#include <functional>

#include "tests/unit/subscribe/fetch_room.h"

namespace acta {
namespace {

TEST_CASE("a page holds exactly the events from the offset on", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10, 4);
  const bool cached = GENERATE(true, false);
  room.engine.SetCachedReads(cached);
  const Answer answer = room.Get(room.From(3));
  CHECK_OK(answer.status);
  CHECK(answer.Data() == room.Numbers(3, 10));
  CHECK(answer.batches[0].base_offset == Offset(3));
  CHECK(answer.header.batches().empty());
  CHECK(answer.header.next_offset() == 10);
  CHECK(answer.header.first_offset() == 0);
  CHECK(answer.header.end_offset() == 10);
  CHECK(answer.header.incarnation() == 1);
  CHECK(room.hub->events_delivered() == 7);
  CHECK(room.engine.Stats().cold_reads == (cached ? 0 : 1));
}

TEST_CASE("a page ends at its limits but has at least one event", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10, 4);
  const auto size = static_cast<int32_t>(Element("0").size());
  v1::FetchRequest request = room.From(1);
  SECTION("events") {
    request.set_max_events(5);
    const Answer answer = room.Get(request);
    CHECK(answer.Data() == room.Numbers(1, 6));
    CHECK(answer.header.next_offset() == 6);
  }
  SECTION("bytes") {
    request.set_max_bytes(2 * size + 1);
    CHECK(room.Get(request).Data() == room.Numbers(1, 3));
  }
  SECTION("fewer bytes than an event") {
    request.set_max_bytes(1);
    CHECK(room.Get(request).Data() == room.Numbers(1, 2));
  }
}

TEST_CASE("what a request must not say is refused with its reason", "[fetch]") {
  struct Case {
    const char* what;
    v1::ErrorReason reason;
    std::function<void(v1::FetchRequest*)> change;
  };
  const Case cases[] = {
      {"tenant", v1::TENANT_NOT_FOUND, [](auto* r) { r->set_tenant("else"); }},
      {"topic", v1::TOPIC_NOT_FOUND, [](auto* r) { r->set_topic("nothing"); }},
      {"partition", v1::PARTITION_NOT_FOUND, [](auto* r) { r->set_partition(1); }},
      {"partition below 0", v1::PARTITION_NOT_FOUND, [](auto* r) { r->set_partition(-1); }},
      {"offset below 0", v1::OFFSET_OUT_OF_RANGE, [](auto* r) { r->set_offset(-1); }},
      {"offset above the end", v1::OFFSET_OUT_OF_RANGE, [](auto* r) { r->set_offset(11); }},
      {"a gap", v1::GAP, [](auto* r) { r->set_offset(1); }},
      {"a lost tail", v1::LOG_TRUNCATED,
       [](auto* r) {
         r->set_offset(10);
         r->set_incarnation(1);
       }},
      {"incarnation", v1::INVALID_ARGUMENT, [](auto* r) { r->set_incarnation(-1); }},
      {"events", v1::INVALID_ARGUMENT, [](auto* r) { r->set_max_events(65537); }},
      {"events below 0", v1::INVALID_ARGUMENT, [](auto* r) { r->set_max_events(-1); }},
      {"bytes", v1::INVALID_ARGUMENT, [](auto* r) { r->set_max_bytes((16 << 20) + 1); }},
      {"frame", v1::INVALID_ARGUMENT, [](auto* r) { r->set_max_frame_bytes((17 << 20) + 1); }},
      {"small frame", v1::INVALID_ARGUMENT, [](auto* r) { r->set_max_frame_bytes(65535); }},
      {"frame below 0", v1::INVALID_ARGUMENT, [](auto* r) { r->set_max_frame_bytes(-1); }},
      {"wait", v1::INVALID_ARGUMENT, [](auto* r) { r->mutable_wait()->set_seconds(61); }},
      {"wait below 0", v1::INVALID_ARGUMENT, [](auto* r) { r->mutable_wait()->set_seconds(-1); }},
      {"damage", v1::DATA_CORRUPTED, [](auto* r) { r->set_offset(9); }},
  };
  FetchRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10);
  room.engine.TrimTo(room.Id(0), Offset(2));
  room.engine.LoseTail(room.Id(0), Offset(8));
  room.PublishNumbers(0, 2);
  room.engine.CorruptBatch(room.Id(0), Offset(9));
  for (const Case& one : cases) {
    INFO(one.what);
    v1::FetchRequest request = room.From(3);
    one.change(&request);
    CHECK(ReasonOf(room.Get(request).status) == one.reason);
  }
  v1::FetchRequest most = room.From(8);
  most.set_max_events(65536);
  most.set_max_bytes(16 << 20);
  most.set_max_frame_bytes(17 << 20);
  most.mutable_wait()->set_seconds(60);
  most.set_incarnation(1);
  most.set_tenant("default");
  CHECK(room.Get(most).Data() == Strings{"0"});
}

TEST_CASE("at the end a page is empty", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 3);
  const auto answer = room.Ask(room.From(3));
  REQUIRE(answer->has_value());
  CHECK_OK((*answer)->status);
  CHECK((*answer)->batches.empty());
  CHECK((*answer)->header.next_offset() == 3);
}

TEST_CASE("a fetch waits for the first event", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  const auto answer = room.Ask(room.Waiting(0, 10));
  room.Advance(absl::Seconds(9));
  CHECK_FALSE(answer->has_value());
  SECTION("and answers with it") {
    room.Publish(0, {"a"});
    // Not on the engine's thread.
    CHECK_FALSE(answer->has_value());
    room.Run();
    REQUIRE(answer->has_value());
    CHECK((*answer)->Data() == Strings{"a"});
    CHECK(room.timer.waiting() == 0);
  }
  SECTION("and answers empty when there is none") {
    room.Advance(absl::Seconds(1));
    REQUIRE(answer->has_value());
    CHECK_OK((*answer)->status);
    CHECK((*answer)->batches.empty());
    room.Publish(0, {"a"});
    room.Run();
  }
  SECTION("and hears when the topic is deleted") {
    room.DeleteTopic();
    room.Run();
    REQUIRE(answer->has_value());
    CHECK(ReasonOf((*answer)->status) == v1::PARTITION_NOT_FOUND);
  }
  SECTION("and hears when the server stops") {
    room.hub->Stop(absl::ZeroDuration());
    REQUIRE(answer->has_value());
    CHECK(ReasonOf((*answer)->status) == v1::SERVER_STOPPING);
    const auto late = room.Ask(room.Waiting(0, 10));
    REQUIRE(late->has_value());
    CHECK(ReasonOf((*late)->status) == v1::SERVER_STOPPING);
  }
}

TEST_CASE("only so many calls wait", "[fetch]") {
  SubscribeLimits limits;
  limits.max_waiting_fetches = 2;
  FetchRoom room(limits);
  room.MakeTopic(1);
  const auto first = room.Ask(room.Waiting(0, 10));
  const auto second = room.Ask(room.Waiting(0, 20));
  const auto third = room.Ask(room.Waiting(0, 10));
  REQUIRE(third->has_value());
  CHECK(ReasonOf((*third)->status) == v1::READ_QUEUE_FULL);
  CHECK(DetailsOf((*third)->status).at("limit") == "limits.waiting_fetches");
  CHECK(room.hub->waiting_fetches() == 2);
  // What need not wait is answered.
  CHECK_OK(room.Get(room.From(0)).status);
  room.Advance(absl::Seconds(10));
  CHECK(first->has_value());
  CHECK_FALSE(second->has_value());
  CHECK_FALSE(room.Ask(room.Waiting(0, 10))->has_value());
  room.Advance(absl::Seconds(30));
}

TEST_CASE("a call that is given up leaves its place to another", "[fetch]") {
  SubscribeLimits limits;
  limits.max_waiting_fetches = 1;
  FetchRoom room(limits);
  room.MakeTopic(1);
  SubscriptionHub::FetchCancel cancel;
  SECTION("while it waits for events") {
    const auto gone = room.Ask(room.Waiting(0, 10), &cancel);
    cancel();
    CHECK(room.timer.waiting() == 0);
    const auto next = room.Ask(room.Waiting(0, 10));
    CHECK_FALSE(next->has_value());
    room.Publish(0, {"a"});
    room.Run();
    CHECK_FALSE(gone->has_value());
    REQUIRE(next->has_value());
    CHECK((*next)->Data() == Strings{"a"});
  }
  SECTION("while it waits for the disk") {
    room.PublishNumbers(0, 1);
    room.engine.SetCachedReads(false);
    const auto gone = room.Ask(room.From(0), &cancel);
    cancel();
    CHECK_OK(room.Get(room.From(0)).status);
    CHECK_FALSE(gone->has_value());
    CHECK(room.engine.Stats().cold_reads == 1);
  }
}

TEST_CASE("giving up what is answered, or what a hub that is gone was asked, does nothing",
          "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  SubscriptionHub::FetchCancel answered;
  SubscriptionHub::FetchCancel refused;
  SubscriptionHub::FetchCancel stopped;
  CHECK(room.Ask(room.From(0), &answered)->has_value());
  CHECK(room.Ask(room.From(9), &refused)->has_value());
  const auto waiting = room.Ask(room.Waiting(0, 10), &stopped);
  room.hub.reset();
  CHECK(ReasonOf((*waiting)->status) == v1::SERVER_STOPPING);
  for (const auto& cancel : {answered, refused, stopped}) cancel();
}

}  // namespace
}  // namespace acta
