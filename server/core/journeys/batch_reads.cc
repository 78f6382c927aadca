#include "server/core/journeys/batch_reads.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "server/core/journeys/event_links.h"
#include "storage/base/mutex.h"

namespace acta {
namespace {

constexpr size_t kMostHelpers = 3;

// What the readers share. One that comes late finds nothing to do.
struct SharedReads {
  SharedReads(const LogEngine& engine, absl::Span<const IndexPlace> its_places)
      : engine(engine), places(its_places.begin(), its_places.end()), batches(places.size()) {}

  void Work() {
    for (size_t i = next.fetch_add(1); i < places.size(); i = next.fetch_add(1)) {
      const auto read = ReadBatchAt(engine, places[i].partition, places[i].offset);
      MutexLock lock(mu);
      if (read.ok()) batches[i] = *read;
      if (++done == places.size()) all_done.Signal();
    }
  }

  const LogEngine& engine;
  const std::vector<IndexPlace> places;
  std::atomic<size_t> next{0};
  Mutex mu;  // Leaf.
  CondVar all_done;
  std::vector<BatchPtr> batches ABSL_GUARDED_BY(mu);
  size_t done ABSL_GUARDED_BY(mu) = 0;
};

}  // namespace

std::vector<BatchPtr> ReadBatches(const LogEngine& engine, Executor& pool,
                                  absl::Span<const IndexPlace> places) {
  if (places.empty()) return {};
  const auto reads = std::make_shared<SharedReads>(engine, places);
  for (size_t i = 0; i < std::min(kMostHelpers, places.size() - 1); ++i) {
    pool.Post([reads] { reads->Work(); });
  }
  reads->Work();
  MutexLock lock(reads->mu);
  while (reads->done < reads->places.size()) reads->all_done.Wait(reads->mu);
  return std::move(reads->batches);
}

}  // namespace acta
