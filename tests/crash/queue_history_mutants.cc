#include "tests/crash/queue_history_mutants.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "storage/base/fatal.h"

namespace acta {
namespace {

using Op = QueueDecision::Op;

constexpr int64_t kMutantStep = 1'000'000;
constexpr int32_t kMutantReset = 1'000'000;
constexpr int64_t kBeyondAll = 1'000'000;  // An offset, or a distance.

// The last decision of each event, of those that its group was not reset behind.
std::map<std::tuple<size_t, int32_t, int64_t>, size_t> LastDecisions(const QueueHistory& history) {
  std::map<std::tuple<size_t, int32_t, int64_t>, size_t> last;
  for (size_t i = 0; i < history.decisions.size(); ++i) {
    const QueueDecision& decision = history.decisions[i];
    if (decision.op != Op::kReset) {
      last[{decision.group, decision.partition, decision.offset}] = i;
      continue;
    }
    std::erase_if(last, [&](const auto& entry) {
      return std::get<0>(entry.first) == decision.group &&
             std::get<1>(entry.first) == decision.partition;
    });
  }
  return last;
}

// The newest that is an event's last one and of which `is` holds.
template <typename Predicate>
size_t NewestLast(const QueueHistory& history, Predicate is) {
  std::optional<size_t> newest;
  for (const auto& [place, index] : LastDecisions(history)) {
    if (is(history.decisions[index])) newest = std::max(newest.value_or(index), index);
  }
  ACTA_CHECK(newest.has_value());
  return *newest;
}

// `in_step`: of a step, or of none.
size_t NewestOf(const QueueHistory& history, Op op, std::optional<bool> in_step = std::nullopt) {
  return NewestLast(history, [&](const QueueDecision& last) {
    return last.op == op && (!in_step.has_value() || *in_step == (last.step >= 0));
  });
}

// A nack that is not for the last attempt. `delayed`: one that says when.
size_t NewestNack(const QueueHistory& history, bool delayed = false) {
  return NewestLast(history, [delayed](const QueueDecision& last) {
    return last.op == Op::kNack && last.attempt < kQueueGroups[last.group].max_attempts &&
           (!delayed || last.due_us >= 0);
  });
}

// What an event is held after.
size_t NewestHold(const QueueHistory& history) {
  return NewestLast(history, [](const QueueDecision& last) {
    const QueueHistoryGroup& group = kQueueGroups[last.group];
    return (last.op == Op::kNack || last.op == Op::kLost) && last.keyed &&
           group.on_exhausted == OnExhausted::kHoldKey && last.attempt >= group.max_attempts;
  });
}

class MutantMaker {
 public:
  explicit MutantMaker(const QueueHistory& history) : history_(history) {}

  std::vector<QueueHistoryMutant> Make() {
    AddDeliveries();
    AddSteps();
    AddSchedules();
    AddHolds();
    AddResets();
    AddPositions();
    AddStreamSteps();
    return std::move(mutants_);
  }

 private:
  QueueHistory& Add(std::string problem) {
    return mutants_.emplace_back(QueueHistoryMutant{std::move(problem), history_}).history;
  }
  QueueDecision& Change(std::string problem, size_t decision) {
    return Add(std::move(problem)).decisions[decision];
  }

  void AddDeliveries() {
    // An ack that was answered, and the event waits for its next attempt.
    Change("outstanding-again", NewestNack(history_)).op = Op::kAck;
    // Nobody acknowledged an event that is passed.
    Change("lost-delivery", NewestOf(history_, Op::kAck)).op = Op::kRelease;
    // A failure that is not counted.
    QueueDecision again = history_.decisions[NewestNack(history_)];
    again.op = Op::kRedrive;
    Add("wrong-attempts").decisions.push_back(again);
    // An event that waits for another time than it was told.
    Change("wrong-due", NewestNack(history_, /*delayed=*/true)).due_us += 1;
    // A dead letter that nobody made.
    Change("wrong-dead-letter", NewestOf(history_, Op::kReject)).op = Op::kRelease;
  }

  void AddSteps() {
    // An ack whose step wrote nothing else, and a result that no step wrote.
    Change("lost-result", NewestOf(history_, Op::kAck, false)).step = kMutantStep;
    Change("wrong-result", NewestOf(history_, Op::kAck, true)).step = -1;
    // A step that has to have settled one event more.
    Change("torn-step", NewestOf(history_, Op::kAck, false)).step =
        history_.decisions[NewestOf(history_, Op::kAck, true)].step;
  }

  void AddSchedules() {
    // A scheduled event that is nowhere, and one that nobody scheduled.
    QueueHistory& lost = Add("lost-schedule");
    lost.schedules.push_back(history_.schedules.front());
    lost.schedules.back().event = kMutantStep;
    Add("wrong-schedule").schedules.clear();
  }

  void AddHolds() {
    // An event that is held although its attempts are not over, and one that was let go by nobody.
    Change("wrong-hold", NewestHold(history_)).op = Op::kRelease;
    Change("lost-hold", NewestOf(history_, Op::kSkip)).op = Op::kRelease;
  }

  void AddResets() {
    // A reset that was answered and did not happen, and one that nobody asked for.
    std::vector<QueueDecision>& lost = Add("lost-reset").decisions;
    lost.push_back(lost.back());
    lost.back().op = Op::kReset;
    lost.back().offset = 0;
    lost.back().attempt = kMutantReset;
    lost.back().step = -1;
    for (QueueDecision& one : Add("wrong-reset").decisions) {
      if (one.op == Op::kReset) one.op = Op::kRelease;  // Which changes nothing.
    }
  }

  void AddPositions() {
    const StreamCommit& newest = history_.stream.commits[NewestCommit()];
    // A commit that was answered, and the position is below it.
    std::vector<StreamCommit>& lost = Add("lost-commit").stream.commits;
    lost.push_back(newest);
    lost.back().offset = kBeyondAll;
    lost.back().step = -1;
    // A position that nobody asked for.
    int64_t position = 0;
    for (const StreamCommit& one : history_.stream.commits) {
      const bool answered = one.acked != StreamCommit::kNever;
      if (answered && one.partition == newest.partition) position = std::max(position, one.offset);
    }
    for (StreamCommit& one : Add("wrong-commit").stream.commits) {
      if (one.partition == newest.partition && one.offset >= position) one.offset += kBeyondAll;
    }
    // A commit under an assignment that was never given.
    Add("stale-generation").stream.commits[CommitThatMoves()].generation += kBeyondAll;
  }

  void AddStreamSteps() {
    const StreamCommit& newest = history_.stream.commits[NewestCommit(/*in_step=*/true)];
    // A step that was answered and did not happen, and one that happened and was refused.
    StreamHistory& lost = Add("lost-stream-step").stream;
    lost.commits.push_back(newest);
    lost.commits.back().offset = kBeyondAll;
    lost.commits.back().step = static_cast<int64_t>(lost.steps.size());
    lost.steps.push_back(lost.steps[static_cast<size_t>(newest.step)]);
    const auto step = static_cast<size_t>(newest.step);
    Add("wrong-outcome").stream.steps[step].refused = true;
    // One that has to have committed more.
    Add("torn-stream-step").stream.commits[NewestCommit(/*in_step=*/true)].offset = kBeyondAll;
    // A claim that was answered and is nowhere.
    StreamHistory& claim = Add("lost-claim").stream;
    claim.steps.push_back(claim.steps[step]);
    claim.steps.back().refused = true;
  }

  // That was answered.
  size_t NewestCommit(bool in_step = false) const {
    const std::vector<StreamCommit>& commits = history_.stream.commits;
    for (size_t i = commits.size(); i-- > 0;) {
      const bool answered = commits[i].acked != StreamCommit::kNever;
      if (answered && (!in_step || commits[i].step >= 0)) return i;
    }
    CheckFailed(__FILE__, __LINE__, "the load committed nothing");
  }

  // That was answered, and is newer than all that its partition was asked before.
  size_t CommitThatMoves() const {
    const std::vector<StreamCommit>& commits = history_.stream.commits;
    std::map<int32_t, int64_t> newest;  // Of each partition.
    for (size_t i = 0; i < commits.size(); ++i) {
      int64_t& before = newest[commits[i].partition];
      if (commits[i].acked != StreamCommit::kNever && commits[i].offset > before) return i;
      before = std::max(before, commits[i].offset);
    }
    CheckFailed(__FILE__, __LINE__, "the load committed nothing");
  }

  const QueueHistory& history_;
  std::vector<QueueHistoryMutant> mutants_;
};

}  // namespace

std::vector<QueueHistoryMutant> MutantsOf(const QueueHistory& history) {
  return MutantMaker(history).Make();
}

}  // namespace acta
