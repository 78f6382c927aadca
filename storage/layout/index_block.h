#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/base/ids.h"

namespace acta {

// The index of a log slice tells where something is that has a hash: an id, a correlation, whatever
// the domain hashes. Its rows are blocks: the entries of one bucket of hashes that were indexed
// together, a run. A hash is only a hint: who finds an event by it looks whether it is the one.

struct IndexEntry {
  uint64_t hash = 0;  // The kIndexHashBits upper bits count.
  PartitionId partition;
  Offset offset;
  friend auto operator<=>(const IndexEntry&, const IndexEntry&) = default;
};

// A bucket and what is stored of a hash beyond it.
inline constexpr int kIndexBucketBits = 14;
inline constexpr int kIndexHashBits = kIndexBucketBits + 32;
constexpr uint64_t IndexedHash(uint64_t hash) {
  return hash >> (64 - kIndexHashBits) << (64 - kIndexHashBits);
}
constexpr uint64_t IndexBucket(uint64_t hash) { return hash >> (64 - kIndexBucketBits); }

// Key of a block: bucket u64 and run u64, big endian.
std::string IndexKey(uint64_t bucket, uint64_t run);
// With it begin all blocks of a bucket.
std::string IndexKeyPrefix(uint64_t bucket);

// The block of entries of one bucket. For each: the stored part of its hash u32 little endian,
// partition and offset as varints.
std::string EncodeIndexBlock(absl::Span<const IndexEntry> entries);
// Appends the entries with this hash. Errors: DATA_CORRUPTED.
absl::Status FindInIndexBlock(absl::string_view block, uint64_t hash, std::vector<IndexEntry>* out);

}  // namespace acta
