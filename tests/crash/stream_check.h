#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "acta/storage/v1/records.pb.h"
#include "tests/crash/image_check.h"
#include "tests/crash/queue_history.h"
#include "tests/crash/queue_store.h"
#include "tests/crash/step_results.h"
#include "tests/crash/stream_hand.h"

namespace acta {

// Holds what an image has of the STREAM group against the history: each position is one that was
// asked for, and no lower than one that was answered; the event, the claim and the positions of a
// step are there all or not at all, all when it was answered, and the event once.
//
// Classes: lost-commit, wrong-commit (nobody asked for that), stale-generation (lower than one that
// was answered), lost-claim, lost-stream-step, torn-stream-step, doubled-outcome, wrong-outcome (of
// a step that was refused, or of none).
class StreamCheck {
 public:
  // Borrows all but the cut.
  StreamCheck(const QueueHistory& history, const ImageCut& cut, QueueStore& store)
      : history_(history), cut_(cut), store_(store) {}

  // Before anything changes. Returns what it found, as a text.
  std::string Look(TellProblem problem);
  // A member comes back at the positions that were found, under a higher generation. Nothing that
  // is stale counts, nor does a step back; the last steps are repeated, which counts for those that
  // did not happen, and in the end all is committed. Class: goes-on.
  void GoOn(TellProblem problem);
  // After another start: it is as it was left.
  void LookAgain(TellProblem problem);

 private:
  struct Found {
    std::map<int32_t, storage::v1::PositionRecord> positions;
    std::map<int64_t, int> outcomes;  // Events by step; -1: of none.
    std::map<int64_t, bool> claims;   // By step: whether it is completed, as it has to be.
  };

  absl::StatusOr<Found> Find();
  absl::Status FindClaims(GroupId group, Found* found);
  void CheckPosition(int32_t partition, TellProblem problem) const;
  void CheckStep(int64_t step, TellProblem problem) const;
  std::vector<StreamCommit> CommitsOf(int64_t step) const;
  int64_t At(int32_t partition) const { return found_.positions.at(partition).offset(); }

  absl::Status ComeBack(StreamHand& hand) const;
  absl::Status TryStale(StreamHand& hand) const;
  absl::Status RepeatLast(StreamHand& hand);
  absl::Status RepeatStep(int64_t step, StreamHand& hand);
  absl::Status CommitAll(StreamHand& hand);

  const QueueHistory& history_;
  const ImageCut cut_;
  QueueStore& store_;
  Found found_;         // What the image had, and what was done since.
  bool there_ = false;  // The group is.
};

}  // namespace acta
