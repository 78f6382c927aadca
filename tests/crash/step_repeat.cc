#include "tests/crash/step_repeat.h"

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <utility>

#include "storage/base/status_macros.h"
#include "tests/crash/step_results.h"

namespace acta {
namespace {

constexpr size_t kMostRepeated = 12;

// Those that settle events; the last first.
std::vector<RepeatedStep> LastSteps(const QueueHistory& history, const ImageCut& cut,
                                    absl::Span<const int64_t> resets) {
  std::map<int64_t, RepeatedStep, std::greater<>> steps;
  for (size_t i = 0; i < history.decisions.size(); ++i) {
    const QueueDecision& decision = history.decisions[i];
    const bool reset = decision.op == QueueDecision::Op::kReset;
    if (reset && decision.attempt <= resets[decision.group]) {
      std::erase_if(steps, [&](const auto& entry) {
        return history.decisions[entry.second.decisions[0]].group == decision.group;
      });
    }
    if (decision.step < 0 || decision.op == QueueDecision::Op::kDiscard) continue;
    if (decision.submitted <= cut.operations) steps[decision.step].decisions.push_back(i);
  }
  std::vector<RepeatedStep> last;
  for (auto& [number, step] : steps) {
    const bool answered = history.decisions[step.decisions[0]].acked <= cut.operations;
    if (answered && last.size() >= kMostRepeated) break;
    last.push_back(std::move(step));
  }
  return last;
}

HeldRun RunAgain(const QueueHistory& history, size_t index, uint64_t session,
                 const QueueStore& store) {
  const QueueDecision& decision = history.decisions[index];
  HeldRun run;
  run.session = session;
  run.partition = store.Partition(decision.partition);
  run.first = Offset(decision.offset);
  run.attempt = decision.attempt;
  run.redrives = StateBefore(history, index).redrives;
  if (decision.op == QueueDecision::Op::kNack) run.failed = AttemptEnd::kNack;
  if (decision.op == QueueDecision::Op::kReject) run.failed = AttemptEnd::kReject;
  return run;
}

absl::Status Repeat(const QueueHistory& history, QueueStore& store, RepeatedStep* repeated) {
  const size_t group = history.decisions[repeated->decisions[0]].group;
  ASSIGN_OR_RETURN(const auto hand, QueueHand::Join(store, kQueueGroups[group].name));
  GroupQueue& queue = hand->queue();
  QueueStep step;
  repeated->kept = true;
  for (const size_t index : repeated->decisions) {
    const HeldRun run = RunAgain(history, index, hand->session(), store);
    RETURN_IF_ERROR(queue.ScanThrough(run.partition, run.first + 1));
    const auto view = queue.Look(run.partition);
    const bool seen = view.has_value() && run.first < view->head;
    const int64_t generation = queue.Generation(run.partition);
    const int64_t kept =
        queue.Present(run.session, run.partition, {run.first, run.first + 1}, generation);
    repeated->kept &= kept == 1 && seen;
    step.runs.push_back(run);
  }
  PutStepResults(history, repeated->decisions, store, &step);
  const auto written = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> answer = written->get_future();
  step.done = [written](const TransactionResult& result) { written->set_value(result.status); };
  repeated->accepted = queue.SettleStep(std::move(step)).empty();
  RETURN_IF_ERROR(queue.WaitQuiet());
  absl::Status answered = repeated->accepted ? answer.get() : absl::OkStatus();
  store.Run();
  hand->Leave(true);
  return answered;
}

}  // namespace

absl::StatusOr<std::vector<RepeatedStep>> RepeatSteps(const QueueHistory& history,
                                                      const ImageCut& cut,
                                                      absl::Span<const int64_t> resets,
                                                      QueueStore& store) {
  std::vector<RepeatedStep> steps = LastSteps(history, cut, resets);
  for (RepeatedStep& step : steps) RETURN_IF_ERROR(Repeat(history, store, &step));
  return steps;
}

}  // namespace acta
