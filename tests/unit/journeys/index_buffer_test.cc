#include "server/core/journeys/index_buffer.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <set>

namespace acta {
namespace {

TEST_CASE("the buffer finds what was put into it, and gives all of it back in order") {
  const size_t count = GENERATE(0, 1, 100, 4'096, 30'000);
  std::mt19937_64 random(count);
  IndexBuffer buffer;
  std::vector<IndexEntry> all;
  while (all.size() < count) {
    std::vector<IndexEntry> some;
    const size_t size = std::min<size_t>(random() % 500 + 1, count - all.size());
    for (size_t i = 0; i < size; ++i) {
      some.push_back({(random() % 5'000) << 40, PartitionId(random() % 3),
                      Offset(static_cast<int64_t>(random() % 100'000))});
    }
    buffer.Add(some);
    all.insert(all.end(), some.begin(), some.end());
  }
  REQUIRE(buffer.size() == count);
  std::sort(all.begin(), all.end());
  for (uint64_t hash = 0; hash < 5'000; hash += 7) {
    IndexPlaces found({}, count + 1);
    buffer.Find(hash << 40 | 1, &found);  // What is not stored of a hash does not count.
    std::set<IndexPlace> expected;
    for (const IndexEntry& entry : all) {
      if (entry.hash == IndexedHash(hash << 40)) expected.insert(PlaceOf(entry));
    }
    REQUIRE(found.Take() == std::vector<IndexPlace>(expected.begin(), expected.end()));
  }
  CHECK(buffer.Take() == all);
  CHECK(buffer.size() == 0);
  IndexPlaces found({}, 1);
  if (!all.empty()) buffer.Find(all[0].hash, &found);
  CHECK(found.Take().empty());
}

}  // namespace
}  // namespace acta
