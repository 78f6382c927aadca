#include "tests/oracle/queue_decider.h"

#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "tests/oracle/queue_worker.h"

namespace acta::oracle {
namespace {

constexpr absl::Duration kLookForHeld = absl::Milliseconds(100);
constexpr absl::Duration kThoughtOver = absl::Milliseconds(300);
constexpr int64_t kLongThoughtOneIn = 3;

}  // namespace

QueueDecider::QueueDecider(const LoadContext& load, const QueueGroup& group, const StopFlag& calm,
                           RecordFile& file)
    : load_(load), group_(group), calm_(calm), file_(file), admin_(load.channel) {}

void QueueDecider::MayBeHeld(int32_t partition, int64_t offset) {
  MutexLock lock(mu_);
  candidates_.emplace(partition, offset);
}

void QueueDecider::Settled(int32_t partition, int64_t offset) {
  MutexLock lock(mu_);
  candidates_.erase({partition, offset});
}

void QueueDecider::Run() {
  while (!load_.stop.WaitFor(kLookForHeld)) {
    if (!HoldsAny()) continue;
    std::vector<Place> places;
    {
      MutexLock lock(mu_);
      places.assign(candidates_.begin(), candidates_.end());
    }
    for (const Place& place : places) LookAt(place);
  }
}

void QueueDecider::LookAt(const Place& place) {
  if (!IsHeld(place)) return;
  const bool long_thought = place.second % kLongThoughtOneIn == 0 && !calm_.stopped();
  const absl::Time due = absl::Now() + (long_thought ? load_.options.longest_delay : kThoughtOver);
  if (absl::Now() < due_.emplace(place, due).first->second) return;
  due_.erase(place);
  Decide(place);
}

bool QueueDecider::HoldsAny() {
  v1::GetLagRequest request;
  request.set_group(group_.name);
  const auto lag = admin_.GetLag(request);
  if (!lag.ok()) return false;
  for (const v1::PartitionLag& partition : lag->partitions()) {
    if (partition.queue().held() > 0) return true;
  }
  return false;
}

bool QueueDecider::IsHeld(const Place& place) {
  v1::GetDeadLetterRequest request;
  request.set_group(group_.name);
  *request.mutable_ref() = RefOf(place);
  const auto letter = admin_.GetDeadLetter(request);
  return letter.ok() && letter->dead_letter().held();
}

void QueueDecider::Decide(const Place& place) {
  QueueRecord record;
  record.group = group_.number;
  record.partition = place.first;
  record.offset = place.second;
  record.since_us = absl::ToUnixMicros(absl::Now());
  absl::Status status;
  if (redriven_.insert(place).second) {
    record.kind = QueueRecord::Kind::kRedriven;
    v1::RedriveDeadLettersRequest request;
    request.set_group(group_.name);
    *request.mutable_selection()->add_letters() = RefOf(place);
    status = admin_.RedriveDeadLetters(request).status();
  } else {
    record.kind = QueueRecord::Kind::kSkipped;
    v1::SkipOffsetsRequest request;
    request.set_group(group_.name);
    request.set_topic(load_.options.topic);
    request.set_partition(place.first);
    request.set_offset(place.second);
    request.set_reason("the oracle");
    status = admin_.SkipOffsets(request).status();
  }
  record.detail = status.ok() ? 0 : 1;
  file_.Write({record}, true);
  if (status.ok() && record.kind == QueueRecord::Kind::kSkipped) {
    Settled(place.first, place.second);
  }
}

v1::DeadLetterRef QueueDecider::RefOf(const Place& place) const {
  v1::DeadLetterRef ref;
  ref.set_topic(load_.options.topic);
  ref.set_partition(place.first);
  ref.set_offset(place.second);
  return ref;
}

}  // namespace acta::oracle
