#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/oracle/records.h"

namespace acta::oracle {

// What a history may show that was promised never to happen.
enum class Anomaly : uint8_t {
  // Acknowledged, or delivered, and gone: neither kept nor removed by retention.
  kLostWrite,
  // One value at two offsets of a partition.
  kDuplicate,
  // One offset of one incarnation with two values, or a value elsewhere than acknowledged.
  kInconsistentOffsets,
  // A reader's position went back within a session, or a member's while it had the partition.
  kNonmonotonicPoll,
  // A reader, or the log itself, passes over an offset that holds an event.
  kPollSkip,
  // Below a group's confirmed position, and no member of the group was given it.
  kUnseen,
  // Two events of one publisher in a partition in another order than published.
  kReordered,
  // Delivered or kept bytes that nobody published.
  kAltered,
  // A refused event is there.
  kPhantom,
  // A member starts below a position that was confirmed to the group before.
  kLostCommit,
  // Where a partition begins, or where it ends for readers, is told to be before what was told
  // earlier: what retention had taken is there again, or what could be seen is gone.
  kMovedBack,
};
std::string AnomalyName(Anomaly anomaly);  // "lost-write"

struct CheckOptions {
  // The load went through a power cut: what is acknowledged at level OS only may be gone.
  bool power_cut = false;
};

struct CheckReport {
  std::map<Anomaly, int64_t> counts;
  // For each class the first few, for people.
  std::map<Anomaly, std::vector<std::string>> examples;
  int64_t acknowledged = 0;
  int64_t delivered = 0;
  int64_t kept = 0;

  bool clean() const { return counts.empty(); }
};

// Holds a history against what a log promises. Time and memory are linear in the records but for
// the sorting of each partition by offset and of commits by time. The names of the classes are
// those of Jepsen's analyses of logs (Kafka, Redpanda) where it has one.
CheckReport Check(const std::vector<Record>& history, const CheckOptions& options = {});

}  // namespace acta::oracle
