// What is due, from the index to the log.
#include <algorithm>
#include <utility>

#include "proto/support/error.h"
#include "server/core/schedules/due_transaction.h"
#include "server/core/schedules/schedule_records.h"
#include "server/core/schedules/schedule_state.h"
#include "storage/base/log.h"

namespace acta {
namespace {

// Of one transaction.
constexpr size_t kMostEvents = 1000;
constexpr size_t kMostBytes = 4 << 20;
// The clock is asked again so often, because an operator may accept a jump of it.
constexpr absl::Duration kLongestWait = absl::Minutes(1);
constexpr absl::Duration kRetryAfter = absl::Seconds(1);
// What cannot be read is read again so soon: the disk may give it then.
constexpr absl::Duration kReadAgain = absl::Minutes(1);

// It may never be read: of its tries fewer and fewer are told, down to one an hour.
bool IsTryToTell(int64_t tries) {
  const int64_t hour = absl::Hours(1) / kReadAgain;
  return tries < hour ? (tries & (tries - 1)) == 0 : tries % hour == 0;
}

}  // namespace

void ScheduleState::Stop() {
  MutexLock lock(mu);
  stopped_ = true;
  if (timer_ != 0) deps.timer.Cancel(timer_);
  timer_ = 0;
}

void ScheduleState::End(const std::vector<ScheduleKey>& keys, bool gone) {
  for (const ScheduleKey& key : keys) {
    if (gone) {
      index.Remove(key);
    } else {
      index.LetGo(key.number);
    }
  }
}

void ScheduleState::WaitForNext() {
  const std::optional<int64_t> due_us = index.NextDue();
  if (delivering_ || stopped_ || !due_us.has_value()) return;
  if (timer_ != 0) {
    if (timer_due_us_ <= *due_us) return;
    deps.timer.Cancel(timer_);
  }
  const absl::Time due = std::max(absl::FromUnixMicros(*due_us), not_before_);
  timer_due_us_ = *due_us;
  timer_ =
      deps.timer.After(std::min(due - deps.engine.Now(), kLongestWait), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->Deliver();
      });
}

void ScheduleState::Deliver() {
  {
    MutexLock lock(mu);
    timer_ = 0;
    // One that was cancelled too late.
    if (delivering_ || stopped_) return;
    delivering_ = true;
  }
  DeliverNext();
}

std::vector<HeldSchedule> ScheduleState::TakeDue() {
  std::vector<ScheduleKey> keys;
  {
    const absl::Time now = deps.engine.Now();
    MutexLock lock(mu);
    if (stopped_ || now < not_before_) return {};
    keys = index.DueAt(absl::ToUnixMicros(now), kMostEvents);
    for (const ScheduleKey& key : keys) index.Hold(key);
  }
  std::vector<HeldSchedule> due;
  std::vector<uint64_t> unread;
  size_t bytes = 0;
  size_t read = 0;
  for (; read < keys.size() && bytes < kMostBytes; ++read) {
    auto record = ReadSchedule(deps.engine, keys[read].number);
    if (!record.ok()) {
      std::optional<HeldSchedule> gone = OnUnread(keys[read], record.status());
      if (gone.has_value()) {
        due.push_back(*std::move(gone));
      } else {
        unread.push_back(keys[read].number);
      }
      continue;
    }
    bytes += record->element().size();
    due.push_back({keys[read], *std::move(record)});
  }
  if (!unread.empty()) ReadAgainLater(std::move(unread));
  MutexLock lock(mu);
  for (; read < keys.size(); ++read) index.LetGo(keys[read].number);
  return due;
}

std::optional<HeldSchedule> ScheduleState::OnUnread(const ScheduleKey& key,
                                                    const absl::Status& why) {
  TopicId topic;
  {
    MutexLock lock(mu);
    topic = index.FactsOf(key).topic;
  }
  if (deps.topics.FindById(topic) == nullptr) {
    HeldSchedule gone{key, {}};
    gone.record.set_topic_id(topic.value());
    return gone;
  }
  int64_t tries = 0;
  {
    MutexLock lock(mu);
    tries = index.PutOff(key);
  }
  if (IsTryToTell(tries)) {
    LogError("a scheduled event cannot be read and is not delivered",
             {{"schedule_id", key.number}, {"tries", tries}, {"error", why.message()}});
  }
  return std::nullopt;
}

void ScheduleState::ReadAgainLater(std::vector<uint64_t> numbers) {
  deps.timer.After(kReadAgain, [weak = weak_from_this(), numbers = std::move(numbers)] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    MutexLock lock(self->mu);
    for (const uint64_t number : numbers) self->index.Resume(number);
    self->WaitForNext();
  });
}

void ScheduleState::DeliverNext() {
  const std::vector<HeldSchedule> due = TakeDue();
  if (due.empty()) {
    MutexLock lock(mu);
    delivering_ = false;
    WaitForNext();
    return;
  }
  std::vector<ScheduleKey> keys;
  for (const HeldSchedule& one : due) keys.push_back(one.key);
  Transaction transaction = MakeDueTransaction(due, deps.engine, deps.topics);
  transaction.done = [self = shared_from_this(), keys](TransactionResult result) {
    self->deps.pool.Post(
        [self, keys, status = std::move(result.status)] { self->OnDelivered(keys, status); });
  };
  const absl::Status refused = deps.engine.Submit(std::move(transaction));
  if (!refused.ok()) OnDelivered(keys, refused);
}

void ScheduleState::OnDelivered(const std::vector<ScheduleKey>& keys, const absl::Status& status) {
  {
    MutexLock lock(mu);
    End(keys, status.ok());
    if (status.ok()) {
      delivered += static_cast<int64_t>(keys.size());
    } else {
      not_before_ = deps.engine.Now() + std::max(RetryAfterOf(status), kRetryAfter);
    }
  }
  if (!status.ok()) {
    LogWarn("events that are due cannot be appended yet", {{"error", status.message()}});
  }
  DeliverNext();
}

}  // namespace acta
