#include "storage/layout/index_block.h"

#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/base/bytes.h"

namespace acta {
namespace {

uint32_t StoredHash(uint64_t hash) { return static_cast<uint32_t>(hash >> (64 - kIndexHashBits)); }

void PutVarint(std::string* out, uint64_t value) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

}  // namespace

std::string IndexKey(uint64_t bucket, uint64_t run) {
  std::string key = IndexKeyPrefix(bucket);
  PutBig64(&key, run);
  return key;
}

std::string IndexKeyPrefix(uint64_t bucket) {
  std::string key;
  PutBig64(&key, bucket);
  return key;
}

std::string EncodeIndexBlock(absl::Span<const IndexEntry> entries) {
  std::string block;
  block.reserve(entries.size() * 14);
  for (const IndexEntry& entry : entries) {
    char hash[4];
    PutLittle<uint32_t>(hash, StoredHash(entry.hash));
    block.append(hash, sizeof(hash));
    PutVarint(&block, entry.partition.value());
    PutVarint(&block, static_cast<uint64_t>(entry.offset.value()));
  }
  return block;
}

absl::Status FindInIndexBlock(absl::string_view block, uint64_t hash,
                              std::vector<IndexEntry>* out) {
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
    out->push_back(
        {IndexedHash(hash), PartitionId(partition), Offset(static_cast<int64_t>(offset))});
  }
  return absl::OkStatus();
}

}  // namespace acta
