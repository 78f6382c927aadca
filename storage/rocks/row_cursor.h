#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace rocksdb {
class Iterator;
}  // namespace rocksdb

namespace acta {

// Walks a family in key order. Keys and values live until the next move.
//
// Threads: one at a time. May block on disk.
class RowCursor {
 public:
  // `owner` lives as long as the cursor.
  RowCursor(std::shared_ptr<const void> owner, std::unique_ptr<rocksdb::Iterator> iterator);
  ~RowCursor();
  void Seek(absl::string_view key);
  void Next();
  bool Valid() const;
  absl::string_view key() const;
  absl::string_view value() const;
  // Not OK: the walk ended because of damage, not because of the end.
  absl::Status status() const;

 private:
  std::shared_ptr<const void> owner_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace acta
