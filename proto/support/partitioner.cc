#include "proto/support/partitioner.h"

#include <cstring>

namespace acta {

uint32_t Murmur2(absl::string_view bytes, uint32_t seed) {
  constexpr uint32_t kM = 0x5bd1e995;
  constexpr int kR = 24;
  size_t left = bytes.size();
  const char* data = bytes.data();
  uint32_t hash = seed ^ static_cast<uint32_t>(left);
  for (; left >= 4; data += 4, left -= 4) {
    uint32_t k;
    std::memcpy(&k, data, 4);
    k *= kM;
    k ^= k >> kR;
    k *= kM;
    hash = hash * kM ^ k;
  }
  if (left >= 3) hash ^= static_cast<uint32_t>(static_cast<unsigned char>(data[2])) << 16;
  if (left >= 2) hash ^= static_cast<uint32_t>(static_cast<unsigned char>(data[1])) << 8;
  if (left >= 1) hash = (hash ^ static_cast<unsigned char>(data[0])) * kM;
  hash ^= hash >> 13;
  hash *= kM;
  return hash ^ hash >> 15;
}

int32_t PartitionOfKey(absl::string_view key, int32_t partitions) {
  return static_cast<int32_t>((Murmur2(key, 0x9747b28c) & 0x7fffffff) %
                              static_cast<uint32_t>(partitions));
}

int32_t PartitionOfEvent(absl::string_view key, absl::string_view id, uint32_t number,
                         int32_t partitions) {
  if (!key.empty()) return PartitionOfKey(key, partitions);
  if (!id.empty()) return PartitionOfKey(id, partitions);
  return static_cast<int32_t>(number % static_cast<uint32_t>(partitions));
}

}  // namespace acta
