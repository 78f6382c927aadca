#include "server/core/journeys/index_buffer.h"

#include <algorithm>
#include <bit>

namespace acta {
namespace {

// Sorts the parts into one. Parts of a few entries each are left to sort once they are divided by
// the upper bits of their hashes.
std::vector<IndexEntry> SortTogether(absl::Span<const absl::Span<const IndexEntry>> parts,
                                     size_t size) {
  constexpr size_t kInPart = 4;
  const int bits = std::clamp<int>(std::bit_width(size / kInPart), 1, 18);
  const auto part_of = [bits](const IndexEntry& entry) { return entry.hash >> (64 - bits); };
  std::vector<uint32_t> ends((size_t{1} << bits) + 1);
  for (const auto& part : parts) {
    for (const IndexEntry& entry : part) ++ends[part_of(entry) + 1];
  }
  for (size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
  // From here on ends[i] is where the next entry of part i goes.
  std::vector<IndexEntry> sorted(size);
  for (const auto& part : parts) {
    for (const IndexEntry& entry : part) sorted[ends[part_of(entry)]++] = entry;
  }
  for (size_t i = 0, begin = 0; i + 1 < ends.size(); begin = ends[i++]) {
    if (ends[i] - begin > 1) std::sort(sorted.begin() + begin, sorted.begin() + ends[i]);
  }
  return sorted;
}

}  // namespace

void FindInRun(const std::vector<IndexEntry>& run, uint64_t hash, IndexPlaces* out) {
  const uint64_t wanted = IndexedHash(hash);
  const auto before = [](const IndexEntry& entry, uint64_t value) { return entry.hash < value; };
  for (auto at = std::lower_bound(run.begin(), run.end(), wanted, before);
       at != run.end() && at->hash == wanted; ++at) {
    out->Add(PlaceOf(*at));
  }
}

void IndexBuffer::Add(absl::Span<const IndexEntry> entries) {
  while (!entries.empty()) {
    const size_t last = size_ / kChunk;
    if (last == chunks_.size()) chunks_.emplace_back().entries.reserve(kChunk);
    std::vector<IndexEntry>& chunk = chunks_[last].entries;
    const size_t fits = std::min(kChunk - chunk.size(), entries.size());
    for (const IndexEntry& entry : entries.subspan(0, fits)) {
      chunk.push_back({IndexedHash(entry.hash), entry.partition, entry.offset});
    }
    size_ += fits;
    entries.remove_prefix(fits);
  }
}

void IndexBuffer::Find(uint64_t hash, IndexPlaces* out) {
  for (Chunk& chunk : chunks_) {
    if (chunk.sorted != chunk.entries.size()) {
      const absl::Span<const IndexEntry> all = chunk.entries;
      const std::vector<IndexEntry> sorted = SortTogether({&all, 1}, all.size());
      std::copy(sorted.begin(), sorted.end(), chunk.entries.begin());
      chunk.sorted = sorted.size();
    }
    FindInRun(chunk.entries, hash, out);
  }
}

std::vector<IndexEntry> IndexBuffer::Take() {
  std::vector<absl::Span<const IndexEntry>> parts;
  for (const Chunk& chunk : chunks_) parts.emplace_back(chunk.entries);
  std::vector<IndexEntry> all = SortTogether(parts, size_);
  for (Chunk& chunk : chunks_) {
    chunk.entries.clear();
    chunk.sorted = 0;
  }
  size_ = 0;
  return all;
}

}  // namespace acta
