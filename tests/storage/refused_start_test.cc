// What a start says when it is the machine that refuses, and no data is lost.
#include <catch2/catch.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/log/folder.h"
#include "tests/support/hooked_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

// A machine that opens no file of this name, for this reason.
class NoMoreFiles final : public HookedDisk {
 public:
  void Refuse(const std::string& name, int error) {
    name_ = name;
    error_ = error;
  }

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    const bool fails =
        error_ != 0 && call.kind == DiskOperation::Kind::kOpen && absl::EndsWith(call.path, name_);
    if (!fails) return forward(call.data);
    return rocksdb::IOStatus::IOError(absl::StrCat("While open a file: ", call.path),
                                      std::strerror(error_));
  }

  std::string name_;
  int error_ = 0;
};

TEST_CASE("a start without memory, descriptors, quota or a word of the disk names no backup") {
  const int error = GENERATE(ENOMEM, EMFILE, ENFILE, EDQUOT, EIO);
  const v1::ErrorReason reason = error == EDQUOT ? v1::DISK_FULL : v1::FOLDER_UNUSABLE;
  const auto disk = std::make_shared<NoMoreFiles>();
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  REQUIRE_OK(
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("kept")})).status);
  store.Close();
  for (const std::string name : {"/CURRENT", ".log"}) {
    disk->Refuse(name, error);
    const absl::Status refused = store.Open();
    INFO(refused.message());
    CHECK(ReasonOf(refused) == reason);
    CHECK(absl::StrContains(refused.message(), std::strerror(error)));
    CHECK_FALSE(absl::StrContains(refused.message(), "backup"));
  }
  disk->Refuse("", 0);
  REQUIRE_OK(store.Open());
  const auto events = ReadData(store.engine(), TestStore::Partition());
  REQUIRE_OK(events.status());
  CHECK(*events == std::vector<std::string>{"kept"});
}

TEST_CASE("a format that cannot be read is not told as one that is not there") {
  TestStore store;
  store.Close();
  fs::rename(store.path() + "/FORMAT", store.path() + "/kept");
  fs::create_directory(store.path() + "/FORMAT");  // It opens, and no byte can be read.
  const absl::Status status = store.Open();
  INFO(status.message());
  CHECK(ReasonOf(status) == v1::FOLDER_UNUSABLE);
  CHECK(absl::StrContains(status.message(), "cannot read"));
  CHECK_FALSE(absl::StrContains(status.message(), "backup"));
  fs::remove(store.path() + "/FORMAT");
  fs::rename(store.path() + "/kept", store.path() + "/FORMAT");
  CHECK_OK(store.Open());
}

TEST_CASE(
    "a start that is not told whether a file is there is refused, and does not go on without") {
  TestStore store;
  store.Close();
  for (const std::string name : {"/FORMAT", "/db/CURRENT"}) {
    const std::string path = store.path() + name;
    fs::rename(path, store.path() + "/kept");
    fs::create_symlink(fs::path(name).filename(), path);  // Leads to itself.
    const absl::Status status = store.Open();
    INFO(status.message());
    CHECK(ReasonOf(status) == v1::FOLDER_UNUSABLE);
    CHECK(absl::StrContains(status.message(), name + "' cannot be read"));
    fs::remove(path);
    fs::rename(store.path() + "/kept", path);
  }
  CHECK_OK(store.Open());
}

TEST_CASE("a kernel that does not say who it is may have booted anew") {
  CHECK_FALSE(MayBeAnotherBoot("boot-1", "boot-1"));
  CHECK(MayBeAnotherBoot("boot-1", "boot-2"));
  CHECK(MayBeAnotherBoot("boot-1", ""));
  CHECK(MayBeAnotherBoot("", "boot-1"));
  CHECK(MayBeAnotherBoot("", ""));
}

}  // namespace
}  // namespace acta
