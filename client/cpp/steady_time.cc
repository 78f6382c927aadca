#include "client/cpp/steady_time.h"

#include <atomic>
#include <cstdint>

#include "absl/time/clock.h"
#include "storage/base/clock.h"

namespace acta::client {
namespace {

std::atomic<int64_t> passed_ns{0};  // By PassSteadyTime().

}  // namespace

absl::Time SteadyNow() {
  return absl::UnixEpoch() + SystemClock().SinceBoot() + absl::Nanoseconds(passed_ns.load());
}

absl::Time ToSteady(absl::Time time) { return SteadyNow() + (time - absl::Now()); }

void PassSteadyTime(absl::Duration by) { passed_ns.fetch_add(absl::ToInt64Nanoseconds(by)); }

}  // namespace acta::client
