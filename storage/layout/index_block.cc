#include "storage/layout/index_block.h"

#include "proto/support/error.h"
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

// Takes it from the front of `in`; false when it is not there.
bool TakeVarint(absl::string_view* in, uint64_t* value) {
  *value = 0;
  for (size_t i = 0; i < in->size() && i < 10; ++i) {
    const auto byte = static_cast<uint8_t>((*in)[i]);
    *value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      in->remove_prefix(i + 1);
      return true;
    }
  }
  return false;
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
  while (!block.empty()) {
    uint64_t partition = 0;
    uint64_t offset = 0;
    const bool whole = block.size() > 4;
    const uint32_t stored = whole ? GetLittle<uint32_t>(block.data()) : 0;
    if (whole) block.remove_prefix(4);
    if (!whole || !TakeVarint(&block, &partition) || !TakeVarint(&block, &offset)) {
      return Error(v1::DATA_CORRUPTED, "a block of the index is cut short");
    }
    if (stored != wanted) continue;
    out->push_back(
        {IndexedHash(hash), PartitionId(partition), Offset(static_cast<int64_t>(offset))});
  }
  return absl::OkStatus();
}

}  // namespace acta
