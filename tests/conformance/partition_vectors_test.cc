#include <fstream>
#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "proto/support/partitioner.h"

namespace acta {
namespace {

nlohmann::json Vectors() {
  std::ifstream file(ACTA_SOURCE_DIR "/tests/conformance/partition_vectors.json");
  REQUIRE(file);
  return nlohmann::json::parse(file).at("vectors");
}

TEST_CASE("every partition vector holds") {
  const nlohmann::json vectors = Vectors();
  REQUIRE(vectors.size() >= 10);
  for (const auto& vector : vectors) {
    const std::string hex = vector.at("key_hex");
    INFO(hex);
    const std::string key = absl::HexStringToBytes(hex);
    CHECK(static_cast<int32_t>(Murmur2(key, 0x9747b28c)) == vector.at("murmur2").get<int32_t>());
    for (const auto& [partitions, partition] : vector.at("partitions").items()) {
      CHECK(PartitionOfKey(key, std::stoi(partitions)) == partition.get<int32_t>());
    }
  }
}

TEST_CASE("the vectors hold the three that are known by heart") {
  int found = 0;
  for (const auto& vector : Vectors()) {
    const std::string key = absl::HexStringToBytes(vector.at("key_hex").get<std::string>());
    const int32_t hash = vector.at("murmur2");
    found += key == "21" && hash == -973932308;
    found += key == "foobar" && hash == -790332482;
    found += key == "abc" && hash == 479470107;
  }
  CHECK(found == 3);
}

}  // namespace
}  // namespace acta
