#include "tests/crash/stream_history.h"

#include <istream>
#include <ostream>

#include "absl/strings/str_cat.h"

namespace acta {

std::string OutcomeOf(int64_t step) { return absl::StrCat("outcome ", step); }

std::string StreamClaimOf(int64_t step) { return absl::StrCat("claim ", step); }

void SaveStream(const StreamHistory& history, std::ostream& out) {
  for (const StreamCommit& commit : history.commits) {
    out << "commit " << commit.partition << ' ' << commit.first << ' ' << commit.offset << ' '
        << commit.generation << ' ' << commit.step << ' ' << commit.submitted << ' ' << commit.acked
        << '\n';
  }
  for (const StreamStep& step : history.steps) {
    out << "step " << step.token << ' ' << step.claimed << ' ' << step.claimed_us << ' '
        << step.refused << '\n';
  }
}

void LoadStream(absl::string_view kind, std::istream& in, StreamHistory* history) {
  if (kind == "commit") {
    StreamCommit& commit = history->commits.emplace_back();
    in >> commit.partition >> commit.first >> commit.offset >> commit.generation >> commit.step >>
        commit.submitted >> commit.acked;
  } else if (kind == "step") {
    StreamStep& step = history->steps.emplace_back();
    in >> step.token >> step.claimed >> step.claimed_us >> step.refused;
  }
}

}  // namespace acta
