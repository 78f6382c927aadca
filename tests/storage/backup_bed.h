#pragma once

#include <catch2/catch.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/log/backup_record.h"
#include "storage/log/backup_restore.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {

// A store, a folder for its backups, and places to restore into.
class BackupBed {
 public:
  explicit BackupBed(LocalEngineOptions options = {}) : store_(std::move(options)) {}

  TestStore& store() { return store_; }
  LocalLogEngine& engine() { return store_.engine(); }
  std::string folder() const { return room_.path() + "/backups"; }

  BackupOrder Order() const {
    BackupOrder order;
    order.folder = folder();
    return order;
  }
  BackupInfo Make() {
    const auto made = engine().Backup(Order());
    REQUIRE_OK(made.status());
    CHECK_FALSE(std::filesystem::exists(store_.path() + "/backup.cut"));
    return *made;
  }
  void Publish(const std::string& data, int32_t partition = 0) {
    const auto result =
        Commit(engine(), MakeAppend(TestStore::Partition(partition), {EventElement(data)}));
    REQUIRE_OK(result.status);
  }
  std::string New() { return room_.path() + "/restored-" + std::to_string(++restored_); }
  std::unique_ptr<TestStore> Restore(const BackupInfo& backup) {
    const std::string data = New();
    REQUIRE_OK(RestoreBackup({backup.path, data, "", nullptr}).status());
    LocalEngineOptions options;
    options.data = data;
    return std::make_unique<TestStore>(options);
  }
  // Nothing is below the folder but whole backups.
  size_t Entries() const {
    size_t entries = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      if (entry.path().filename() == "acta.lock") continue;
      CHECK(IsBackupId(entry.path().filename().string()));
      ++entries;
    }
    return entries;
  }

 private:
  TempDir room_;
  TestStore store_;
  int restored_ = 0;
};

// "0", "1", and so on.
inline std::vector<std::string> Numbers(int count) {
  std::vector<std::string> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace acta
