#include "tests/crash/queue_go_on.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/layout/rows.h"
#include "tests/crash/step_repeat.h"

namespace acta {
namespace {

// What waits for its time, or is scheduled, waits for less.
constexpr absl::Duration kBehindEverything = absl::Hours(12);
constexpr int kRounds = 10'000;

// What is held, and what is open and of the same key.
std::set<JobPlace> BehindHeld(const QueueLeft& left) {
  std::set<std::pair<int32_t, std::string>> keys;
  std::set<JobPlace> waiting = left.held;
  for (const JobPlace& place : left.held) {
    const auto key = left.keys.find(place);
    if (key != left.keys.end()) keys.emplace(place.partition, key->second);
  }
  for (const auto& [place, attempt] : left.open) {
    const auto key = left.keys.find(place);
    if (key != left.keys.end() && keys.contains({place.partition, key->second})) {
      waiting.insert(place);
    }
  }
  return waiting;
}

}  // namespace

void QueueGoOn::Problem(absl::string_view name, size_t group, const JobPlace& place,
                        absl::string_view what) {
  problem_(name, absl::StrCat(kQueueGroups[group].name, " ", place.partition, "/", place.offset,
                              ": ", what));
}

void QueueGoOn::Run(ScheduleCheck& later, StreamCheck& stream) {
  auto results = ReadStepResults(store_);
  if (!results.ok()) return problem_("goes-on", results.status().message());
  written_ = *std::move(results);
  Repeat();
  stream.GoOn(problem_);
  store_.Advance(kBehindEverything);
  later.LookDelivered(problem_);
  for (size_t group = 0; group < left_.size(); ++group) Process(group);

  store_.Close();
  const absl::Status opened = store_.Open();
  if (!opened.ok()) return problem_("goes-on", opened.message());
  store_.Advance(kBehindEverything);
  results = ReadStepResults(store_);
  if (!results.ok()) return problem_("goes-on", results.status().message());
  std::sort(results->begin(), results->end());
  std::sort(written_.begin(), written_.end());
  later.LookDelivered(problem_);
  stream.LookAgain(problem_);
  if (*results != written_) problem_("goes-on", "the results are not those of the steps");
  for (size_t group = 0; group < left_.size(); ++group) CheckEmpty(group);
}

void QueueGoOn::Repeat() {
  std::vector<int64_t> resets(std::size(kQueueGroups));
  for (size_t group = 0; group < left_.size(); ++group) resets[group] = left_[group].resets;
  const auto steps = RepeatSteps(history_, cut_, resets, store_);
  if (!steps.ok()) return problem_("goes-on", steps.status().message());
  for (const RepeatedStep& step : *steps) {
    bool may = true;
    for (const size_t index : step.decisions) {
      const QueueDecision& decision = history_.decisions[index];
      const auto& open = left_[decision.group].open;
      const auto found = open.find({decision.partition, decision.offset});
      may &= decision.acked > cut_.operations && found != open.end() &&
             found->second == decision.attempt;
      if (step.accepted) written_.push_back(StepResultOf(history_, index));
    }
    if (step.accepted ? !may : may && step.kept) {
      problem_("goes-on", absl::StrCat("'", StepResultOf(history_, step.decisions[0]), "' was ",
                                       step.accepted ? "accepted" : "refused", " again"));
    }
    if (!step.accepted || !may) continue;
    for (const size_t index : step.decisions) SettleAgain(history_.decisions[index]);
  }
}

void QueueGoOn::SettleAgain(const QueueDecision& decision) {
  const JobPlace place{decision.partition, decision.offset};
  QueueLeft& left = left_[decision.group];
  QueueState state;
  state.attempts = decision.attempt - 1;
  state = StateAfter(state, decision, decision.offset);
  left.open[place] = state.attempts + 1;
  if (state.kind == QueueState::Kind::kOpen) return;
  left.open.erase(place);
  left.letters += state.kind == QueueState::Kind::kDead ? 1 : 0;
  if (state.kind == QueueState::Kind::kHeld) left.held.insert(place);
}

void QueueGoOn::Process(size_t group) {
  auto hand = QueueHand::Join(store_, kQueueGroups[group].name);
  if (!hand.ok()) return problem_("goes-on", hand.status().message());
  QueueLeft& left = left_[group];
  waiting_ = BehindHeld(left);
  Wanted now, later;
  for (const auto& [place, attempt] : left.open) {
    (waiting_.contains(place) ? later : now)[place] = attempt;
  }
  TakeAll(group, **hand, std::move(now));
  if (!waiting_.empty()) {
    Decide(group, &later);
    waiting_.clear();
    TakeAll(group, **hand, std::move(later));
  }
  (*hand)->Leave(true);
}

void QueueGoOn::TakeAll(size_t group, QueueHand& hand, Wanted wanted) {
  for (int round = 0; round < kRounds && !wanted.empty(); ++round) {
    hand.Take(100);
    if (hand.hand().empty()) break;
    AckAll(group, hand, &wanted);
  }
  hand.Take(100);
  for (const QueueHand::Leased& leased : std::exchange(hand.hand(), {})) {
    const JobPlace place{leased.partition, leased.offset};
    const bool waits = waiting_.contains(place);
    Problem(waits ? "passed-hold" : "goes-on", group, place, "was delivered when it must not be");
  }
  for (const auto& [place, attempt] : wanted) {
    Problem("goes-on", group, place, "was never delivered");
  }
}

// Half of them in a step.
void QueueGoOn::AckAll(size_t group, QueueHand& hand, Wanted* wanted) {
  std::vector<QueueSettlement> settlements;
  QueueStep step;
  for (const QueueHand::Leased& leased : std::exchange(hand.hand(), {})) {
    const JobPlace place{leased.partition, leased.offset};
    const auto expected = wanted->extract(place);
    if (expected.empty()) {
      Problem(waiting_.contains(place) ? "passed-hold" : "goes-on", group, place,
              "is delivered, and is not outstanding or waits for a decision");
    } else if (!leased.whole || leased.attempt != expected.mapped()) {
      Problem("goes-on", group, place, absl::StrCat("comes with attempt ", leased.attempt));
    }
    if (place.offset % 2 == 0) {
      step.runs.push_back(leased.Run(hand.session(), store_));
      continue;
    }
    settlements.emplace_back();
    settlements.back().partition = store_.Partition(leased.partition);
    settlements.back().offset = Offset(leased.offset);
  }
  auto failures = hand.queue().Settle(hand.session(), settlements, [](const absl::Status&) {});
  if (!step.runs.empty()) {
    written_.push_back(absl::StrCat("after ", written_.size()));
    PutStepResult(written_.back(), store_, &step);
    step.done = [](const TransactionResult&) {};
    const auto refused = hand.queue().SettleStep(std::move(step));
    failures.insert(failures.end(), refused.begin(), refused.end());
  }
  if (!failures.empty()) problem_("goes-on", "an acknowledgement was refused");
  if (!hand.queue().WaitQuiet().ok()) problem_("goes-on", "acknowledgements are not written");
  store_.Run();
}

// What is held at an even offset is skipped, the rest is redriven.
void QueueGoOn::Decide(size_t group, Wanted* wanted) {
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group(kQueueGroups[group].name);
  for (const JobPlace& place : left_[group].held) {
    if (place.offset % 2 == 0) {
      if (!Skip(group, place)) Problem("goes-on", group, place, "cannot be skipped");
      continue;
    }
    v1::DeadLetterRef& ref = *redrive.mutable_selection()->add_letters();
    ref.set_topic(kQueueTopic);
    ref.set_partition(place.partition);
    ref.set_offset(place.offset);
    (*wanted)[place] = 1;
  }
  const int letters = redrive.selection().letters_size();
  if (letters == 0) return;
  const auto redriven = store_.groups().RedriveDeadLetters(store_.caller(), redrive);
  if (!redriven.ok() || redriven->redriven() != letters) {
    problem_("goes-on",
             absl::StrCat("what is held was not redriven: ", redriven.status().message()));
  }
  store_.Run();
}

bool QueueGoOn::Skip(size_t group, const JobPlace& place) {
  v1::SkipOffsetsRequest request;
  request.set_group(kQueueGroups[group].name);
  request.set_topic(kQueueTopic);
  request.set_partition(place.partition);
  request.set_offset(place.offset);
  request.set_reason("nobody needs it");
  const auto skipped = store_.groups().Skip(store_.caller(), request);
  store_.Run();
  return skipped.ok() && skipped->skipped() == 1;
}

// After another start.
void QueueGoOn::CheckEmpty(size_t group) {
  auto hand = QueueHand::Join(store_, kQueueGroups[group].name);
  if (!hand.ok()) return problem_("goes-on", hand.status().message());
  (*hand)->Take(100);
  if (!(*hand)->hand().empty()) problem_("goes-on", "what was acknowledged comes again");
  const auto numbers = AskNumbers(store_, group);
  if (!numbers.ok()) {
    problem_("wrong-counts", numbers.status().message());
  } else if (numbers->outstanding != 0 ||
             numbers->dead_letters != static_cast<int64_t>(left_[group].letters)) {
    problem_("wrong-counts", absl::StrCat(kQueueGroups[group].name, " says ", numbers->outstanding,
                                          " outstanding and ", numbers->dead_letters,
                                          " dead letters; there are ", left_[group].letters));
  }
  CheckCopies(group);
  (*hand)->Leave(true);
}

// Only of dead letters, now that everything else is processed.
void QueueGoOn::CheckCopies(size_t group) {
  const auto id = store_.groups().GetId(store_.caller(), "", kQueueGroups[group].name);
  if (!id.ok()) return problem_("lost-group", kQueueGroups[group].name);
  const auto rows = LoadGroupRows(store_, *id);
  const auto kept = store_.engine().LoadRows(Family::kState, QueueRows(kKeptRows, *id));
  if (!rows.ok() || !kept.ok()) return problem_("goes-on", "rows cannot be read");
  for (const auto& [key, value] : *kept) {
    const auto found = PlaceOfRow(kKeptRows, key);
    if (!found.ok()) return problem_("goes-on", found.status().message());
    const JobPlace place{found->first.partition(), found->second.value()};
    if (!rows->letters.contains(place)) {
      Problem("goes-on", group, place, "is processed, and its copy is there");
    }
  }
}

}  // namespace acta
