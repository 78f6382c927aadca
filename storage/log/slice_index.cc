#include "storage/log/slice_index.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "storage/base/status_macros.h"

namespace acta {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

// One row a bucket.
Rows RowsOf(absl::Span<const IndexEntry> entries) {
  Rows rows;
  for (size_t begin = 0; begin < entries.size();) {
    const uint64_t bucket = IndexBucket(entries[begin].hash);
    size_t end = begin;
    while (end < entries.size() && IndexBucket(entries[end].hash) == bucket) ++end;
    rows.emplace_back(IndexKey(bucket), EncodeIndexBlock(entries.subspan(begin, end - begin)));
    begin = end;
  }
  return rows;
}

// Finds the slice of an offset; the entries of one partition mostly lie in one.
class SliceFinder {
 public:
  explicit SliceFinder(const LogTable& table) : table_(table) {}

  // Null: the event is gone.
  SlicePtr Find(PartitionId partition, Offset offset) {
    const auto [at, added] = pieces_.try_emplace(partition);
    if (added) {
      const PartitionPtr log = table_.Find(partition);
      if (log != nullptr) at->second = log->Pieces();
    }
    for (auto piece = at->second.rbegin(); piece != at->second.rend(); ++piece) {
      if (piece->span.first <= offset && offset <= piece->span.last) return piece->slice;
    }
    return nullptr;
  }

 private:
  const LogTable& table_;
  std::map<PartitionId, std::vector<PartitionLog::Piece>> pieces_;
};

}  // namespace

absl::Status SliceIndex::Add(absl::Span<const IndexEntry> entries) {
  MutexLock adding(add_mu_);
  std::map<uint64_t, SlicePtr> slices;
  std::map<uint64_t, std::vector<IndexEntry>> of_slice;
  SliceFinder finder(table_);
  for (const IndexEntry& entry : entries) {
    SlicePtr slice = finder.Find(entry.partition, entry.offset);
    if (slice == nullptr) continue;
    std::vector<IndexEntry>& of = of_slice[slice->id];
    if (of.empty()) slices[slice->id] = std::move(slice);
    of.push_back(entry);
  }
  if (slices.empty()) return absl::OkStatus();
  std::vector<SlicePtr> all;
  for (const auto& [id, slice] : slices) all.push_back(slice);
  ASSIGN_OR_RETURN(const std::vector<FamilyPtr> indexes, slices_.EnsureIndexes(all));
  // A file of a family that began in a later log file than the one a power cut tears is refused at
  // the start: all that was written before it is synced first.
  RETURN_IF_ERROR(queue_.SubmitAndWait(Transaction(), CommitQueue::Urgency::kFreesDisk));
  for (size_t i = 0; i < all.size(); ++i) {
    if (indexes[i] == nullptr) continue;  // Dropped meanwhile.
    RETURN_IF_ERROR(store_.AddFile(indexes[i], RowsOf(of_slice[all[i]->id])));
  }
  return absl::OkStatus();
}

absl::Status SliceIndex::Find(std::vector<uint64_t> hashes, IndexPlaces* out) const {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  std::vector<std::string> keys;
  std::vector<size_t> begins;  // Of the hashes of a key.
  for (size_t i = 0; i < hashes.size(); ++i) {
    std::string key = IndexKey(IndexBucket(hashes[i]));
    if (!keys.empty() && keys.back() == key) continue;
    keys.push_back(std::move(key));
    begins.push_back(i);
  }
  begins.push_back(hashes.size());
  for (const FamilyPtr& index : slices_.Indexes()) {
    RETURN_IF_ERROR(store_.GetRows(index, keys, [&](size_t row, absl::string_view block) {
      for (size_t i = begins[row]; i < begins[row + 1]; ++i) {
        RETURN_IF_ERROR(FindInIndexBlock(block, hashes[i], out));
      }
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

}  // namespace acta
