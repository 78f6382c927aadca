#include "server/core/subscribe/catch_up_pace.h"

#include <algorithm>

namespace acta {
namespace {

constexpr size_t kFreeReadBytes = 2 << 20;
// Sent and parsed in about half a millisecond: so long an event waits behind it.
constexpr size_t kPacedReadBytes = 256 << 10;
// How often the appends are counted.
constexpr absl::Duration kLook = absl::Milliseconds(100);
constexpr double kTimesAppended = 2;

}  // namespace

CatchUpPace::CatchUpPace(const LogEngine& engine, const Clock& clock, int64_t bytes_per_second)
    : engine_(engine), clock_(clock), limit_(static_cast<double>(bytes_per_second)) {
  if (bytes_per_second == 0) return;
  looked_ = clock.SinceBoot();
  appended_ = engine.Stats().bytes_appended;
}

CatchUpPace::Turn CatchUpPace::Next() {
  if (limit_ == 0) return {kFreeReadBytes, absl::ZeroDuration()};
  const absl::Duration now = clock_.SinceBoot();
  MutexLock lock(mu_);
  if (now - looked_ >= kLook) Look(now);
  if (rate_ == 0) return {kFreeReadBytes, absl::ZeroDuration()};
  const absl::Duration start = std::max(now, next_free_);
  next_free_ = start + TimeOf(kPacedReadBytes);
  return {kPacedReadBytes, start - now};
}

void CatchUpPace::Also(size_t bytes) {
  if (limit_ == 0) return;
  MutexLock lock(mu_);
  if (rate_ > 0) next_free_ += TimeOf(bytes);
}

void CatchUpPace::Look(absl::Duration now) {
  const int64_t appended = engine_.Stats().bytes_appended;
  const double rate =
      static_cast<double>(appended - appended_) / absl::ToDoubleSeconds(now - looked_);
  looked_ = now;
  appended_ = appended;
  rate_ = rate == 0 ? 0 : std::max(limit_, kTimesAppended * rate);
}

absl::Duration CatchUpPace::TimeOf(size_t bytes) const {
  return absl::Seconds(static_cast<double>(bytes) / rate_);
}

}  // namespace acta
