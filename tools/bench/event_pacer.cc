#include "tools/bench/event_pacer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"

namespace acta::bench {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(1);
constexpr int64_t kBatchBytes = 64 << 10;
constexpr int64_t kLeastSleepNanos = 20'000;

int64_t DueOf(const Pace& pace, int64_t begin, int64_t index) {
  return begin + static_cast<int64_t>(static_cast<double>(index) * 1e9 / pace.events_per_second);
}

}  // namespace

EventPacer::EventPacer(const Bed& bed, const EventForm& form, std::string topic, v1::AckLevel level)
    : form_(form), topic_(std::move(topic)), publisher_(bed.NewChannel(), BenchPublisher(level)) {
  for (int32_t i = 0; i < form.partitions(); ++i) events_.push_back(form.Make(i, 0, 0));
  next_numbers_.resize(events_.size());
}

absl::Status EventPacer::Run(const Pace& pace, int64_t begin, int64_t end) {
  count_ = 0;
  while (DueOf(pace, begin, count_) < end) {
    // What is due by `due` leaves now: the next event, or all of the tick.
    const int64_t next = DueOf(pace, begin, count_);
    SleepUntilNanos(std::max(next + pace.tick_nanos, NowNanos() + kLeastSleepNanos));
    const int64_t due = std::min(NowNanos(), end - 1);
    RETURN_IF_ERROR(pace.tick_nanos == 0 ? SendSingles(pace, begin, due)
                                         : SendTick(pace, begin, due));
  }
  RETURN_IF_ERROR(publisher_.Flush(kPatience));
  return acks_.status();
}

absl::Status EventPacer::SendSingles(const Pace& pace, int64_t begin, int64_t due) {
  for (int64_t time; (time = DueOf(pace, begin, count_)) <= due; ++count_) {
    const int64_t partition = count_ / pace.stay % form_.partitions();
    v1::Event& event = events_[static_cast<size_t>(partition)];
    form_.Renew(next_numbers_[static_cast<size_t>(partition)]++, time, &event);
    RETURN_IF_ERROR(publisher_.PublishTo(topic_, static_cast<int32_t>(partition), event));
  }
  return absl::OkStatus();
}

absl::Status EventPacer::SendTick(const Pace& pace, int64_t begin, int64_t due) {
  const int64_t most = kBatchBytes / static_cast<int64_t>(form_.element_bytes());
  while (DueOf(pace, begin, count_) <= due) {
    int64_t size = 1;
    while (size < most && DueOf(pace, begin, count_ + size) <= due) ++size;
    const auto partition = static_cast<int32_t>(turn_++ % events_.size());
    uint64_t& number = next_numbers_[static_cast<size_t>(partition)];
    auto batch = std::make_shared<std::string>(
        form_.Batch(partition, static_cast<uint32_t>(size), number, 0));
    for (int64_t i = 0; i < size; ++i) {
      form_.SetTime(static_cast<uint32_t>(i), DueOf(pace, begin, count_ + i), batch.get());
    }
    RETURN_IF_ERROR(publisher_.PublishPrepared(topic_, partition, std::move(batch),
                                               static_cast<uint32_t>(size), acks_.Count()));
    number += static_cast<uint64_t>(size);
    count_ += size;
  }
  return absl::OkStatus();
}

}  // namespace acta::bench
