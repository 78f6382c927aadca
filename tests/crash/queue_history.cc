#include "tests/crash/queue_history.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/fatal.h"

namespace acta {
namespace {

using Op = QueueDecision::Op;

// The last decision of each event.
std::map<std::tuple<size_t, int32_t, int64_t>, size_t> LastDecisions(const QueueHistory& history) {
  std::map<std::tuple<size_t, int32_t, int64_t>, size_t> last;
  for (size_t i = 0; i < history.decisions.size(); ++i) {
    const QueueDecision& decision = history.decisions[i];
    last[{decision.group, decision.partition, decision.offset}] = i;
  }
  return last;
}

constexpr int64_t kMutantStep = 1'000'000;

// The newest that is an event's last one, and of a nack, not for its last attempt. `in_step`: of a
// step, or of none.
size_t NewestLast(const QueueHistory& history, Op op, std::optional<bool> in_step = std::nullopt) {
  size_t newest = history.decisions.size();
  for (const auto& [place, index] : LastDecisions(history)) {
    const QueueDecision& last = history.decisions[index];
    const int32_t most = kQueueGroups[last.group].max_attempts;
    if (in_step.has_value() && *in_step != (last.step >= 0)) continue;
    if (last.op != op || (op == Op::kNack && last.attempt >= most)) continue;
    if (newest == history.decisions.size() || index > newest) newest = index;
  }
  ACTA_CHECK(newest < history.decisions.size());
  return newest;
}

}  // namespace

QueueState StateAfter(QueueState state, const QueueDecision& decision) {
  switch (decision.op) {
    case Op::kAck:
    case Op::kDiscard:
      state.kind = QueueState::Kind::kProcessed;
      break;
    case Op::kNack:
    case Op::kLost:
      ++state.attempts;
      state.due_us = decision.due_us;
      if (state.attempts >= kQueueGroups[decision.group].max_attempts) {
        state.kind = QueueState::Kind::kDead;
      }
      break;
    case Op::kReject:
      ++state.attempts;
      state.kind = QueueState::Kind::kDead;
      break;
    case Op::kRelease:
      break;
    case Op::kRedrive:
      state = {QueueState::Kind::kOpen, 0, state.redrives + 1, -1};
      break;
  }
  return state;
}

int64_t TimeOf(const QueueHistory& history, size_t operations) {
  int64_t now_us = 0;
  for (const auto& [at, time_us] : history.times) {
    now_us = time_us;
    if (at > operations) break;
  }
  return now_us;
}

absl::Status SaveQueueHistory(const QueueHistory& history, const std::string& path) {
  std::ofstream out(path);
  out << "ready " << history.ready << '\n';
  for (const QueueDecision& decision : history.decisions) {
    out << "decision " << decision.group << ' ' << decision.partition << ' ' << decision.offset
        << ' ' << decision.attempt << ' ' << static_cast<int>(decision.op) << ' ' << decision.due_us
        << ' ' << decision.step << ' ' << decision.submitted << ' ' << decision.acked << '\n';
  }
  for (const ScheduleDecision& decision : history.schedules) {
    out << "schedule " << decision.event << ' ' << static_cast<int>(decision.op) << ' '
        << decision.due_us << ' ' << decision.submitted << ' ' << decision.acked << '\n';
  }
  for (const auto& [operations, now_us] : history.times) {
    out << "time " << operations << ' ' << now_us << '\n';
  }
  out << "end\n";
  out.flush();
  return out ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

absl::StatusOr<QueueHistory> LoadQueueHistory(const std::string& path) {
  std::ifstream in(path);
  QueueHistory history;
  for (std::string kind; in >> kind;) {
    if (kind == "end") return history;
    if (kind == "ready") in >> history.ready;
    if (kind == "time") {
      auto& [operations, now_us] = history.times.emplace_back();
      in >> operations >> now_us;
    }
    if (kind == "schedule") {
      ScheduleDecision& decision = history.schedules.emplace_back();
      int op = 0;
      in >> decision.event >> op >> decision.due_us >> decision.submitted >> decision.acked;
      decision.op = static_cast<ScheduleDecision::Op>(op);
    }
    if (kind != "decision") continue;
    QueueDecision& decision = history.decisions.emplace_back();
    int op = 0;
    in >> decision.group >> decision.partition >> decision.offset >> decision.attempt >> op >>
        decision.due_us >> decision.step >> decision.submitted >> decision.acked;
    decision.op = static_cast<Op>(op);
  }
  return absl::InternalError(absl::StrCat("the history ", path, " is not whole"));
}

std::vector<QueueHistoryMutant> MutantsOf(const QueueHistory& history) {
  std::vector<QueueHistoryMutant> mutants;
  const auto add = [&](std::string problem) -> std::vector<QueueDecision>& {
    return mutants.emplace_back(QueueHistoryMutant{std::move(problem), history}).history.decisions;
  };
  // An ack that was answered, and the event waits for its next attempt.
  std::vector<QueueDecision>& redelivered = add("outstanding-again");
  redelivered[NewestLast(history, Op::kNack)].op = Op::kAck;
  // Nobody acknowledged an event that is passed.
  std::vector<QueueDecision>& lost = add("lost-delivery");
  lost[NewestLast(history, Op::kAck)].op = Op::kRelease;
  // A failure that is not counted.
  std::vector<QueueDecision>& uncounted = add("wrong-attempts");
  QueueDecision again = history.decisions[NewestLast(history, Op::kNack)];
  again.op = Op::kRedrive;
  uncounted.push_back(again);
  // An ack whose step wrote nothing else, and a result that no step wrote.
  add("lost-result")[NewestLast(history, Op::kAck, false)].step = kMutantStep;
  add("wrong-result")[NewestLast(history, Op::kAck, true)].step = -1;
  // A step that has to have settled one event more.
  std::vector<QueueDecision>& torn = add("torn-step");
  torn[NewestLast(history, Op::kAck, false)].step =
      history.decisions[NewestLast(history, Op::kAck, true)].step;
  // A scheduled event that is nowhere, and one that nobody scheduled.
  QueueHistory& lost_later =
      mutants.emplace_back(QueueHistoryMutant{"lost-schedule", history}).history;
  lost_later.schedules.push_back(history.schedules.front());
  lost_later.schedules.back().event = kMutantStep;
  mutants.emplace_back(QueueHistoryMutant{"wrong-schedule", history}).history.schedules.clear();
  // A dead letter that nobody made.
  std::vector<QueueDecision>& letter = add("wrong-dead-letter");
  letter[NewestLast(history, Op::kReject)].op = Op::kRelease;
  return mutants;
}

}  // namespace acta
