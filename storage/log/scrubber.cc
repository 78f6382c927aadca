#include "storage/log/scrubber.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

struct Position {
  PartitionId partition;
  Offset offset;
  // Of the partition when it was begun: with what comes meanwhile it might have none.
  Offset end = Offset(std::numeric_limits<int64_t>::max());
};

absl::StatusOr<Position> ParseToken(absl::string_view token) {
  if (token.empty()) return Position();
  const std::vector<std::string> parts = absl::StrSplit(std::string(token), ':');
  uint64_t partition = 0;
  int64_t offset = 0;
  int64_t end = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &partition) ||
      !absl::SimpleAtoi(parts[1], &offset) || offset < 0 || !absl::SimpleAtoi(parts[2], &end)) {
    return Error(v1::INVALID_ARGUMENT, "the token is not one that Scrub answered");
  }
  return Position{PartitionId(partition), Offset(offset), Offset(end)};
}

// The range an error names, or the one event at `from`.
ScrubProblem ProblemOf(PartitionId partition, Offset from, const absl::Status& status) {
  ScrubProblem problem{partition, from, from, std::string(status.message())};
  const auto details = DetailsOf(status);
  int64_t offset = 0;
  if (details.contains("first_lost") && absl::SimpleAtoi(details.at("first_lost"), &offset)) {
    problem.first = Offset(offset);
  }
  if (details.contains("last_lost") && absl::SimpleAtoi(details.at("last_lost"), &offset)) {
    problem.last = Offset(std::max(offset, from.value()));
  }
  return problem;
}

}  // namespace

absl::StatusOr<ScrubPage> ScrubLog(const LogTable& table, const LogReader& reader,
                                   const Clock& clock, const ScrubOrder& order) {
  constexpr size_t kPageBytes = 4 << 20;
  ASSIGN_OR_RETURN(const Position start, ParseToken(order.token));
  std::vector<PartitionPtr> partitions;
  for (const TopicLogPtr& topic : table.All()) {
    for (const PartitionPtr& partition : topic->partitions()) {
      if (partition->id() >= start.partition) partitions.push_back(partition);
    }
  }
  std::sort(partitions.begin(), partitions.end(),
            [](const PartitionPtr& a, const PartitionPtr& b) { return a->id() < b->id(); });
  // Of many partitions these alone may take longer than the budget: it is for reading.
  const absl::Duration until = clock.SinceBoot() + order.budget;
  ScrubPage page;
  for (const PartitionPtr& partition : partitions) {
    const PartitionExtent extent = partition->Extent();
    Offset next = extent.first;
    Offset end = extent.visible_end;
    if (partition->id() == start.partition) {
      next = std::max(next, start.offset);
      end = std::min(end, start.end);
    }
    while (next < end) {
      const bool got_on = page.batches > 0 || !page.problems.empty();
      const bool over = clock.SinceBoot() >= until || (order.go_on && !order.go_on());
      if (over && got_on) {
        page.next_token =
            absl::StrCat(partition->id().value(), ":", next.value(), ":", end.value());
        return page;
      }
      const auto batches = reader.Read(*partition, next, kPageBytes);
      if (!batches.ok()) {
        // What was deleted, or taken by retention, since `next` was looked up is no damage.
        if (partition->dropped()) break;
        if (const Offset first = partition->Extent().first; first > next) {
          next = first;
          continue;
        }
        page.problems.push_back(ProblemOf(partition->id(), next, batches.status()));
        next = page.problems.back().last + 1;
        continue;
      }
      if (batches->empty()) break;
      for (const BatchPtr& batch : *batches) {
        ++page.batches;
        page.bytes += static_cast<int64_t>(batch->payload.size());
      }
      next = batches->back()->end();
    }
  }
  return page;
}

}  // namespace acta
