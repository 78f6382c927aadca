#include "storage/layout/index_block.h"

#include <algorithm>

#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/base/bytes.h"

namespace acta {
namespace {

uint32_t StoredHash(uint64_t hash) { return static_cast<uint32_t>(hash >> (64 - kIndexHashBits)); }

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
  WireReader reader(block);
  while (!reader.AtEnd()) {
    uint32_t stored = 0;
    uint64_t partition = 0;
    uint64_t offset = 0;
    if (reader.ReadFixed32(&stored) != WireFault::kNone ||
        reader.ReadVarint(&partition) != WireFault::kNone ||
        reader.ReadVarint(&offset) != WireFault::kNone) {
      return Error(v1::DATA_CORRUPTED, "a block of the index is cut short");
    }
    if (stored != wanted) continue;
    out->Add({PartitionId(partition), Offset(static_cast<int64_t>(offset))});
  }
  return absl::OkStatus();
}

}  // namespace acta
