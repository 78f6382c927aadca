#include "storage/log/witness.h"

#include <catch2/catch.hpp>

#include <fstream>

#include "proto/support/error.h"
#include "storage/rocks/store_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace acta {
namespace {

std::unique_ptr<Witness> OpenWitness(const std::string& path) {
  auto witness = Witness::Open(std::make_shared<StoreFileSystem>(nullptr), path);
  REQUIRE_OK(witness);
  return *std::move(witness);
}

TEST_CASE("a witness reads back its newest record") {
  TempDir folder;
  const std::string path = folder.File("witness");
  {
    const auto witness = OpenWitness(path);
    CHECK_FALSE((*witness->Load()).has_value());
    for (uint64_t i = 1; i <= 5; ++i) {
      REQUIRE_OK(witness->Update([i](WitnessRecord& record) {
        record.store_id = "store";
        record.boot_id = "boot";
        record.synced_group = GroupNumber(i);
        record.live_wals = {i, i + 1};
        record.clean = i == 5;
      }));
    }
  }
  const auto record = OpenWitness(path)->Load();
  REQUIRE_OK(record);
  REQUIRE(record->has_value());
  CHECK((*record)->synced_group == GroupNumber(5));
  CHECK((*record)->live_wals == std::set<uint64_t>{5, 6});
  CHECK((*record)->clean);
  CHECK((*record)->store_id == "store");
}

TEST_CASE("one damaged slot leaves the other; two are an error") {
  TempDir folder;
  const std::string path = folder.File("witness");
  {
    const auto witness = OpenWitness(path);
    for (uint64_t i = 1; i <= 2; ++i) {
      REQUIRE_OK(
          witness->Update([i](WitnessRecord& record) { record.synced_group = GroupNumber(i); }));
    }
  }
  const auto damage = [&path](long at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file.put('X');
  };
  damage(20);  // Slot 0 holds version 2.
  CHECK((*OpenWitness(path)->Load())->synced_group == GroupNumber(1));
  damage(Witness::kSlotBytes + 20);
  CHECK(ReasonOf(OpenWitness(path)->Load().status()) == v1::DATA_LOST);
}

TEST_CASE("any bytes decode to a record or to nothing") {
  WitnessRecord good;
  good.store_id = "0123";
  good.live_wals = {1, 2, 3};
  const std::string slot = EncodeWitness(good, 7);
  // Head, fixed part, three WALs and the store id; padding follows, which nothing covers.
  for (size_t i = 0; i < 16 + 48 + 24 + 4; ++i) {
    std::string bad = slot;
    bad[i] = static_cast<char>(bad[i] + 1);
    WitnessRecord record;
    uint64_t version = 0;
    if (i < 12 || i >= 16) CHECK_FALSE(DecodeWitness(bad, &record, &version));
    CHECK_FALSE(DecodeWitness(absl::string_view(slot).substr(0, i), &record, &version));
  }
}

}  // namespace
}  // namespace acta
