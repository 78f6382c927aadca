#include "tests/crash/queue_history.h"

#include <fstream>

#include "absl/strings/str_cat.h"

namespace acta {
namespace {

using Op = QueueDecision::Op;

// At the last attempt of an event.
QueueState::Kind Exhausted(const QueueDecision& decision) {
  const bool holds =
      decision.keyed && kQueueGroups[decision.group].on_exhausted == OnExhausted::kHoldKey;
  return holds ? QueueState::Kind::kHeld : QueueState::Kind::kDead;
}

}  // namespace

QueueState StateAfter(QueueState state, const QueueDecision& decision, int64_t offset) {
  switch (decision.op) {
    case Op::kAck:
    case Op::kDiscard:
    case Op::kSkip:
      state.kind = QueueState::Kind::kProcessed;
      break;
    case Op::kNack:
    case Op::kLost:
      ++state.attempts;
      state.due_us = decision.due_us;
      if (state.attempts >= kQueueGroups[decision.group].max_attempts) {
        state.kind = Exhausted(decision);
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
    case Op::kReset:
      if (state.kind == QueueState::Kind::kDead) break;  // It stays one.
      state = {};
      if (offset < decision.offset) state.kind = QueueState::Kind::kProcessed;
      break;
  }
  return state;
}

QueueState StateBefore(const QueueHistory& history, size_t index) {
  const QueueDecision& decision = history.decisions[index];
  QueueState state;
  for (size_t i = 0; i < index; ++i) {
    const QueueDecision& before = history.decisions[i];
    const bool same = before.group == decision.group && before.partition == decision.partition &&
                      (before.op == Op::kReset || before.offset == decision.offset);
    if (same) state = StateAfter(state, before, decision.offset);
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
        << ' ' << decision.attempt << ' ' << static_cast<int>(decision.op) << ' ' << decision.keyed
        << ' ' << decision.due_us << ' ' << decision.step << ' ' << decision.submitted << ' '
        << decision.acked << '\n';
  }
  for (const ScheduleDecision& decision : history.schedules) {
    out << "schedule " << decision.event << ' ' << static_cast<int>(decision.op) << ' '
        << decision.due_us << ' ' << decision.submitted << ' ' << decision.acked << '\n';
  }
  SaveStream(history.stream, out);
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
    LoadStream(kind, in, &history.stream);
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
        decision.keyed >> decision.due_us >> decision.step >> decision.submitted >> decision.acked;
    decision.op = static_cast<Op>(op);
  }
  return absl::InternalError(absl::StrCat("the history ", path, " is not whole"));
}

}  // namespace acta
