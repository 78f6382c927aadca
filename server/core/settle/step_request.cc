#include "server/core/settle/step_request.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status BadProcessed(absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat("processed: ", what), {{"field", "processed"}});
}

// The part of a delivery that is named; without offset and count all of it.
absl::StatusOr<HeldRun> RunOf(const v1::ProcessedEvents& processed, const DeliveredRun& delivered) {
  HeldRun run{delivered.partition, delivered.first, static_cast<int32_t>(delivered.count),
              delivered.attempt};
  if (processed.offset() == 0 && processed.count() == 0) return run;
  run.first = Offset(processed.offset());
  run.count = std::max(1, processed.count());
  const Offset end = delivered.first + delivered.count;
  if (processed.count() >= 0 && run.first >= delivered.first && run.first < end &&
      run.count <= Lag(run.first, end)) {
    return run;
  }
  return BadProcessed(absl::StrCat(run.count, " events from offset ", run.first.value(),
                                   " on are not of the delivery that the token is of"));
}

absl::Status CheckTwice(const std::vector<HeldRun>& runs) {
  absl::flat_hash_set<std::pair<PartitionId, Offset>> seen;
  for (const HeldRun& run : runs) {
    for (int32_t n = 0; n < run.count; ++n) {
      if (seen.emplace(run.partition, run.first + n).second) continue;
      return BadProcessed(absl::StrCat("offset ", run.first.value() + n, " is named twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StepEvents> ReadStepEvents(const v1::SettleRequest& request, GroupId group,
                                          const DeliveryTokens& tokens) {
  if (request.processed().empty()) {
    return BadProcessed("there is none; to publish without settling, use Publish");
  }
  if (request.processed_size() > kMaxStepRuns) {
    return LimitExceeded("the step names deliveries:", request.processed_size(), "max_step_runs",
                         kMaxStepRuns);
  }
  StepEvents events;
  int64_t count = 0;
  for (const v1::ProcessedEvents& processed : request.processed()) {
    ASSIGN_OR_RETURN(const DeliveredRun delivered, tokens.Read(processed.delivery_token()));
    if (delivered.group != group) {
      return Error(v1::INVALID_DELIVERY_TOKEN,
                   absl::StrCat("delivery_token: it is not of group '", request.group(),
                                "'; send it as it came, and settle each group by itself"),
                   {{"field", "delivery_token"}});
    }
    if (!events.runs.empty() && delivered.session != events.session) {
      return BadProcessed("a step is of one member, and these were delivered to several");
    }
    events.session = delivered.session;
    ASSIGN_OR_RETURN(HeldRun run, RunOf(processed, delivered));
    count += run.count;
    if (count > kMaxStepEvents) {
      return LimitExceeded("the step settles events:", count, "max_step_events", kMaxStepEvents);
    }
    events.runs.push_back(run);
  }
  RETURN_IF_ERROR(CheckTwice(events.runs));
  return events;
}

absl::StatusOr<EventPosition> CauseOf(const v1::SettleRequest& request, const StepEvents& events,
                                      const DeliveryTokens& tokens) {
  if (!request.has_caused_by()) {
    return EventPosition{events.runs.front().partition, events.runs.front().first};
  }
  ASSIGN_OR_RETURN(const DeliveredRun delivered, tokens.Read(request.caused_by().delivery_token()));
  const EventPosition cause{delivered.partition, Offset(request.caused_by().offset())};
  for (const HeldRun& run : events.runs) {
    if (run.partition == cause.partition && run.first <= cause.offset &&
        cause.offset < run.first + run.count) {
      return cause;
    }
  }
  return Error(v1::INVALID_ARGUMENT, "caused_by: it is not one of the events that are processed",
               {{"field", "caused_by"}});
}

}  // namespace acta
