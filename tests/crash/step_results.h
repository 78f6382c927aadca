#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/core/queues/queue_step.h"
#include "tests/crash/image_check.h"
#include "tests/crash/queue_history.h"
#include "tests/crash/queue_store.h"

namespace acta {

// Puts into a step what it writes beside the state of its events: for each of its decisions, by
// index in the history, one result event that names it, and a row of the step.
void PutStepResults(const QueueHistory& history, absl::Span<const size_t> decisions,
                    QueueStore& store, QueueStep* step);
// A step with one result of this text.
void PutStepResult(const std::string& text, QueueStore& store, QueueStep* step);

std::string StepResultOf(const QueueHistory& history, size_t decision);

// All results in the log, by partition.
absl::StatusOr<std::vector<std::string>> ReadStepResults(QueueStore& store);

using TellProblem = absl::FunctionRef<void(absl::string_view name, absl::string_view what)>;

// Decisions of steps, by index, whose results are in the log. Tells of what is wrong with the
// results by themselves: lost-result (the step was answered), doubled-result (of one decision, or
// of one attempt at an event), torn-step (others of the step are missing, or its row), wrong-result
// (nobody wrote that, or not yet).
absl::flat_hash_set<size_t> CheckStepResults(const QueueHistory& history, const ImageCut& cut,
                                             QueueStore& store, TellProblem problem);

}  // namespace acta
