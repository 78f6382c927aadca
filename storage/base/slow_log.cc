#include "storage/base/slow_log.h"

#include <atomic>
#include <chrono>
#include <vector>

namespace acta {
namespace {

constexpr int64_t kBetweenLinesNs = 1'000'000'000;

std::atomic<int64_t> slow_from_ns{1'000'000'000};

struct Counter {
  std::atomic<int64_t> count{0};
  std::atomic<int64_t> untold{0};
  std::atomic<int64_t> last_line_ns{0};
};
std::array<Counter, kSlowOperations> counters;

int64_t SteadyNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// One of those that come at once.
bool MayTell(Counter& counter) {
  const int64_t now = SteadyNs();
  int64_t last = counter.last_line_ns.load(std::memory_order_relaxed);
  return (last == 0 || now - last >= kBetweenLinesNs) &&
         counter.last_line_ns.compare_exchange_strong(last, now, std::memory_order_relaxed);
}

}  // namespace

absl::string_view Name(SlowOperation operation) {
  switch (operation) {
    case SlowOperation::kWrite:
      return "write";
    case SlowOperation::kSync:
      return "sync";
    case SlowOperation::kRead:
      return "read";
    case SlowOperation::kCall:
      return "call";
  }
  return "";
}

void SetSlowThreshold(absl::Duration threshold) {
  slow_from_ns = absl::ToInt64Nanoseconds(threshold);
}

bool IsSlow(absl::Duration took) {
  const int64_t from = slow_from_ns.load(std::memory_order_relaxed);
  return from > 0 && absl::ToInt64Nanoseconds(took) >= from;
}

void NoteSlow(SlowOperation operation, absl::Duration took,
              std::initializer_list<LogField> fields) {
  Counter& counter = counters[static_cast<size_t>(operation)];
  counter.count.fetch_add(1, std::memory_order_relaxed);
  if (!MayTell(counter)) {
    counter.untold.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  std::vector<LogField> all{{"operation", Name(operation)},
                            {"ms", absl::ToInt64Milliseconds(took)}};
  all.insert(all.end(), fields.begin(), fields.end());
  const int64_t untold = counter.untold.exchange(0, std::memory_order_relaxed);
  if (untold > 0) all.emplace_back("left_out", untold);
  Log(LogLevel::kWarn, "slow operation", all);
}

std::array<int64_t, kSlowOperations> SlowCounts() {
  std::array<int64_t, kSlowOperations> counts{};
  for (size_t i = 0; i < kSlowOperations; ++i) {
    counts[i] = counters[i].count.load(std::memory_order_relaxed);
  }
  return counts;
}

SlowTimer::SlowTimer(SlowOperation operation, absl::string_view field, absl::string_view value)
    : operation_(operation), field_(field), value_(value), begin_ns_(SteadyNs()) {}

SlowTimer::~SlowTimer() {
  const absl::Duration took = absl::Nanoseconds(SteadyNs() - begin_ns_);
  if (IsSlow(took)) NoteSlow(operation_, took, {{field_, value_}});
}

}  // namespace acta
