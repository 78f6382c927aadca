#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "storage/layout/index_block.h"

namespace acta {

// IndexBuffer holds entries of the index that are in no file yet: sorted runs, each more than
// twice as long as the one behind it, and the newest unsorted. After the logarithmic method of
// Bentley and Saxe (Decomposable searching problems I, 1980).
//
// Threads: one at a time.
// Cost:    Add() O(log n) an entry, Find() O(log^2 n) and a look at the unsorted.
// Memory:  24 bytes an entry, and while runs are merged once more.
class IndexBuffer {
 public:
  void Add(absl::Span<const IndexEntry> entries);
  // Adds the places of those with this hash (IndexedHash() counts).
  void Find(uint64_t hash, IndexPlaces* out) const;
  // All of it, sorted; nothing stays.
  std::vector<IndexEntry> Take();
  size_t size() const { return size_; }

 private:
  static constexpr size_t kUnsorted = 4096;

  void Sort();

  std::vector<std::vector<IndexEntry>> runs_;
  std::vector<IndexEntry> unsorted_;
  size_t size_ = 0;
};

// Adds the places of a sorted run's entries with this hash.
void FindInRun(const std::vector<IndexEntry>& run, uint64_t hash, IndexPlaces* out);

}  // namespace acta
