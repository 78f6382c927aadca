#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/base/ids.h"

namespace acta {

// The index of a log slice tells where something is that has a hash: an id, a correlation, whatever
// the domain hashes. Its rows are blocks: the entries of one bucket of hashes. Two blocks of a
// bucket, one behind the other, are a block, too: what is added later is joined by the database. A
// hash is only a hint: who finds an event by it looks whether it is the one.

struct IndexEntry {
  uint64_t hash = 0;  // The kIndexHashBits upper bits count.
  PartitionId partition;
  Offset offset;
  friend auto operator<=>(const IndexEntry&, const IndexEntry&) = default;
};

// An entry's place.
struct IndexPlace {
  PartitionId partition;
  Offset offset;
  friend auto operator<=>(const IndexPlace&, const IndexPlace&) = default;
};
constexpr IndexPlace PlaceOf(const IndexEntry& entry) { return {entry.partition, entry.offset}; }

// Collects the places that are wanted, in a bounded part of memory: from the least on, each once,
// the lowest of them. Threads: one.
class IndexPlaces {
 public:
  IndexPlaces(IndexPlace least, size_t most) : least_(least), most_(most) {}

  void Add(IndexPlace place) {
    if (place < least_) return;
    places_.push_back(place);
    if (places_.size() >= 2 * most_ + kSpare) Cut();
  }
  // In order; those that did not fit are above all of them.
  std::vector<IndexPlace> Take() {
    Cut();
    return std::move(places_);
  }
  // There were more.
  bool cut() const { return cut_; }

 private:
  static constexpr size_t kSpare = 4096;
  void Cut();

  IndexPlace least_;
  size_t most_;
  bool cut_ = false;
  std::vector<IndexPlace> places_;
};

// The form of the files. Of another the index is made anew.
inline constexpr int32_t kIndexForm = 1;

// A bucket and what is stored of a hash beyond it.
inline constexpr int kIndexBucketBits = 15;
inline constexpr int kIndexHashBits = kIndexBucketBits + 32;
constexpr uint64_t IndexedHash(uint64_t hash) {
  return hash >> (64 - kIndexHashBits) << (64 - kIndexHashBits);
}
constexpr uint64_t IndexBucket(uint64_t hash) { return hash >> (64 - kIndexBucketBits); }

// Key of a block: the bucket u64, big endian.
std::string IndexKey(uint64_t bucket);

// Adds an entry to the block of its bucket: the stored part of its hash u32 little endian,
// partition and offset as varints.
void AppendToIndexBlock(const IndexEntry& entry, std::string* block);
// Adds the places of the entries with this hash. Errors: DATA_CORRUPTED.
absl::Status FindInIndexBlock(absl::string_view block, uint64_t hash, IndexPlaces* out);

}  // namespace acta
