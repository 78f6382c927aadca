#include "storage/log/slice_index.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int kGone = -1;

// Numbers the slices that entries lie in.
class SliceFinder {
 public:
  explicit SliceFinder(const LogTable& table) : table_(table) {}

  // kGone: the event is.
  int Find(PartitionId partition, Offset offset) {
    const auto [at, added] = spans_.try_emplace(partition);
    if (added) {
      const PartitionPtr log = table_.Find(partition);
      const auto pieces = log == nullptr ? std::vector<PartitionLog::Piece>() : log->Pieces();
      for (const auto& [slice, span] : pieces) {
        at->second.push_back({span.first, span.last, NumberOf(slice)});
      }
    }
    for (auto span = at->second.rbegin(); span != at->second.rend(); ++span) {
      if (span->first <= offset && offset <= span->last) return span->slice;
    }
    return kGone;
  }
  const std::vector<SlicePtr>& slices() const { return slices_; }

 private:
  struct Span {
    Offset first;
    Offset last;  // Inclusive.
    int slice;
  };

  int NumberOf(const SlicePtr& slice) {
    const auto number = std::find(slices_.begin(), slices_.end(), slice) - slices_.begin();
    if (static_cast<size_t>(number) == slices_.size()) slices_.push_back(slice);
    return static_cast<int>(number);
  }

  const LogTable& table_;
  absl::flat_hash_map<PartitionId, std::vector<Span>> spans_;
  std::vector<SlicePtr> slices_;
};

// One row a bucket, of the entries that lie in one slice.
class RowsOfSlice {
 public:
  RowsOfSlice(absl::Span<const IndexEntry> entries, absl::Span<const int> slices, int slice)
      : entries_(entries), slices_(slices), slice_(slice) {}

  // False: there are no more.
  bool Next(std::string* key, std::string* block) {
    block->clear();
    uint64_t bucket = 0;
    for (; at_ < entries_.size(); ++at_) {
      if (slices_[at_] != slice_) continue;
      const uint64_t next = IndexBucket(entries_[at_].hash);
      if (!block->empty() && next != bucket) break;
      bucket = next;
      AppendToIndexBlock(entries_[at_], block);
    }
    *key = IndexKey(bucket);
    return !block->empty();
  }

 private:
  const absl::Span<const IndexEntry> entries_;
  const absl::Span<const int> slices_;  // Of each.
  const int slice_;
  size_t at_ = 0;
};

}  // namespace

absl::Status SliceIndex::CheckReadable() const {
  if (!store_.index_damaged()) return absl::OkStatus();
  return Error(v1::DATA_CORRUPTED, "a file of the index is damaged");
}

absl::Status SliceIndex::Add(absl::Span<const IndexEntry> entries) {
  RETURN_IF_ERROR(CheckReadable());
  MutexLock adding(add_mu_);
  SliceFinder finder(table_);
  std::vector<int> slice_of(entries.size());
  std::vector<bool> has_entries;
  for (size_t i = 0; i < entries.size(); ++i) {
    slice_of[i] = finder.Find(entries[i].partition, entries[i].offset);
    has_entries.resize(finder.slices().size());
    if (slice_of[i] != kGone) has_entries[static_cast<size_t>(slice_of[i])] = true;
  }
  std::vector<int> numbers;
  std::vector<SlicePtr> slices;
  for (size_t i = 0; i < has_entries.size(); ++i) {
    if (!has_entries[i]) continue;
    numbers.push_back(static_cast<int>(i));
    slices.push_back(finder.slices()[i]);
  }
  if (slices.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<FamilyPtr> indexes, slices_.EnsureIndexes(slices));
  // A file of a family that began in a later log file than the one a power cut tears is refused at
  // the start: all that was written before it is synced first.
  RETURN_IF_ERROR(queue_.SubmitAndWait(Transaction(), CommitQueue::Urgency::kFreesDisk));
  for (size_t i = 0; i < slices.size(); ++i) {
    if (indexes[i] == nullptr) continue;  // Dropped meanwhile.
    RowsOfSlice rows(entries, slice_of, numbers[i]);
    RETURN_IF_ERROR(store_.AddFile(
        indexes[i], [&](std::string* key, std::string* block) { return rows.Next(key, block); }));
  }
  return absl::OkStatus();
}

absl::Status SliceIndex::Find(std::vector<uint64_t> hashes, IndexPlaces* out) const {
  RETURN_IF_ERROR(CheckReadable());
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
