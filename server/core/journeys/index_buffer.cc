#include "server/core/journeys/index_buffer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace acta {

void FindInRun(const std::vector<IndexEntry>& run, uint64_t hash, IndexPlaces* out) {
  const uint64_t wanted = IndexedHash(hash);
  const auto before = [](const IndexEntry& entry, uint64_t value) { return entry.hash < value; };
  for (auto at = std::lower_bound(run.begin(), run.end(), wanted, before);
       at != run.end() && at->hash == wanted; ++at) {
    out->Add(PlaceOf(*at));
  }
}

void IndexBuffer::Add(absl::Span<const IndexEntry> entries) {
  for (IndexEntry entry : entries) {
    entry.hash = IndexedHash(entry.hash);
    unsorted_.push_back(entry);
    if (unsorted_.size() >= kUnsorted) Sort();
  }
  size_ += entries.size();
}

void IndexBuffer::Sort() {
  if (unsorted_.empty()) return;
  std::sort(unsorted_.begin(), unsorted_.end());
  runs_.push_back(std::exchange(unsorted_, {}));
  unsorted_.reserve(kUnsorted);
  while (runs_.size() > 1) {
    std::vector<IndexEntry>& older = runs_[runs_.size() - 2];
    const std::vector<IndexEntry>& newer = runs_.back();
    if (older.size() > 2 * newer.size()) break;
    std::vector<IndexEntry> merged;
    merged.reserve(older.size() + newer.size());
    std::merge(older.begin(), older.end(), newer.begin(), newer.end(), std::back_inserter(merged));
    older = std::move(merged);
    runs_.pop_back();
  }
}

void IndexBuffer::Find(uint64_t hash, IndexPlaces* out) const {
  for (const std::vector<IndexEntry>& run : runs_) FindInRun(run, hash, out);
  const uint64_t wanted = IndexedHash(hash);
  for (const IndexEntry& entry : unsorted_) {
    if (entry.hash == wanted) out->Add(PlaceOf(entry));
  }
}

std::vector<IndexEntry> IndexBuffer::Take() {
  Sort();
  std::vector<IndexEntry> all;
  for (std::vector<IndexEntry>& run : runs_) {
    std::vector<IndexEntry> merged;
    merged.reserve(all.size() + run.size());
    std::merge(all.begin(), all.end(), run.begin(), run.end(), std::back_inserter(merged));
    all = std::move(merged);
  }
  runs_.clear();
  size_ = 0;
  return all;
}

}  // namespace acta
