#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/claims/claim_counts.h"
#include "server/core/claims/claim_turns.h"
#include "storage/base/ids.h"
#include "storage/log_engine.h"

namespace acta {

// ClaimChange is one claim in the hands of one caller: what it is, and what it is to become. Nobody
// else can look at the claim until the change is finished or dropped.
//
// Its rows go into one transaction of level FSYNC, alone or beside appends and other rows, with
// `atomic` set. Finish() is told what became of the rows: written are those of a transaction that
// is OK and whose appends are, unless all its events were duplicates. A change that is dropped
// before did not happen.
//
// Threads: one at a time. Finish() and the destructor take leaf locks only: they may run in `done`.
class ClaimChange {
 public:
  using Record = storage::v1::ClaimRecord;

  // `stored` is what the disk has, as of `now_us`; null: nothing.
  ClaimChange(ClaimTurn turn, std::shared_ptr<ClaimCounts> counts, GroupId group, std::string key,
              std::optional<Record> stored, int64_t now_us);
  ClaimChange(ClaimChange&& other) = default;
  ClaimChange& operator=(ClaimChange&&) = delete;
  ~ClaimChange();

  GroupId group() const { return group_; }
  const std::string& key() const { return key_; }
  // The server's time at which it was read: what every decision goes by.
  int64_t now_us() const { return now_us_; }
  // As it will be, else as it is. Null: there is none, or its time is over.
  const Record* record() const;

  // Once the group's claims are counted (ClaimStore). False: the group has `most` claims already.
  bool Put(Record record, int64_t most);
  void Remove();

  // Empty: nothing changes.
  std::vector<RowWrite> TakeRows();
  void Finish(const absl::Status& written);

 private:
  bool on_disk() const { return stored_.has_value(); }

  ClaimTurn turn_;
  std::shared_ptr<ClaimCounts> counts_;  // Null: moved away.
  const GroupId group_;
  const std::string key_;
  std::optional<Record> stored_;
  const int64_t now_us_;
  std::optional<Record> put_;
  bool removed_ = false;
  bool added_ = false;  // It counts already, and is not written.
};

}  // namespace acta
