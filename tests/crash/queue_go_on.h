#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/group_rows.h"
#include "tests/crash/image_check.h"
#include "tests/crash/queue_history.h"
#include "tests/crash/queue_store.h"
#include "tests/crash/schedule_check.h"
#include "tests/crash/step_results.h"
#include "tests/crash/stream_check.h"

namespace acta {

// What an image has left of a group.
struct QueueLeft {
  std::map<JobPlace, int32_t> open;      // Outstanding and not held: the next attempt of each.
  std::set<JobPlace> held;               // Somebody has to decide.
  std::map<JobPlace, std::string> keys;  // Of both, where they have one.
  size_t letters = 0;
  int64_t resets = 0;
};

// What members do with an image: they repeat steps, and then take and acknowledge until nothing is
// left. While an event is held nothing of its key may come; then somebody redrives or skips it.
//
// Classes: goes-on, passed-hold (it comes before anybody decided, or one of its key does),
// wrong-counts.
class QueueGoOn {
 public:
  // Borrows all but the cut. `left`: of the groups in their order.
  QueueGoOn(const QueueHistory& history, const ImageCut& cut, QueueStore& store,
            std::vector<QueueLeft>& left, TellProblem problem)
      : history_(history), cut_(cut), store_(store), left_(left), problem_(problem) {}

  void Run(ScheduleCheck& later, StreamCheck& stream);

 private:
  using Wanted = std::map<JobPlace, int32_t>;  // The attempt that each comes with.

  void Problem(absl::string_view name, size_t group, const JobPlace& place, absl::string_view what);
  void Repeat();
  void SettleAgain(const QueueDecision& decision);
  void Process(size_t group);
  // Takes and acknowledges until all that is wanted came.
  void TakeAll(size_t group, QueueHand& hand, Wanted wanted);
  void AckAll(size_t group, QueueHand& hand, Wanted* wanted);
  void Decide(size_t group, Wanted* wanted);
  bool Skip(size_t group, const JobPlace& place);
  void CheckEmpty(size_t group);
  void CheckCopies(size_t group);

  const QueueHistory& history_;
  const ImageCut cut_;
  QueueStore& store_;
  std::vector<QueueLeft>& left_;
  const TellProblem problem_;
  std::vector<std::string> written_;  // Results that there have to be.
  std::set<JobPlace> waiting_;        // Of the group at hand: held, or behind one that is.
};

}  // namespace acta
