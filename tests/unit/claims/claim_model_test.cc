// Goal: claims behave as the simplest claims would, over any order of calls, times, sweeps and
// restarts. Method: a model in a map beside the real room. ACTA_SEED repeats a run.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/claims/claims_room.h"

namespace acta {
namespace {

struct ModelClaim {
  std::string token;
  std::string owner;
  std::string wish;
  absl::Time until;
  absl::Time end;
  bool completed = false;
  std::string result;
};

class ClaimModel {
 public:
  explicit ClaimModel(uint64_t seed) : random_(seed) {}

  void Step() {
    const std::string key(1, static_cast<char>('a' + Draw(5)));
    switch (Draw(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return AskFor(key);
      case 4:
      case 5:
        return CompleteOne(key);
      case 6:
        return ReleaseOne(key);
      case 7:
        return memory_.Pass(absl::Seconds(1 + Draw(40)));
      case 8:
        return Draw(8) == 0 ? memory_.Pass(absl::Minutes(Draw(90))) : LookAt(key);
      default:
        if (Draw(20) == 0) memory_.room.Restart(memory_.engine);
    }
  }

 private:
  size_t Draw(size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random_); }
  absl::Time Now() const { return memory_.engine.Now(); }
  ModelClaim* Find(const std::string& key) {
    const auto it = claims_.find(key);
    if (it != claims_.end() && it->second.end <= Now()) claims_.erase(key);
    return claims_.count(key) == 0 ? nullptr : &claims_.at(key);
  }
  // One of those that were ever given out for the key.
  std::string AnyToken(const std::string& key) {
    const std::vector<std::string>& given = tokens_[key];
    return given.empty() ? std::string(32, '0') : given[Draw(given.size())];
  }

  void AskFor(const std::string& key) {
    v1::ClaimRequest wish = ClaimsRoom::Wish(key, std::string(1, static_cast<char>('x' + Draw(3))),
                                             Draw(2) == 0 ? "" : "wish");
    SetDuration(absl::Minutes(20), wish.mutable_ttl());
    const v1::ClaimResponse answer = memory_.room.Ask(wish);
    ModelClaim* const known = Find(key);
    if (known != nullptr && known->completed) {
      REQUIRE(answer.outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
      REQUIRE(answer.result() == known->result);
    } else if (known != nullptr && Now() < known->until) {
      const bool again =
          !known->wish.empty() && known->wish == wish.request_id() && known->owner == wish.owner();
      REQUIRE(answer.outcome() ==
              (again ? v1::CLAIM_OUTCOME_FIRST : v1::CLAIM_OUTCOME_IN_PROGRESS));
      REQUIRE(answer.token() == (again ? known->token : ""));
    } else {
      REQUIRE(answer.outcome() == v1::CLAIM_OUTCOME_FIRST);
      std::vector<std::string>& given = tokens_[key];
      REQUIRE(std::count(given.begin(), given.end(), answer.token()) == 0);
      given.push_back(answer.token());
      const absl::Time until = Now() + absl::Seconds(30);
      claims_[key] = {answer.token(), wish.owner(), wish.request_id(), until,
                      until + absl::Hours(1)};
    }
  }

  void CompleteOne(const std::string& key) {
    const std::string token = AnyToken(key);
    const std::string result = std::to_string(++results_);
    const v1::ErrorReason reason = ReasonOf(memory_.room.Complete(key, token, result));
    ModelClaim* const known = Find(key);
    if (known == nullptr) {
      REQUIRE(reason == v1::CLAIM_NOT_FOUND);
    } else if (known->token != token) {
      REQUIRE(reason == v1::CLAIM_LOST);
    } else {
      REQUIRE(reason == v1::ERROR_REASON_UNSPECIFIED);
      if (known->completed) return;
      known->completed = true;
      known->result = result;
      known->end = Now() + absl::Minutes(20);
    }
  }

  void ReleaseOne(const std::string& key) {
    const bool force = Draw(4) == 0;
    const std::string token = AnyToken(key);
    const v1::ErrorReason reason = ReasonOf(memory_.room.Release(key, token, force));
    ModelClaim* const known = Find(key);
    if (known == nullptr) {
      REQUIRE(reason == v1::CLAIM_NOT_FOUND);
    } else if (!force && known->token != token) {
      REQUIRE(reason == v1::CLAIM_LOST);
    } else if (!force && known->completed) {
      REQUIRE(reason == v1::ALREADY_SETTLED);
    } else {
      REQUIRE(reason == v1::ERROR_REASON_UNSPECIFIED);
      claims_.erase(key);
    }
  }

  void LookAt(const std::string& key) {
    const absl::StatusOr<v1::Claim> claim = memory_.room.Get(key);
    const ModelClaim* const known = Find(key);
    REQUIRE(claim.ok() == (known != nullptr));
    if (known != nullptr) {
      REQUIRE((claim->state() == v1::CLAIM_STATE_COMPLETED) == known->completed);
      REQUIRE(claim->owner() == known->owner);
    }
    size_t counting = 0;
    for (const char* each : {"a", "b", "c", "d", "e"}) counting += Find(each) != nullptr;
    REQUIRE(static_cast<size_t>(memory_.room.List().claims_size()) == counting);
    REQUIRE(memory_.room.Stored() == memory_.room.StoredEnds());
  }

  // As many as there are keys: it is met only when something is counted wrongly.
  MemoryClaims memory_{ClaimLimits{5}};
  std::mt19937_64 random_;
  std::map<std::string, ModelClaim> claims_;
  std::map<std::string, std::vector<std::string>> tokens_;
  int results_ = 0;
};

TEST_CASE("claims behave as a model of them does, in any order of calls", "[claims]") {
  const char* const given = std::getenv("ACTA_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("ACTA_SEED=%lu\n", seed);
  INFO("ACTA_SEED=" << seed);
  ClaimModel model(seed);
  for (int i = 0; i < 20'000; ++i) model.Step();
}

}  // namespace
}  // namespace acta
