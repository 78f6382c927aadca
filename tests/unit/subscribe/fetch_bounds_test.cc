// What bounds a Fetch: bytes of all pages, the client's frame, the deadline.
#include "absl/strings/match.h"
#include "storage/base/clock.h"
#include "storage/base/crc32c.h"
#include "tests/unit/subscribe/fetch_room.h"

namespace acta {
namespace {

// "who" is the context of every batch.
int64_t StoredBytes(const Strings& events) {
  size_t bytes = 3;
  for (const std::string& event : events) bytes += Element(event).size();
  return static_cast<int64_t>(bytes);
}

TEST_CASE("pages that are not with their clients are bounded by their bytes", "[fetch]") {
  const std::string event(1000, 'x');
  const int64_t page_bytes = StoredBytes({event});
  SubscribeLimits limits;
  limits.max_fetch_bytes = 2 * page_bytes;
  FetchRoom room(limits);
  room.MakeTopic(1);
  for (int i = 0; i < 4; ++i) room.Publish(0, {event});
  room.engine.SetCachedReads(GENERATE(true, false));
  const auto page = [&room](int64_t from) {
    v1::FetchRequest request = room.From(from);
    request.set_max_bytes(1000);
    return room.Get(request);
  };
  auto first = std::make_unique<Answer>(page(0));
  const Answer second = page(1);
  CHECK(second.Data() == Strings{event});
  CHECK(room.hub->fetch_bytes() == 2 * page_bytes);
  const Answer third = page(2);
  CHECK(ReasonOf(third.status) == v1::READ_QUEUE_FULL);
  CHECK(RetryAfterOf(third.status) > absl::ZeroDuration());
  CHECK(DetailsOf(third.status).at("limit") == "limits.fetch_bytes");
  // What has no events is answered.
  CHECK_OK(page(4).status);
  first.reset();
  CHECK(room.hub->fetch_bytes() == page_bytes);
  CHECK(page(2).Data() == Strings{event});
  CHECK(room.hub->fetch_bytes() == page_bytes);
}

TEST_CASE("a read from disk takes its bytes before, and gives back what it does not keep",
          "[fetch]") {
  SubscribeLimits limits;
  limits.max_fetch_bytes = 2000;
  FetchRoom room(limits);
  room.MakeTopic(1);
  room.Publish(0, {"a", "b", "c"});
  room.engine.SetCachedReads(false);
  v1::FetchRequest request = room.From(0);
  request.set_max_bytes(2001);
  CHECK(ReasonOf(room.Get(request).status) == v1::READ_QUEUE_FULL);
  CHECK(room.engine.Stats().cold_reads == 0);
  CHECK(room.hub->fetch_bytes() == 0);
  request.set_max_bytes(2000);
  request.set_max_events(1);
  const Answer answer = room.Get(request);
  CHECK(answer.Data() == Strings{"a"});
  // One event keeps its whole batch.
  CHECK(room.hub->fetch_bytes() == StoredBytes({"a", "b", "c"}));
}

TEST_CASE("calls that wait are counted", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  const auto answer = room.Ask(room.Waiting(0, 10));
  CHECK(room.hub->waiting_fetches() == 1);
  CHECK(room.hub->fetch_bytes() == 0);
  room.Publish(0, {"a"});
  room.Run();
  CHECK(room.hub->waiting_fetches() == 0);
  CHECK(room.hub->fetch_bytes() == StoredBytes({"a"}));
}

TEST_CASE("a page is cut to the frame its client takes", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  v1::FetchRequest request = room.From(0);
  request.set_max_frame_bytes(64 << 10);
  SECTION("inside of a batch") {
    const std::string event(20'000, 'x');
    room.Publish(0, {event, event, event, event});
    const Answer answer = room.Get(request);
    CHECK(answer.Data() == Strings{event, event, event});
    CHECK(answer.header.next_offset() == 3);
    CHECK(answer.WireBytes() <= 64 << 10);
  }
  SECTION("with what many small batches have beside their events") {
    room.PublishNumbers(0, 1000);
    const Answer answer = room.Get(request);
    CHECK(answer.header.next_offset() < 1000);
    CHECK(answer.header.next_offset() > 500);
    CHECK(answer.WireBytes() <= 64 << 10);
  }
  SECTION("and to 17 MiB when the client does not say") {
    request.clear_max_frame_bytes();
    request.set_max_bytes(16 << 20);
    room.Publish(0, {std::string(16 << 20, 'x')});
    CHECK(room.Get(request).header.next_offset() == 1);
  }
}

TEST_CASE("an event that needs a larger frame than the client takes is named", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  const std::string large(70'000, 'x');
  room.Publish(0, {"a", large, "b"});
  v1::FetchRequest request = room.From(0);
  request.set_max_frame_bytes(64 << 10);
  CHECK(room.Get(request).Data() == Strings{"a"});
  request.set_offset(1);
  const absl::Status refused = room.Get(request).status;
  CHECK(ReasonOf(refused) == v1::EVENT_TOO_LARGE_FOR_CLIENT);
  auto details = DetailsOf(refused);
  CHECK(details.at("first_lost") == "1");
  CHECK(details.at("event_bytes") == std::to_string(Element(large).size()));
  CHECK(details.at("max_frame_bytes") == "65536");
  // Raised alone it would end the call in the client's gRPC, which takes 4 MiB.
  CHECK(absl::StrContains(refused.message(), "raise it, and what the client's gRPC receives"));
  CHECK(room.hub->fetch_bytes() == 0);
  request.set_max_frame_bytes(std::stoi(details.at("frame_bytes")));
  const Answer answer = room.Get(request);
  CHECK(answer.Data() == Strings{large});
  CHECK(answer.WireBytes() <= static_cast<size_t>(request.max_frame_bytes()));
}

TEST_CASE("a fetch waits no longer than its deadline", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  room.caller.deadline = SystemClock().SinceBoot() + absl::Minutes(10);
  const auto later = room.Ask(room.Waiting(0, 10));
  room.caller.deadline = SystemClock().SinceBoot() + absl::Seconds(5);
  const auto answer = room.Ask(room.Waiting(0, 10));
  room.Advance(absl::Seconds(1));
  CHECK_FALSE(answer->has_value());
  room.Advance(absl::Seconds(4));
  REQUIRE(answer->has_value());
  CHECK(ReasonOf((*answer)->status) == v1::DEADLINE_PASSED);
  CHECK(room.hub->waiting_fetches() == 1);
  CHECK_FALSE(later->has_value());
  room.Advance(absl::Seconds(5));
  REQUIRE(later->has_value());
  CHECK_OK((*later)->status);
}

TEST_CASE("nothing is read from disk once the deadline passed", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  room.Publish(0, {"a"});
  room.engine.SetCachedReads(false);
  room.caller.deadline = SystemClock().SinceBoot() - absl::Seconds(1);
  CHECK(ReasonOf(room.Get(room.From(0)).status) == v1::DEADLINE_PASSED);
  CHECK(room.engine.Stats().cold_reads == 0);
}

TEST_CASE("a page of bytes that are not events is told, not answered empty for ever", "[fetch]") {
  FetchRoom room;
  room.MakeTopic(1);
  Append append;
  append.partition = room.Id(0);
  append.count = 2;
  append.payload = SharedBytes::Copy("no event");
  append.payload_crc32c = Crc32c(append.payload.view());
  Transaction transaction;
  transaction.appends.push_back(std::move(append));
  transaction.done = [](TransactionResult result) { REQUIRE_OK(result.status); };
  REQUIRE_OK(room.engine.Submit(std::move(transaction)));
  v1::FetchRequest request = room.From(0);
  request.set_max_events(1);
  const Answer answer = room.Get(request);
  CHECK(ReasonOf(answer.status) == v1::DATA_CORRUPTED);
  CHECK(DetailsOf(answer.status).at("last_lost") == "1");
}

}  // namespace
}  // namespace acta
