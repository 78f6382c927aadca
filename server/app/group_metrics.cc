#include "server/app/group_metrics.h"

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

void CollectLag(const GroupRegistry::Figures& figures, MetricWriter& writer) {
  const auto add = [&](Metric metric, double value) { writer.Add(metric, figures.group, value); };
  const auto add_time = [&](Metric metric, const std::optional<absl::Duration>& time) {
    if (time.has_value()) add(metric, absl::ToDoubleSeconds(*time));
  };
  add(Metric::kGroupsMembers, static_cast<double>(figures.members));
  add(Metric::kGroupsLagEvents, static_cast<double>(figures.lag_events));
  if (figures.lag.bytes.has_value()) {
    add(Metric::kGroupsLagBytes, static_cast<double>(*figures.lag.bytes));
  }
  add(Metric::kGroupsLostEvents, static_cast<double>(figures.lag.lost_events));
  add_time(Metric::kGroupsLag, figures.lag.age);
  add_time(Metric::kGroupsHeadroom, figures.lag.headroom);
  add_time(Metric::kGroupsDrain, figures.lag.drain);
}

void CollectStates(const std::string& group, const Figures& figures, int64_t not_scanned,
                   MetricWriter& writer) {
  AddSeries(Metric::kQueuesOutstandingEvents, group,
            {{"ready", figures.states.ready},
             {"leased", figures.states.leased},
             {"retry_wait", figures.states.retry_wait},
             {"blocked_by_key", figures.states.blocked_by_key},
             {"held", figures.states.held},
             {"not_scanned", not_scanned}},
            writer);
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

void CollectGroups(const GroupRegistry& groups, MetricWriter& writer) {
  for (const GroupRegistry::Figures& group : groups.Measure()) {
    CollectLag(group, writer);
    if (!group.queue.has_value()) continue;
    CollectStates(group.group, *group.queue, group.lag.ahead_events, writer);
    CollectOutcomes(group.group, *group.queue, writer);
  }
}

}  // namespace acta
