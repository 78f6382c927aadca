#include "client/cpp/publish_batch.h"

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta::client {
namespace {

// What is the same for all events of the batch.
EventResult CommonResult(const FinishedBatch& finished) {
  EventResult result;
  result.status = finished.status;
  result.partition = finished.batch->partition();
  result.incarnation = finished.incarnation;
  result.append_time_us = finished.result.append_time_us();
  result.level = finished.level;
  return result;
}

// The result of every event, by index. Events nobody speaks of were stored so long ago that their
// offsets are forgotten.
std::vector<EventResult> ResultsByEvent(const FinishedBatch& finished) {
  EventResult unknown = CommonResult(finished);
  unknown.duplicate = finished.status.ok();
  unknown.append_time_us = 0;
  std::vector<EventResult> results(finished.batch->count, unknown);
  if (!finished.status.ok()) return results;
  for (const v1::PublishedPart& part : finished.result.parts()) {
    const bool whole = part.event_indexes().empty();
    for (int32_t k = 0; k < part.count(); ++k) {
      const auto index = static_cast<size_t>(
          whole ? k : (k < part.event_indexes_size() ? part.event_indexes(k) : -1));
      if (index >= results.size()) continue;
      results[index] = CommonResult(finished);
      results[index].partition = part.partition();
      results[index].offset = part.base_offset() + k;
    }
  }
  for (const v1::Duplicate& duplicate : finished.result.duplicates()) {
    const auto index = static_cast<size_t>(duplicate.event_index());
    if (index >= results.size()) continue;
    results[index].partition = duplicate.partition();
    results[index].offset = duplicate.offset();
    results[index].incarnation = duplicate.incarnation();
  }
  return results;
}

BatchOutcome OutcomeOf(const FinishedBatch& finished) {
  BatchOutcome outcome;
  outcome.status = finished.status;
  outcome.partition = finished.batch->partition();
  outcome.incarnation = finished.incarnation;
  outcome.append_time_us = finished.result.append_time_us();
  if (!finished.status.ok()) return outcome;
  for (const v1::PublishedPart& part : finished.result.parts()) {
    if (outcome.base_offset < 0) outcome.base_offset = part.base_offset();
    outcome.stored += part.count();
  }
  outcome.duplicates = finished.batch->count - outcome.stored;
  return outcome;
}

}  // namespace

absl::Status OfUnanswered(const absl::Status& status) {
  const v1::ErrorReason reason = ReasonOf(status);
  // Without a reason it is no answer of the broker, and says as much.
  if (reason == v1::ERROR_REASON_UNSPECIFIED || reason == v1::OUTCOME_UNKNOWN) return status;
  const std::string& refusal = v1::ErrorReason_Name(reason);
  return Error(v1::OUTCOME_UNKNOWN,
               absl::StrCat("sent before without an answer, and refused now with ", refusal, ": ",
                            status.message()),
               {{"refusal", refusal}});
}

void RunCallbacks(FinishedBatch& finished) {
  PublishBatch& batch = *finished.batch;
  if (batch.batch_done) batch.batch_done(OutcomeOf(finished));
  if (batch.event_dones.empty()) return;
  const std::vector<EventResult> results = ResultsByEvent(finished);
  for (auto& [index, done] : batch.event_dones) done(results[index]);
}

}  // namespace acta::client
