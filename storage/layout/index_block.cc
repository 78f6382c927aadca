#include "storage/layout/index_block.h"

#include <algorithm>
#include <bit>

#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/base/bytes.h"

namespace acta {
namespace {

uint32_t StoredHash(uint64_t hash) { return static_cast<uint32_t>(hash >> (64 - kIndexHashBits)); }

// Of the entries at the beginning that have another hash, as far as their varints end within eight
// bytes: in a block of a thousand entries one is wanted.
size_t BytesOfOthers(absl::string_view block, uint32_t wanted) {
  constexpr size_t kHash = sizeof(uint32_t);
  constexpr uint64_t kContinues = 0x8080'8080'8080'8080;  // A bit of each byte.
  size_t at = 0;
  while (at + kHash + sizeof(uint64_t) <= block.size()) {
    if (GetLittle<uint32_t>(block.data() + at) == wanted) break;
    const uint64_t ends = ~GetLittle<uint64_t>(block.data() + at + kHash) & kContinues;
    const uint64_t second = ends & (ends - 1);
    if (ends == 0 || second == 0) break;
    at += kHash + static_cast<size_t>(std::countr_zero(second)) / 8 + 1;
  }
  return at;
}

}  // namespace

void IndexPlaces::Cut() {
  std::sort(places_.begin(), places_.end());
  places_.erase(std::unique(places_.begin(), places_.end()), places_.end());
  if (places_.size() <= most_) return;
  cut_ = true;
  places_.resize(most_);
}

std::string IndexKey(uint64_t bucket) {
  std::string key;
  PutBig64(&key, bucket);
  return key;
}

void AppendToIndexBlock(const IndexEntry& entry, std::string* block) {
  char hash[4];
  PutLittle<uint32_t>(hash, StoredHash(entry.hash));
  block->append(hash, sizeof(hash));
  AppendVarint(entry.partition.value(), block);
  AppendVarint(static_cast<uint64_t>(entry.offset.value()), block);
}

absl::Status FindInIndexBlock(absl::string_view block, uint64_t hash, IndexPlaces* out) {
  const uint32_t wanted = StoredHash(hash);
  for (;;) {
    block.remove_prefix(BytesOfOthers(block, wanted));
    if (block.empty()) return absl::OkStatus();
    WireReader reader(block);
    uint32_t stored = 0;
    uint64_t partition = 0;
    uint64_t offset = 0;
    if (reader.ReadFixed32(&stored) != WireFault::kNone ||
        reader.ReadVarint(&partition) != WireFault::kNone ||
        reader.ReadVarint(&offset) != WireFault::kNone) {
      return Error(v1::DATA_CORRUPTED, "a block of the index is cut short");
    }
    block.remove_prefix(static_cast<size_t>(reader.position() - block.data()));
    if (stored != wanted) continue;
    out->Add({PartitionId(partition), Offset(static_cast<int64_t>(offset))});
  }
}

}  // namespace acta
