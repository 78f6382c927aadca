#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

#include "tests/unit/journeys/journey_room.h"

namespace acta {
namespace {

struct Stored {
  std::string place;
  std::string id;
  std::string correlation;  // As readers see it.
  std::string cause;
  std::string name() const { return id.empty() ? place : id; }
};

// The events that are asked for, and those that share their correlation.
std::set<size_t> NaivePages(const std::vector<Stored>& log, const std::string& id,
                            const std::string& correlation, bool effects) {
  std::set<size_t> in;
  std::set<std::string> asked_for;
  std::set<std::string> journeys = {correlation};
  if (!id.empty()) {
    journeys.clear();
    for (size_t i = 0; i < log.size(); ++i) {
      if (log[i].id == id) in.insert(i), journeys.insert(log[i].correlation);
      if (log[i].id == id) asked_for.insert(log[i].name());
    }
  }
  for (size_t i = 0; i < log.size(); ++i) {
    if (journeys.contains(log[i].correlation) || journeys.contains(log[i].name())) in.insert(i);
    if (effects && asked_for.contains(log[i].cause)) in.insert(i);
  }
  return in;
}

// What a journey is, by looking at every event again and again.
std::set<std::string> NaiveJourney(const std::vector<Stored>& log, const std::string& id,
                                   const std::string& correlation) {
  std::set<std::string> names;
  std::set<size_t> in = NaivePages(log, id, correlation, /*effects=*/false);
  std::set<std::string> missing;
  for (size_t before = 0; before != in.size();) {
    before = in.size();
    for (const size_t i : std::set<size_t>(in)) {
      bool found = log[i].cause.empty();
      for (size_t k = 0; k < log.size(); ++k) {
        if (log[k].cause == log[i].name()) in.insert(k);
        if (!log[i].cause.empty() && log[k].name() == log[i].cause) in.insert(k), found = true;
      }
      if (!found) missing.insert("missing " + log[i].cause);
    }
    // What a missing one caused besides.
    for (size_t k = 0; k < log.size(); ++k) {
      if (missing.contains("missing " + log[k].cause)) in.insert(k);
    }
  }
  for (const size_t i : in) names.insert(log[i].place);
  if (!in.empty()) names.insert(missing.begin(), missing.end());
  return names;
}

std::set<std::string> Told(const v1::GetJourneyResponse& journey) {
  std::set<std::string> names;
  for (const v1::JourneyEvent& event : journey.events()) {
    if (event.state() == v1::JOURNEY_EVENT_STATE_MISSING) {
      names.insert("missing " + event.event().id());
      continue;
    }
    names.insert(PlaceText(event.position().topic(), event.position().partition(),
                           Offset(event.position().offset())));
  }
  CHECK(static_cast<int>(names.size()) == journey.events_size());
  return names;
}

class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed), room_(Limits(seed)) {
    for (const char* topic : {"a", "b"}) room_.CreateTopic(topic);
  }
  void Run() {
    for (int step = 0; step < 60; ++step) {
      switch (random_() % 12) {
        case 0:
          room_.Restart();
          break;
        case 1:
          if (random_() % 4 == 0) REQUIRE_OK(room_.indexer->Rebuild());
          break;
        case 2:
        case 3:
          Ask();
          break;
        default:
          Publish();
      }
    }
    for (int i = 0; i < 10; ++i) Ask();
  }
  // Answers in pages that left nothing out.
  int whole() const { return whole_; }

 private:
  static JourneyLimits Limits(uint64_t seed) {
    JourneyLimits limits;
    limits.buffer_bytes = static_cast<int64_t>(sizeof(IndexEntry) * (seed % 3 == 0 ? 1'000 : 20));
    return limits;
  }
  std::string Name(const char* kind, uint64_t most) {
    return kind + std::to_string(random_() % most);
  }
  // Rarely nothing, often something that is there.
  std::string Cause() {
    if (log_.empty() || random_() % 3 == 0) return "";
    if (random_() % 8 == 0) return Name("never", 5);
    return log_[random_() % log_.size()].name();
  }
  void Publish() {
    const std::string topic = random_() % 2 == 0 ? "a" : "b";
    const auto partition = static_cast<int32_t>(random_() % 2);
    v1::BatchContext context;
    if (random_() % 4 == 0) {
      context.set_correlation_id(Name("c", 8));
      context.set_causation_id(Cause());
    }
    std::vector<v1::Event> events;
    for (uint64_t i = random_() % 4 + 1; i > 0; --i) {
      events.push_back(JourneyRoom::Event(random_() % 5 == 0 ? "" : Name("e", 60),
                                          random_() % 2 == 0 ? "" : Name("c", 8), Cause()));
    }
    Offset at = room_.Publish(topic, partition, events, context);
    for (const v1::Event& event : events) {
      Stored stored{PlaceText(topic, partition, at), event.id(), event.correlation_id(),
                    event.causation_id()};
      if (stored.correlation.empty()) stored.correlation = context.correlation_id();
      if (stored.correlation.empty()) stored.correlation = stored.name();
      if (stored.cause.empty()) stored.cause = context.causation_id();
      log_.push_back(stored);
      at = at + 1;
    }
  }
  void Ask() {
    const bool by_event = random_() % 2 == 0;
    const std::string what = by_event ? Name("e", 60) : Name("c", 8);
    INFO("asked for " << what);
    REQUIRE(room_.indexer->CatchUp(absl::Seconds(20)));
    const auto got = room_.journeys->Get(
        room_.caller, by_event ? JourneyRoom::ByEvent(what) : JourneyRoom::ByCorrelation(what));
    const std::set<std::string> expected =
        NaiveJourney(log_, by_event ? what : "", by_event ? "" : what);
    if (expected.empty()) {
      CHECK(ReasonOf(got.status()) == v1::EVENT_NOT_FOUND);
      return;
    }
    REQUIRE_OK(got.status());
    CHECK(got->index().lag_events() == 0);
    CHECK(Told(*got) == expected);
    AskInPages(by_event ? what : "", by_event ? "" : what, expected);
  }
  void AskInPages(const std::string& id, const std::string& correlation,
                  const std::set<std::string>& expected) {
    auto request = id.empty() ? JourneyRoom::ByCorrelation(correlation) : JourneyRoom::ByEvent(id);
    request.set_page_size(static_cast<int32_t>(random_() % 30 + 1));
    INFO("pages of " << request.page_size());
    std::multiset<std::string> often;
    bool truncated = false;
    do {
      const v1::GetJourneyResponse page = room_.Get(request);
      truncated = truncated || page.truncated();
      for (const std::string& one : Told(page)) often.insert(one);
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    const std::set<std::string> told(often.begin(), often.end());
    if (!truncated) CHECK(told == expected);
    whole_ += truncated ? 0 : 1;
    CHECK(std::includes(expected.begin(), expected.end(), told.begin(), told.end()));
    const auto asked_for =
        std::count_if(log_.begin(), log_.end(), [&](const Stored& one) { return one.id == id; });
    for (const size_t i : NaivePages(log_, id, correlation, /*effects=*/true)) {
      CHECK(told.contains(log_[i].place));
      // Several events that are asked for may share what is around them.
      if (id.empty() || asked_for == 1) CHECK(often.count(log_[i].place) <= 1);
    }
  }

  int whole_ = 0;
  std::mt19937_64 random_;
  JourneyRoom room_;
  std::vector<Stored> log_;
};

TEST_CASE("journeys are what a naive look at the log says, over crashes and rebuilds") {
  int whole = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Model model(seed);
    model.Run();
    whole += model.whole();
  }
  CHECK(whole > 100);
}

}  // namespace
}  // namespace acta
