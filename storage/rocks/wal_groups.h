#pragma once

#include <optional>
#include <string>

#include <rocksdb/wal_filter.h>

#include "storage/base/ids.h"

namespace acta {

// Watches the replay of the WAL: every group must be the one after the group before it. At a hole
// it ends the replay, so that what is recovered is always an exact prefix.
//
// Threads: RocksDB calls it from the thread that opens the database.
class WalGroups final : public rocksdb::WalFilter {
 public:
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& file,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* batch_changed) override;
  const char* Name() const override { return "acta.wal_groups"; }

  const std::optional<GroupNumber>& first() const { return first_; }
  const std::optional<GroupNumber>& last() const { return last_; }
  // Empty: no hole. Else a sentence that names it.
  const std::string& hole() const { return hole_; }

 private:
  std::optional<GroupNumber> first_;
  std::optional<GroupNumber> last_;
  std::string hole_;
};

}  // namespace acta
