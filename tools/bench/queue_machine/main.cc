// The state machine of a queue by itself: how many events a second it scans, leases, settles one by
// one and hands over to be written. No disk, no streams, one thread.
//
//   acta-bench-queue [SECONDS]    of each measure; prints {"measure": events/s, ...}

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "server/core/delivery/partition_queue.h"

namespace acta {
namespace {

constexpr int64_t kScanned = 1000;
constexpr int64_t kAcksPerWrite = 1000;
constexpr int64_t kStepUs = 1000;

struct Kind {
  const char* name;
  QueueOrder order;
  int64_t events_per_lease;
  int members;
  bool scattered;  // Acks come in any order.
  int64_t parked;  // Events that wait for an hour meanwhile.
};

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Events on which every member has failed once, an hour ago from coming back.
void ParkMany(PartitionQueue& queue, int64_t count, int64_t now_us) {
  std::vector<LeasedRun> runs;
  Nack nack;
  nack.delay = absl::Hours(1000);
  while (count > 0) {
    const int64_t some = std::min(count, kScanned);
    queue.Scan(std::vector<EventFacts>(static_cast<size_t>(some)), now_us);
    runs.clear();
    queue.Lease(1, {some, INT64_MAX}, now_us, &runs);
    for (const LeasedRun& run : runs) {
      for (int32_t i = 0; i < run.count; ++i) queue.Fail(1, run.first + i, nack, now_us);
    }
    queue.TakeChanges();
    count -= some;
  }
}

double Run(const Kind& kind, double seconds) {
  QueuePolicy policy;
  policy.order = kind.order;
  QueueBudget budget;
  budget.max_parked = kind.parked + 1;
  PartitionQueue queue(policy, budget, 1);
  queue.Load({}, {}, Offset(0), 0);
  int64_t now_us = 0;
  ParkMany(queue, kind.parked, now_us);
  std::mt19937_64 random(1);
  std::vector<std::pair<uint64_t, Offset>> held;
  std::vector<LeasedRun> runs;
  std::vector<EventFacts> facts(kScanned);
  int64_t acked = 0, unwritten = 0;
  const auto start = std::chrono::steady_clock::now();
  while (SecondsSince(start) < seconds) {
    now_us += kStepUs;
    const auto room = static_cast<size_t>(std::min(kScanned, queue.Room()));
    for (size_t i = 0; i < room; ++i) facts[i].key = 1 + random() % 1000;
    queue.Scan(absl::MakeSpan(facts).first(room), now_us);
    for (int64_t leased = 0, idle = 0; leased < kScanned && idle < kind.members;) {
      const uint64_t member = 1 + static_cast<uint64_t>(leased) % kind.members;
      runs.clear();
      const int64_t got =
          queue.Lease(member, {kind.events_per_lease, INT64_MAX}, now_us, &runs).events;
      idle = got == 0 ? idle + 1 : 0;
      leased += got == 0 ? 1 : got;
      for (const LeasedRun& run : runs) {
        for (int32_t i = 0; i < run.count; ++i) held.emplace_back(member, run.first + i);
      }
    }
    if (kind.scattered) std::shuffle(held.begin(), held.end(), random);
    for (const auto& [member, offset] : held) {
      queue.Ack(member, offset);
      if (++unwritten == kAcksPerWrite) {
        queue.PassTurns(queue.TakeChanges().turns);
        unwritten = 0;
      }
    }
    // Of less than a write the next of a key waits for, too.
    if (kind.order != QueueOrder::kUnordered) queue.PassTurns(queue.TakeChanges().turns);
    acked += static_cast<int64_t>(held.size());
    held.clear();
  }
  return static_cast<double>(acked) / SecondsSince(start);
}

// Eight members, order KEY with 1,000 keys over 16 partitions whose windows are full, as behind a
// broker: far more than the processor's cache has.
class Wide {
 public:
  Wide() {
    policy_.order = QueueOrder::kKey;
    for (uint64_t i = 0; i < 16; ++i) {
      queues_.push_back(std::make_unique<PartitionQueue>(policy_, budget_, i));
      queues_.back()->Load({}, {}, Offset(0), 0);
    }
  }

  // How many were acked.
  int64_t Round() {
    constexpr int64_t kAtOnce = 500, kLease = 7;
    constexpr uint64_t kKeys = 62, kMembers = 8;  // Of a partition.
    now_us_ += kStepUs;
    int64_t acked = 0;
    facts_.resize(kAtOnce);
    for (const auto& queue : queues_) {
      while (queue->Room() >= kAtOnce) {
        for (EventFacts& one : facts_) one.key = 1 + random_() % kKeys;
        queue->Scan(facts_, now_us_);
      }
      for (uint64_t member = 1; member <= kMembers; ++member) {
        runs_.clear();
        queue->Lease(member, {kLease, INT64_MAX}, now_us_, &runs_);
        for (const LeasedRun& run : runs_) {
          for (int32_t i = 0; i < run.count; ++i) {
            acked += queue->Ack(member, run.first + i) == SettleOutcome::kDone;
          }
        }
      }
      queue->PassTurns(queue->TakeChanges().turns);
    }
    return acked;
  }

 private:
  QueuePolicy policy_;
  QueueBudget budget_;
  std::vector<std::unique_ptr<PartitionQueue>> queues_;
  std::mt19937_64 random_{1};
  std::vector<LeasedRun> runs_;
  std::vector<EventFacts> facts_;
  int64_t now_us_ = 0;
};

double RunWide(double seconds) {
  Wide wide;
  wide.Round();  // The first has full windows to fill.
  int64_t acked = 0;
  const auto start = std::chrono::steady_clock::now();
  while (SecondsSince(start) < seconds) acked += wide.Round();
  return static_cast<double>(acked) / SecondsSince(start);
}

constexpr Kind kKinds[] = {
    {"runs_1_member", QueueOrder::kUnordered, 1000, 1, false, 0},
    {"runs_8_members", QueueOrder::kUnordered, 125, 8, false, 0},
    {"runs_8_members_beside_100k_parked", QueueOrder::kUnordered, 125, 8, false, 100'000},
    {"scattered_1_member", QueueOrder::kUnordered, 1000, 1, true, 0},
    {"scattered_8_members", QueueOrder::kUnordered, 1, 8, true, 0},
    {"key_1000_8_members", QueueOrder::kKey, 125, 8, false, 0},
};

}  // namespace
}  // namespace acta

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? atof(argv[1]) : 2;
  const char* separator = "{";
  for (const acta::Kind& kind : acta::kKinds) {
    printf("%s\"%s\": %.0f", separator, kind.name, acta::Run(kind, seconds));
    fflush(stdout);
    separator = ", ";
  }
  printf("%s\"key_1000_16_partitions\": %.0f}\n", separator, acta::RunWide(seconds));
  return 0;
}
