#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace acta {

// The STREAM group of the queue load. It reads the topic of the queues.
inline constexpr char kStreamGroup[] = "readers";
// Where its steps publish; one partition.
inline constexpr char kOutcomeTopic[] = "outcomes";

// A position that a member asked for. Positions in the history are counts of disk operations.
struct StreamCommit {
  static constexpr size_t kNever = std::numeric_limits<size_t>::max();

  int32_t partition = 0;
  int64_t first = 0;  // Of a step: the first event that it settles.
  int64_t offset = 0;
  int64_t generation = 0;  // Of the assignment that it was asked under.
  int64_t step = -1;       // That it is a part of; below 0: of none.
  size_t submitted = 0;    // Done before it was asked for.
  size_t acked = kNever;   // Done at the latest when it was answered OK.
};

// A step of a member: positions, an event, and a claim that is completed. Its number is its place
// in the history, its times are those of its commits.
struct StreamStep {
  std::string token;       // Of its claim.
  size_t claimed = 0;      // Done at the latest when the claim was answered.
  int64_t claimed_us = 0;  // When it was asked for, by the load's clock.
  bool refused = false;
};

struct StreamHistory {
  std::vector<StreamCommit> commits;  // In the order in which they were asked for.
  std::vector<StreamStep> steps;
};

std::string OutcomeOf(int64_t step);      // The data of its event.
std::string StreamClaimOf(int64_t step);  // The key of its claim, whose result is its outcome.

void SaveStream(const StreamHistory& history, std::ostream& out);
// A line that begins with this word, if it is one of a stream.
void LoadStream(absl::string_view kind, std::istream& in, StreamHistory* history);

}  // namespace acta
