// A file of the index that there is no room for, or that a kill left.
#include <catch2/catch.hpp>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/layout/index_block.h"
#include "tests/support/hooked_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

constexpr uint64_t kSomeHash = uint64_t{1} << (64 - kIndexHashBits);

IndexEntry SecondEvent() { return {IndexedHash(kSomeHash), TestStore::Partition(), Offset(1)}; }

void PublishThree(TestStore& store) {
  for (int i = 0; i < 3; ++i) {
    const Append append = MakeAppend(TestStore::Partition(), {EventElement("x")});
    REQUIRE_OK(Commit(store.engine(), append).status);
  }
}

size_t CountFound(TestStore& store) {
  IndexPlaces found({}, 10);
  REQUIRE_OK(store.engine().FindInIndex({kSomeHash}, &found));
  return found.Take().size();
}

TEST_CASE("what a kill left of a file of the index goes with the next start") {
  TestStore store;
  PublishThree(store);
  store.Close();
  const std::string left = store.path() + "/db/run.tmp";
  std::ofstream(left) << "half of a file";
  REQUIRE(std::filesystem::exists(left));
  REQUIRE_OK(store.Open());
  CHECK_FALSE(std::filesystem::exists(left));
  REQUIRE_OK(store.engine().AddToIndex({SecondEvent()}));
  CHECK(CountFound(store) == 1);
}

// Has no more room, or quota, for a file of the index.
class NoRoomForIndex final : public HookedDisk {
 public:
  void Refuse(int error) { error_ = error; }

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    const bool fails = error_ != 0 && call.kind == DiskOperation::Kind::kAppend &&
                       absl::EndsWith(call.path, "/run.tmp");
    if (!fails) return forward(call.data);
    const std::string what = absl::StrCat("While appending to file: ", call.path);
    return error_ == ENOSPC ? rocksdb::IOStatus::NoSpace(what, std::strerror(error_))
                            : rocksdb::IOStatus::IOError(what, std::strerror(error_));
  }

  std::atomic<int> error_ = 0;
};

TEST_CASE("a file of the index without room or quota for it waits, and the engine goes on") {
  const int error = GENERATE(ENOSPC, EDQUOT);
  const auto disk = std::make_shared<NoRoomForIndex>();
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  PublishThree(store);
  disk->Refuse(error);
  const absl::Status refused = store.engine().AddToIndex({SecondEvent()});
  INFO(refused.message());
  CHECK(absl::IsResourceExhausted(refused));
  CHECK(store.sink().causes().empty());
  CHECK_FALSE(std::filesystem::exists(store.path() + "/db/run.tmp"));
  PublishThree(store);
  disk->Refuse(0);
  REQUIRE_OK(store.engine().AddToIndex({SecondEvent()}));
  CHECK(CountFound(store) == 1);
}

}  // namespace
}  // namespace acta
