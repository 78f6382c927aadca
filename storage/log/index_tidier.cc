#include "storage/log/index_tidier.h"

#include <pthread.h>

#include <algorithm>

#include "absl/algorithm/container.h"

namespace acta {
namespace {

constexpr absl::Duration kLeastQuiet = absl::Minutes(1);
// While they are joined files are there twice; so much more has to be free.
constexpr int64_t kRoom = 4;

}  // namespace

bool IndexTidier::IsDue(const FamilyPtr& index, absl::Duration now) {
  const int64_t bytes = store_.FamilyBytes(index);
  const auto [seen, added] = seen_.try_emplace(index, Seen{bytes, now});
  if (seen->second.bytes != bytes) seen->second = {bytes, now};
  const absl::Duration wanted = std::max(kLeastQuiet, absl::Seconds(bytes >> 20));
  return now - seen->second.since >= wanted && store_.Runs(index) > 1 && HasRoom(bytes);
}

void IndexTidier::Tick() {
  // What is dropped leaves the disk when nobody has it any more.
  const std::vector<FamilyPtr> indexes = slices_.Indexes();
  absl::erase_if(seen_,
                 [&](const auto& seen) { return !absl::c_linear_search(indexes, seen.first); });
  if (joins_) return;
  if (thread_.joinable()) thread_.join();
  const absl::Duration now = clock_.SinceBoot();
  std::vector<FamilyPtr> due;
  for (const FamilyPtr& index : indexes) {
    if (IsDue(index, now)) due.push_back(index);
  }
  if (due.empty()) return;
  joins_ = true;
  thread_ = std::thread([this, due = std::move(due)]() mutable { Join(std::move(due)); });
  pthread_setname_np(thread_.native_handle(), "acta-tidier");
}

bool IndexTidier::HasRoom(int64_t bytes) const {
  return disk_.state() < DiskState::kSoft && disk_.free_bytes() / kRoom > bytes;
}

void IndexTidier::Join(std::vector<FamilyPtr> indexes) {
  for (FamilyPtr& index : indexes) {
    // What was joined before has taken room.
    if (HasRoom(store_.FamilyBytes(index))) store_.JoinRuns(index);
    index.reset();
  }
  joins_ = false;
}

void IndexTidier::Stop() {
  store_.StopJoins();
  if (thread_.joinable()) thread_.join();
}

}  // namespace acta
