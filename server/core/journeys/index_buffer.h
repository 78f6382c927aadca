#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "storage/layout/index_block.h"

namespace acta {

// IndexBuffer holds entries of the index that are in no file yet, in the order they came, in chunks
// that are sorted when somebody looks into them: mostly nobody does, and all are sorted at once, by
// their upper bits first (MSD radix sort: Knuth, The Art of Computer Programming 3, 5.2.5).
//
// Threads: one at a time.
// Cost:    Add() O(1) an entry; Find() sorts what came since the last, then O(chunks * log chunk).
// Memory:  24 bytes an entry, twice that while Take() runs; what it had once it keeps.
class IndexBuffer {
 public:
  void Add(absl::Span<const IndexEntry> entries);
  // Adds the places of those with this hash (IndexedHash() counts).
  void Find(uint64_t hash, IndexPlaces* out);
  // All of it, sorted; nothing stays.
  std::vector<IndexEntry> Take();
  size_t size() const { return size_; }

 private:
  static constexpr size_t kChunk = 32'768;
  struct Chunk {
    std::vector<IndexEntry> entries;
    size_t sorted = 0;  // So many, or none.
  };

  std::vector<Chunk> chunks_;  // Those behind the first that is not full are empty.
  size_t size_ = 0;
};

// Adds the places of a sorted run's entries with this hash.
void FindInRun(const std::vector<IndexEntry>& run, uint64_t hash, IndexPlaces* out);

}  // namespace acta
