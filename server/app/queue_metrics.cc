#include "server/app/queue_metrics.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

namespace acta {
namespace {

using Figures = GroupQueue::Figures;
// Values of a label with their numbers.
using Series = std::initializer_list<std::pair<const char*, int64_t>>;

void AddSeries(Metric metric, const std::string& group, Series series, MetricWriter& writer) {
  for (const auto& [label, value] : series) {
    writer.Add(metric, {group, label}, static_cast<double>(value));
  }
}

void CollectStates(const std::string& group, const Figures& figures, MetricWriter& writer) {
  AddSeries(Metric::kQueuesOutstandingEvents, group,
            {{"ready", figures.states.ready},
             {"leased", figures.states.leased},
             {"retry_wait", figures.states.retry_wait},
             {"blocked_by_key", figures.states.blocked_by_key},
             {"held", figures.states.held},
             {"not_scanned", figures.not_scanned}},
            writer);
  if (figures.oldest.has_value()) {
    writer.Add(Metric::kQueuesOldestUnprocessed, group, absl::ToDoubleSeconds(*figures.oldest));
  }
  writer.Add(Metric::kQueuesDeadLetters, group, static_cast<double>(figures.dead_letters));
  writer.Add(Metric::kQueuesDeadLettersLimit, group, static_cast<double>(figures.max_dead_letters));
}

void CollectOutcomes(const std::string& group, const Figures& figures, MetricWriter& writer) {
  const QueueTally& tally = figures.tally;
  const auto failed = [&](AttemptEnd end) { return tally.failed[static_cast<size_t>(end)]; };
  const auto dead = [&](DeadLetterReason reason) {
    return tally.dead_lettered[static_cast<size_t>(reason)];
  };
  const auto refused = [&](SettleOutcome why) { return figures.refused[static_cast<size_t>(why)]; };
  AddSeries(Metric::kQueuesSettledEvents, group,
            {{"ack", tally.acked},
             {"nack", failed(AttemptEnd::kNack)},
             {"reject", failed(AttemptEnd::kReject)},
             {"release", tally.released},
             {"lease_expired", failed(AttemptEnd::kLeaseExpired)},
             {"member_lost", failed(AttemptEnd::kMemberLost)}},
            writer);
  AddSeries(Metric::kQueuesPassedEvents, group,
            {{"expired", tally.expired}, {"skipped", tally.skipped}}, writer);
  writer.Add(Metric::kQueuesRedeliveredEvents, group, static_cast<double>(tally.redelivered));
  AddSeries(Metric::kQueuesDeadLettered, group,
            {{"REJECTED", dead(DeadLetterReason::kRejected)},
             {"ATTEMPTS_EXHAUSTED", dead(DeadLetterReason::kAttemptsExhausted)},
             {"DELIVERY_LOOP", dead(DeadLetterReason::kDeliveryLoop)}},
            writer);
  AddSeries(Metric::kQueuesRefused, group,
            {{"ALREADY_SETTLED", refused(SettleOutcome::kAlreadySettled)},
             {"LEASE_LOST", refused(SettleOutcome::kLeaseLost)},
             {"NEVER_LEASED", refused(SettleOutcome::kNeverLeased)},
             {"LIMIT_EXCEEDED", refused(SettleOutcome::kTooLong)}},
            writer);
}

}  // namespace

void CollectQueues(const GroupRegistry& groups, MetricWriter& writer) {
  for (const GroupRegistry::QueueFigures& queue : groups.MeasureQueues()) {
    CollectStates(queue.group, queue.figures, writer);
    CollectOutcomes(queue.group, queue.figures, writer);
  }
}

}  // namespace acta
