// Settlements that do not count: those that come late, and what each says.
#include <map>

#include "absl/strings/match.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("a late nack, reject, extend or release of a lease that another has is LEASE_LOST",
          "[queue]") {
  const v1::SettleKind kind = GENERATE(v1::SETTLE_KIND_NACK, v1::SETTLE_KIND_REJECT,
                                       v1::SETTLE_KIND_EXTEND, v1::SETTLE_KIND_RELEASE);
  INFO(v1::SettleKind_Name(kind));
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& late = room.Work(1);
  REQUIRE(late.sink.leased.size() == 1);
  room.Wait(absl::Seconds(35));
  Client& other = room.Work(1);
  REQUIRE(other.sink.leased.size() == 1);
  CHECK(other.sink.leased[0].attempt == 2);
  room.Wait(absl::Seconds(5));
  const uint64_t frame = late.Settle(kind, late.sink.leased[0]);
  room.Run();
  CHECK(late.sink.acked_through() == frame);
  CHECK(late.sink.ErrorOf(frame) == v1::LEASE_LOST);
  const v1::QueueLag lag = room.Lag("workers", 0).queue();
  CHECK(lag.leased() == 1);
  CHECK(lag.dead_letters() == 0);
  SECTION("and the other settles it") {
    const uint64_t ack = other.Ack(other.sink.leased[0]);
    room.Run();
    CHECK(other.sink.ErrorOf(ack) == v1::ERROR_REASON_UNSPECIFIED);
    CHECK(room.Lag("workers", 0).lag_events() == 0);
  }
  SECTION("and the other has it no longer than before") {
    late.Credit(1, 1000);
    room.Wait(absl::Seconds(24));
    CHECK(late.sink.leased.size() == 1);
    for (int i = 0; i < 3; ++i) room.Wait(absl::Seconds(1));  // And the backoff.
    REQUIRE(late.sink.leased.size() == 2);
    CHECK(late.sink.leased[1].attempt == 3);
  }
}

TEST_CASE("a nack, reject, extend or release needs the lease, also while nobody has the event",
          "[queue]") {
  const v1::SettleKind kind = GENERATE(v1::SETTLE_KIND_NACK, v1::SETTLE_KIND_REJECT,
                                       v1::SETTLE_KIND_EXTEND, v1::SETTLE_KIND_RELEASE);
  INFO(v1::SettleKind_Name(kind));
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& late = room.Work(1);
  REQUIRE(late.sink.leased.size() == 1);
  room.Wait(absl::Seconds(35));
  const uint64_t frame = late.Settle(kind, late.sink.leased[0]);
  room.Run();
  CHECK(late.sink.ErrorOf(frame) == v1::LEASE_LOST);
  CHECK(room.Lag("workers", 0).queue().ready() == 1);
  CHECK(room.DeadLetters().dead_letters().empty());
  Client& other = room.Work();
  REQUIRE(other.sink.leased.size() == 1);
  CHECK(other.sink.leased[0].attempt == 2);
}

// What is wrong with a settlement, and what is said of it.
struct Told {
  v1::ErrorReason reason;
  std::string words;  // Of the text.
  std::map<std::string, std::string> details;
};

void CheckTold(const v1::Status& status, const Told& told) {
  INFO(status.ShortDebugString());
  CHECK(status.reason() == told.reason);
  CHECK(absl::StrContains(status.message(), told.words));
  CHECK(DetailsOf(FromProto(status)) == told.details);
}

struct ToldRoom : QueueRoom {
  explicit ToldRoom(v1::QueueSettings settings = {}) : QueueRoom(std::move(settings)) {
    PublishNumbers(0, 5);
    client = &Work(2);
    other = &Work(1);
    settlement.set_assignment(client->sink.leased.at(0).assignment);
    settlement.set_kind(v1::SETTLE_KIND_ACK);
  }
  void Check(const Told& told) {
    const uint64_t frame = client->Settle(settlement);
    Run();
    const auto errors = client->sink.errors();
    REQUIRE(errors.count(frame) == 1);
    CheckTold(errors.at(frame), told);
  }

  Client* client = nullptr;
  Client* other = nullptr;
  v1::Settlement settlement;  // An ack of the first event.
};

TEST_CASE("an error of a settlement names the limit and says what to do", "[queue]") {
  ToldRoom room;
  v1::Settlement& settlement = room.settlement;
  SECTION("a text") {
    settlement.set_kind(v1::SETTLE_KIND_REJECT);
    settlement.set_text(std::string(1025, 'a'));
    room.Check({v1::LIMIT_EXCEEDED,
                "1025, above max_settle_text_bytes of 1024; use less",
                {{"limit", "max_settle_text_bytes"}, {"limit_value", "1024"}, {"value", "1025"}}});
  }
  SECTION("a reason") {
    settlement.set_kind(v1::SETTLE_KIND_NACK);
    settlement.set_reason("out of stock");
    room.Check({v1::INVALID_ARGUMENT,
                "a word of at most 64 of [a-zA-Z0-9._-] is wanted: tell more in `text`",
                {{"field", "reason"}}});
  }
  SECTION("a reason of an ack") {
    settlement.set_reason("done");
    room.Check({v1::INVALID_ARGUMENT, "only NACK and REJECT have", {{"field", "reason"}}});
  }
  SECTION("a kind") {
    settlement.set_kind(static_cast<v1::SettleKind>(17));
    room.Check({v1::UNKNOWN_ENUM_VALUE,
                "use ACK, NACK, REJECT, EXTEND or RELEASE",
                {{"field", "kind"}, {"value", "17"}}});
  }
  SECTION("a delay of an ack") {
    settlement.mutable_delay()->set_seconds(1);
    room.Check({v1::INVALID_ARGUMENT, "only NACK and EXTEND have one", {{"field", "delay"}}});
  }
  SECTION("a delay of a nack") {
    settlement.set_kind(v1::SETTLE_KIND_NACK);
    settlement.mutable_delay()->set_seconds(30 * 86'400 + 1);
    room.Check({v1::INVALID_ARGUMENT, "720h1s is not between 0 and 720h", {{"field", "delay"}}});
  }
  SECTION("an extension") {
    settlement.set_kind(v1::SETTLE_KIND_EXTEND);
    settlement.mutable_delay()->set_seconds(12 * 3600 + 1);
    room.Check(
        {v1::LIMIT_EXCEEDED,
         "an extension of 12h1s would make the lease longer than 12h in all: extend it by less",
         {{"limit", "max_lease_hours"}, {"limit_value", "12"}, {"value", "12.0003"}}});
  }
  SECTION("events") {
    settlement.set_count(65'537);
    room.Check({v1::LIMIT_EXCEEDED,
                "65537, above max_settled_events_per_frame of 65536; use less",
                {{"limit", "max_settled_events_per_frame"},
                 {"limit_value", "65536"},
                 {"value", "65537"}}});
  }
  SECTION("an assignment") {
    settlement.set_assignment(99);
    room.Check({v1::FENCED, "drop what was delivered with it", {{"assignment", "99"}}});
  }
  SECTION("what was not delivered") {
    settlement.set_offset(4);
    room.Check({v1::NEVER_LEASED, "settle what was delivered", {}});
  }
  SECTION("what another has") {
    settlement.set_offset(room.other->sink.leased.at(0).offset);
    room.Check({v1::LEASE_LOST, "drop what was made of them", {}});
  }
  SECTION("what is settled") {
    room.client->Settle(settlement);
    room.Check({v1::ALREADY_SETTLED, "nothing was changed", {}});
  }
}

TEST_CASE("the error of a lease that would be too long says what was asked for", "[queue]") {
  v1::QueueSettings settings;
  settings.mutable_lease()->set_seconds(12 * 3600);
  ToldRoom room(settings);
  v1::Settlement& settlement = room.settlement;
  settlement.set_kind(v1::SETTLE_KIND_EXTEND);
  room.Wait(absl::Hours(1));
  SECTION("by name") {
    settlement.mutable_delay()->set_seconds(11 * 3600 + 1800);
    room.Check(
        {v1::LIMIT_EXCEEDED,
         "an extension of 11h30m would make the lease longer than 12h in all: extend it by less",
         {{"limit", "max_lease_hours"}, {"limit_value", "12"}, {"value", "11.5"}}});
    settlement.mutable_delay()->set_seconds(11 * 3600);
    const uint64_t fits = room.client->Settle(settlement);
    room.Run();
    CHECK(room.client->sink.ErrorOf(fits) == v1::ERROR_REASON_UNSPECIFIED);
  }
  SECTION("as the group's settings say") {
    room.Check({v1::LIMIT_EXCEEDED,
                "the extension would make the lease longer than 12h in all: extend it by less",
                {{"limit", "max_lease_hours"}, {"limit_value", "12"}}});
  }
}

TEST_CASE("an error of a setting names the field, the value and its bounds", "[queue]") {
  QueueRoom room;
  v1::QueueSettings queue;
  Told told = {v1::INVALID_ARGUMENT, "", {}};
  const auto expect = [&told](const std::string& field, const std::string& value,
                              const std::string& words) {
    told.words = words;
    told.details = {{"field", "queue." + field}, {"value", value}};
  };
  SECTION("lease") {
    queue.mutable_lease()->set_seconds(0);
    expect("lease", "0", "queue.lease 0 is not between 1s and 12h");
  }
  SECTION("max_attempts") {
    queue.set_max_attempts(1001);
    expect("max_attempts", "1001", "queue.max_attempts 1001 is not between 1 and 1000");
  }
  SECTION("backoff_initial") {
    queue.mutable_backoff_initial()->set_nanos(9'000'000);
    expect("backoff_initial", "9ms", "9ms is not between 10ms and 24h");
  }
  SECTION("backoff_max") {
    queue.mutable_backoff_max()->set_seconds(30 * 86'400 + 1);
    expect("backoff_max", "720h1s", "720h1s is not between 10ms and 720h");
  }
  SECTION("backoff_factor") {
    queue.set_backoff_factor(0.5);
    expect("backoff_factor", "0.5", "0.5 is not between 1 and 100");
  }
  SECTION("backoff_jitter") {
    queue.set_backoff_jitter(1.5);
    expect("backoff_jitter", "1.5", "1.5 is not between 0 and 1");
  }
  SECTION("dead_letter_retention") {
    queue.mutable_dead_letter_retention()->set_seconds(59);
    expect("dead_letter_retention", "59s", "59s is not between 1m and 9600h");
  }
  SECTION("max_dead_letters") {
    queue.set_max_dead_letters(0);
    expect("max_dead_letters", "0", "0 is not between 1 and 1000000");
  }
  SECTION("order") {
    queue.set_order(static_cast<v1::QueueOrder>(9));
    told.reason = v1::UNKNOWN_ENUM_VALUE;
    expect("order", "9", "use UNORDERED, KEY or KEY_RELAXED");
  }
  SECTION("on_exhausted") {
    queue.set_on_exhausted(static_cast<v1::OnExhausted>(9));
    told.reason = v1::UNKNOWN_ENUM_VALUE;
    expect("on_exhausted", "9", "use DEAD_LETTER or HOLD_KEY");
  }
  const std::string before = room.Settings().SerializeAsString();
  CheckTold(ToProto(room.Update({"queue"}, queue)), told);
  CHECK(room.Settings().SerializeAsString() == before);
}

}  // namespace
}  // namespace acta
