#include "tools/bench/soak/lagging_reader.h"

#include <utility>

#include "storage/base/status_macros.h"
#include "tools/bench/consumer.h"
#include "tools/bench/latencies.h"

namespace acta::bench {
namespace {

// It has caught up when it is behind by this much of the flow.
constexpr double kCaughtUpSeconds = 0.2;
constexpr absl::Duration kCatchUpPatience = absl::Minutes(30);  // Retention ends it much sooner.

}  // namespace

LaggingReader::LaggingReader(const Bed& bed, const EventForm& form, const Flow& flow,
                             absl::Duration away)
    : bed_(bed), flow_(flow), away_(away), check_(form), thread_([this] { Run(); }) {}

LaggingReader::~LaggingReader() {
  finishing_ = true;
  if (thread_.joinable()) thread_.join();
}

void LaggingReader::Pause(absl::Duration time) const {
  const int64_t until = NowNanos() + absl::ToInt64Nanoseconds(time);
  while (!finishing_ && NowNanos() < until) SleepUntilNanos(NowNanos() + 10'000'000);
}

void LaggingReader::Run() {
  const auto near = static_cast<int64_t>(kCaughtUpSeconds * flow_.pace().events_per_second);
  const auto caught_up = [&] {
    if (count_ < flow_.acknowledged() - near) return finishing_.load();
    ++returns_;
    return true;
  };
  while (!finishing_ && status_.ok()) {
    Pause(away_);
    if (!finishing_) status_ = Visit(caught_up, away_ / 4);
  }
  ended_ = !status_.ok();
}

absl::Status LaggingReader::Visit(const std::function<bool()>& enough, absl::Duration then) {
  Consumer::Options options = GroupOf(flow_.topic(), group());
  options.on_delivery = [this](const client::Delivery& delivery) {
    RETURN_IF_ERROR(check_.Take(delivery));
    count_ += delivery.count();
    return absl::OkStatus();
  };
  Consumer consumer(bed_, std::move(options));
  RETURN_IF_ERROR(Await("a group that was away to catch up", kCatchUpPatience,
                        [&] { return consumer.ended() || enough(); }));
  if (!consumer.ended()) Pause(then);
  return consumer.Stop();
}

absl::Status LaggingReader::Finish(int64_t published) {
  finishing_ = true;
  thread_.join();
  RETURN_IF_ERROR(status_);
  return Visit([&] { return count_ >= published; }, absl::ZeroDuration());
}

}  // namespace acta::bench
