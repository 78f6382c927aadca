// Events that are held: listed, counted and redriven as dead letters are, and not discarded.
#include "absl/strings/match.h"
#include "proto/support/proto_time.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

using Places = std::vector<std::pair<int32_t, int64_t>>;

Places PlacesOf(const v1::ListDeadLettersResponse& listed) {
  Places places;
  for (const v1::DeadLetter& letter : listed.dead_letters()) {
    places.emplace_back(letter.ref().partition(), letter.ref().offset());
  }
  return places;
}

// Two partitions of two keys each, one event of which is held and the other a dead letter: held are
// the offsets 0 of partition 0, 10 s later 1 of partition 1.
struct HeldRoom : QueueRoom {
  HeldRoom() : QueueRoom(OneAttempt(), 2) {
    PublishElements(0, Element("1", "a") + Element("2", "b") + Element("3", "a"), 3);
    PublishElements(1, Element("4", "c") + Element("5", "d") + Element("6", "c"), 3);
    Client& client = Work();
    for (const RecordingSink::Leased& event : std::vector(client.sink.leased)) {
      const bool second = event.data > "3";
      if (second) Advance(absl::Seconds(5));
      v1::Settlement settlement;
      settlement.set_assignment(event.assignment);
      settlement.set_offset(event.offset);
      settlement.set_kind(event.offset == second ? v1::SETTLE_KIND_NACK : v1::SETTLE_KIND_REJECT);
      settlement.set_reason(second ? "later" : "sooner");
      client.Settle(settlement);
      Run();
    }
    // What came after a dead letter of its key.
    for (const RecordingSink::Leased& event : std::vector(client.sink.leased)) {
      if (event.offset == 2) client.Ack(event);
    }
    Run();
    client.stream->OnDisconnect();
    Run();
  }
  static v1::QueueSettings OneAttempt() {
    v1::QueueSettings settings = Ordered(v1::ON_EXHAUSTED_HOLD_KEY);
    settings.set_max_attempts(1);
    return settings;
  }
  v1::RedriveDeadLettersResponse Redrive(const v1::DeadLetterSelection& selection,
                                         bool dry_run = false) {
    v1::RedriveDeadLettersRequest request;
    request.set_group("workers");
    *request.mutable_selection() = selection;
    request.set_accept_order(true);
    request.set_dry_run(dry_run);
    const auto redriven = groups.RedriveDeadLetters(caller, request);
    REQUIRE_OK(redriven);
    Run();
    return *redriven;
  }
  int64_t Held() {
    int64_t held = 0;
    const v1::ListDeadLettersResponse listed = DeadLetters();
    for (const v1::DeadLetter& letter : listed.dead_letters()) held += letter.held();
    return held;
  }
};

TEST_CASE("events that are held are listed among the dead letters, page by page", "[queue]") {
  HeldRoom room;
  const v1::ListDeadLettersResponse listed = room.DeadLetters();
  REQUIRE(PlacesOf(listed) == Places{{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const auto held = [&](int i) { return listed.dead_letters(i).held(); };
  CHECK((held(0) && !held(1) && !held(2) && held(3)));
  const v1::DeadLetter& last = listed.dead_letters(3);
  CHECK(last.attempts() == 1);
  CHECK(last.last_attempt().reason() == "later");
  CHECK(ToTime(last.dead_time()) - ToTime(listed.dead_letters(0).dead_time()) == absl::Seconds(10));
  for (const int32_t size : {1, 2, 3}) {
    Places places;
    v1::ListDeadLettersRequest request;
    request.set_group("workers");
    request.set_page_size(size);
    do {
      const auto page = room.groups.ListDeadLetters(room.caller, request);
      REQUIRE_OK(page);
      for (const auto& place : PlacesOf(*page)) places.push_back(place);
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    CHECK(places == Places{{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  }
}

TEST_CASE("an event that is held is shown with its attempts and itself", "[queue]") {
  HeldRoom room;
  const v1::DeadLetter letter = room.DeadLetter(room.DeadLetters().dead_letters(0).ref());
  CHECK(letter.held());
  REQUIRE(letter.history_size() == 1);
  CHECK(letter.history(0).reason() == "sooner");
  CHECK(letter.event().data() == "1");
  v1::SummarizeDeadLettersRequest request;
  request.set_group("workers");
  const auto kinds = room.groups.SummarizeDeadLetters(room.caller, request);
  REQUIRE_OK(kinds);
  CHECK(kinds->total() == 4);
  REQUIRE(kinds->kinds_size() == 2);
  CHECK(kinds->kinds(0).count() == 2);
  CHECK(kinds->kinds(0).fingerprint() != kinds->kinds(1).fingerprint());
}

TEST_CASE("redriven by fingerprint, time or all are those too that are held", "[queue]") {
  HeldRoom room;
  v1::DeadLetterSelection selection;
  const v1::DeadLetter later = room.DeadLetters().dead_letters(3);
  int64_t redriven = 2;
  int64_t still = 1;
  SECTION("by fingerprint") { selection.set_fingerprint(later.fingerprint()); }
  SECTION("by time") {
    *selection.mutable_after() = later.dead_time();
    redriven = 1;
  }
  SECTION("by place") {
    *selection.add_letters() = later.ref();
    redriven = 1;
  }
  SECTION("all") {
    selection.set_all(true);
    redriven = 4;
    still = 0;
  }
  CHECK(room.Redrive(selection, /*dry_run=*/true).redriven() == redriven);
  CHECK(room.Held() == 2);
  CHECK(room.Redrive(selection).redriven() == redriven);
  CHECK(room.Held() == still);
  CHECK(room.DeadLetters().dead_letters_size() == 4 - redriven);
  Client& client = room.Work();
  CHECK(static_cast<int64_t>(client.sink.leased.size()) == redriven);
}

TEST_CASE("a redrive with a rate takes what is held, and counts what is held again", "[queue]") {
  HeldRoom room;
  v1::StartRedriveRequest request;
  request.set_group("workers");
  request.mutable_selection()->set_topic("orders");
  request.set_rate(1);
  request.set_stop_if(0.4);
  request.set_accept_order(true);
  const auto started = room.groups.StartRedrive(room.caller, request);
  REQUIRE_OK(started);
  CHECK(started->redrive().selected() == 4);
  room.Advance(absl::Milliseconds(10));
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"1"});
  client.Nack(client.sink.leased[0]);
  room.Run();
  for (int i = 0; i < 3; ++i) room.Advance(absl::Seconds(1));
  v1::ListRedrivesRequest list;
  list.set_group("workers");
  const auto redrives = room.groups.ListRedrives(room.caller, list);
  REQUIRE_OK(redrives);
  CHECK(redrives->redrives(0).state() == v1::REDRIVE_STATE_STOPPED);
  CHECK(redrives->redrives(0).died_again() == 1);
  CHECK(redrives->redrives(0).redriven() == 1);
  CHECK(room.Held() == 2);
}

TEST_CASE("what is held is not discarded, and who names it is told what to do", "[queue]") {
  HeldRoom room;
  v1::DiscardDeadLettersRequest request;
  request.set_group("workers");
  *request.mutable_selection()->add_letters() = room.DeadLetters().dead_letters(0).ref();
  const auto refused = room.groups.DiscardDeadLetters(room.caller, request);
  CHECK(ReasonOf(refused.status()) == v1::DEAD_LETTER_NOT_FOUND);
  CHECK(absl::StrContains(refused.status().message(), "acta group skip"));
  request.mutable_selection()->clear_letters();
  request.mutable_selection()->set_all(true);
  const auto discarded = room.groups.DiscardDeadLetters(room.caller, request);
  REQUIRE_OK(discarded);
  CHECK(discarded->discarded() == 2);
  CHECK(PlacesOf(room.DeadLetters()) == Places{{0, 0}, {1, 1}});
  // Neither is it when the retention of dead letters is over.
  room.Advance(absl::Hours(31 * 24));
  CHECK(room.Held() == 2);
}

}  // namespace
}  // namespace acta
