// Claims that are completed in a step.
#include "absl/strings/str_cat.h"
#include "tests/unit/settle/step_room.h"

namespace acta {
namespace {

v1::ClaimResponse Claim(StepRoom& room, const std::string& key,
                        const std::string& group = "workers") {
  v1::ClaimRequest request;
  request.set_group(group);
  request.set_key(key);
  auto answer = room.claims.Claim(room.caller, request);
  REQUIRE_OK(answer);
  return *std::move(answer);
}

void Complete(const std::string& key, const std::string& token, const std::string& result,
              v1::SettleRequest* request) {
  v1::CompletedClaim* claim = request->add_claims();
  claim->set_key(key);
  claim->set_token(token);
  claim->set_result(result);
}

struct Claimed {
  Claimed() {
    room.PublishNumbers(0, 2);
    client = &room.Work();
    token = Claim(room, "payment/1").token();
    request = room.Step(client->sink.leased[0], "bill");
  }
  StepRoom room;
  Client* client = nullptr;
  std::string token;
  v1::SettleRequest request;
};

TEST_CASE("a step completes claims", "[step]") {
  Claimed claimed;
  const std::string second = Claim(claimed.room, "mail/1").token();
  Complete("payment/1", claimed.token, "paid", &claimed.request);
  Complete("mail/1", second, "sent", &claimed.request);
  REQUIRE_OK(claimed.room.Settle(claimed.request));
  CHECK(claimed.room.Bills() == Strings{"bill"});
  CHECK(claimed.room.Outstanding() == 1);
  const v1::ClaimResponse again = Claim(claimed.room, "payment/1");
  CHECK(again.outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
  CHECK(again.result() == "paid");
  CHECK(Claim(claimed.room, "mail/1").result() == "sent");
}

TEST_CASE("a claim that was completed before keeps its result, and the step goes through",
          "[step]") {
  Claimed claimed;
  Complete("payment/1", claimed.token, "paid", &claimed.request);
  REQUIRE_OK(claimed.room.Settle(claimed.request));
  v1::SettleRequest other = claimed.room.Step(claimed.client->sink.leased[1], "bill 2");
  Complete("payment/1", claimed.token, "paid twice", &other);
  REQUIRE_OK(claimed.room.Settle(other));
  CHECK(Claim(claimed.room, "payment/1").result() == "paid");
}

TEST_CASE("a claim that a step names twice is told, however long its key is", "[step]") {
  Claimed claimed;
  for (int i = 0; i < 2; ++i) {
    Complete(std::string(5000, 'k'), claimed.token, "paid", &claimed.request);
  }
  const auto refused = claimed.room.Settle(claimed.request);
  CHECK(ReasonOf(refused.status()) == v1::INVALID_ARGUMENT);
  CHECK(EncodeStatusDetails(refused.status()).size() < 2000);
}

TEST_CASE("a step that is refused completes no claim", "[step]") {
  Claimed claimed;
  StepRoom& room = claimed.room;
  Complete("payment/1", claimed.token, "paid", &claimed.request);
  SECTION("because its event is settled") {
    claimed.client->Ack(claimed.client->sink.leased[0]);
    room.Run();
    CHECK(room.Refused(claimed.request) == v1::ALREADY_SETTLED);
  }
  SECTION("because of what it publishes") {
    claimed.request.mutable_publish(0)->set_partition(0);
    claimed.request.mutable_publish(0)->mutable_expect()->set_end_offset(7);
    CHECK(room.Refused(claimed.request) == v1::WRONG_EXPECTED_OFFSET);
  }
  SECTION("because what it publishes breaks a limit") {
    claimed.request.mutable_publish(0)->mutable_events(0)->set_key(std::string(1025, 'k'));
    CHECK(room.Refused(claimed.request) == v1::KEY_TOO_LARGE);
    CHECK(room.Outstanding() == 2);
  }
  SECTION("because it has too much to publish") {
    claimed.request.mutable_publish(0)->mutable_events(0)->set_data(std::string(2 << 20, 'x'));
    CHECK(room.Refused(claimed.request) == v1::EVENT_TOO_LARGE);
    CHECK(room.Outstanding() == 2);
  }
  CHECK(room.Bills().empty());
  CHECK(Claim(room, "payment/1").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  v1::SettleRequest good = room.Step(claimed.client->sink.leased[1], "bill");
  Complete("payment/1", claimed.token, "paid later", &good);
  REQUIRE_OK(room.Settle(good));
  CHECK(Claim(room, "payment/1").result() == "paid later");
}

TEST_CASE("a step with a claim that comes again while it is written is to be sent once more",
          "[step]") {
  Claimed claimed;
  StepRoom& room = claimed.room;
  Complete("payment/1", claimed.token, "paid", &claimed.request);
  room.engine.HoldDone();
  const auto first = room.Begin(claimed.request);
  CHECK(room.Refused(claimed.request) == v1::CONCURRENT_CHANGE);
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE_OK(**first);
  CHECK(room.Refused(claimed.request) == v1::ALREADY_SETTLED);
  CHECK(room.Bills() == Strings{"bill"});
}

TEST_CASE("a claim that is not the caller's any more stops the step", "[step]") {
  Claimed claimed;
  StepRoom& room = claimed.room;
  Complete("payment/1", claimed.token, "paid", &claimed.request);
  SECTION("one that is there no more") {
    Complete("nothing", claimed.token, "", &claimed.request);
    const auto refused = room.Settle(claimed.request);
    CHECK(ReasonOf(refused.status()) == v1::CLAIM_NOT_FOUND);
    CHECK(DetailsOf(refused.status()).at("claim") == "1");
  }
  SECTION("one that somebody else has") {
    room.engine.Advance(absl::Seconds(31));
    REQUIRE(Claim(room, "payment/1").outcome() == v1::CLAIM_OUTCOME_FIRST);
    const auto refused = room.Settle(claimed.request);
    CHECK(ReasonOf(refused.status()) == v1::CLAIM_LOST);
    CHECK(DetailsOf(refused.status()).at("claim") == "0");
  }
  SECTION("one that another step is completing") {
    room.engine.HoldDone();
    v1::SettleRequest other = room.Step(claimed.client->sink.leased[1]);
    Complete("payment/1", claimed.token, "paid", &other);
    const auto first = room.Begin(other);
    CHECK(room.Refused(claimed.request) == v1::CONCURRENT_CHANGE);
    room.engine.ReleaseDone();
    room.Run();
    REQUIRE_OK(**first);
    REQUIRE_OK(room.Settle(claimed.request));
    return;
  }
  CHECK(room.Bills().empty());
  CHECK(room.Outstanding() == 2);
}

TEST_CASE("a step has at most 100 claims and 1 MiB of their results, each once", "[step]") {
  Claimed claimed;
  StepRoom& room = claimed.room;
  SECTION("claims") {
    for (int i = 0; i < 101; ++i) {
      const std::string key = absl::StrCat("key ", i);
      Complete(key, Claim(room, key).token(), "", &claimed.request);
    }
    const auto refused = room.Settle(claimed.request);
    CHECK(ReasonOf(refused.status()) == v1::LIMIT_EXCEEDED);
    CHECK(DetailsOf(refused.status()).at("limit") == "max_step_claims");
    claimed.request.mutable_claims()->RemoveLast();
  }
  SECTION("bytes") {
    for (int i = 0; i < 16; ++i) {
      const std::string key = absl::StrCat("key ", i);
      Complete(key, Claim(room, key).token(), std::string(64 << 10, 'r'), &claimed.request);
    }
    Complete("payment/1", claimed.token, "r", &claimed.request);
    const auto refused = room.Settle(claimed.request);
    CHECK(ReasonOf(refused.status()) == v1::LIMIT_EXCEEDED);
    CHECK(DetailsOf(refused.status()).at("limit") == "max_step_result_bytes");
    claimed.request.mutable_claims()->RemoveLast();
  }
  SECTION("keys") {
    Complete("payment/1", claimed.token, "", &claimed.request);
    Complete("payment/1", claimed.token, "", &claimed.request);
    CHECK(room.Refused(claimed.request) == v1::INVALID_ARGUMENT);
    claimed.request.mutable_claims()->RemoveLast();
  }
  REQUIRE_OK(room.Settle(claimed.request));
}

}  // namespace
}  // namespace acta
