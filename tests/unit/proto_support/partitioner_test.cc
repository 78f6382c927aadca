#include "proto/support/partitioner.h"

#include <string>

#include <catch2/catch.hpp>

namespace acta {
namespace {

TEST_CASE("a key's partition is in range for every number of partitions") {
  for (int32_t partitions = 1; partitions <= 256; ++partitions) {
    for (const char* key : {"", "a", "ab", "abc", "abcd", "\xff\xfe", "order-7"}) {
      const int32_t partition = PartitionOfKey(key, partitions);
      CHECK(partition >= 0);
      CHECK(partition < partitions);
    }
  }
}

TEST_CASE("keys spread over the partitions") {
  int hits[16] = {};
  for (int i = 0; i < 16000; ++i) ++hits[PartitionOfKey("key-" + std::to_string(i), 16)];
  for (const int hit : hits) {
    CHECK(hit > 800);
    CHECK(hit < 1200);
  }
}

}  // namespace
}  // namespace acta
