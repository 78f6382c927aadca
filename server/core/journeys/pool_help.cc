#include "server/core/journeys/pool_help.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "storage/base/mutex.h"

namespace acta {
namespace {

constexpr size_t kMostHelpers = 3;
// Of lookups in the index: fewer are not worth the help.
constexpr size_t kHashesOfPart = 16;

// What the threads share. One that comes late finds nothing to do.
struct SharedWork {
  SharedWork(size_t count, std::function<void(size_t)> its_work)
      : count(count), work(std::move(its_work)) {}

  void Run() {
    for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      work(i);
      MutexLock lock(mu);
      if (++done == count) all_done.Signal();
    }
  }

  const size_t count;
  const std::function<void(size_t)> work;
  std::atomic<size_t> next{0};
  Mutex mu;  // Leaf.
  CondVar all_done;
  size_t done ABSL_GUARDED_BY(mu) = 0;
};

}  // namespace

void RunWithHelp(Executor& pool, size_t count, std::function<void(size_t)> work) {
  if (count == 0) return;
  const auto shared = std::make_shared<SharedWork>(count, std::move(work));
  for (size_t i = 0; i < std::min(kMostHelpers, count - 1); ++i) {
    pool.Post([shared] { shared->Run(); });
  }
  shared->Run();
  MutexLock lock(shared->mu);
  while (shared->done < count) shared->all_done.Wait(shared->mu);
}

absl::StatusOr<IndexPlaces> FindPlaces(const JourneyIndexer& indexer, Executor& pool,
                                       std::vector<uint64_t> hashes, IndexPlace least,
                                       size_t most) {
  IndexPlaces found(least, most);
  // Of each all places are walked.
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  // Each part waits for the disk once a file and some rows: fewer parts wait together.
  const size_t parts = std::min(hashes.size() / kHashesOfPart, kMostHelpers + 1);
  bool cut = false;
  if (parts > 1) {
    std::vector<IndexPlaces> of_parts(parts, IndexPlaces(least, most));
    std::vector<absl::Status> status(parts);
    RunWithHelp(pool, parts, [&](size_t i) {
      const auto at = [&](size_t part) {
        return hashes.begin() + static_cast<std::ptrdiff_t>(part * hashes.size() / parts);
      };
      status[i] = indexer.Find({at(i), at(i + 1)}, &of_parts[i]);
    });
    for (size_t i = 0; i < parts; ++i) {
      if (!status[i].ok()) return status[i];
      for (const IndexPlace& place : of_parts[i].Take()) found.Add(place);
      cut = cut || of_parts[i].cut();
    }
  }
  if (parts > 1 && !cut) return found;
  // What a part left out may lie below what another has.
  IndexPlaces all(least, most);
  const absl::Status status = indexer.Find(hashes, &all);
  if (!status.ok()) return status;
  return all;
}

}  // namespace acta
