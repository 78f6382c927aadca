#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/layout/batch_header.h"
#include "storage/log/partition_log.h"
#include "storage/rocks/rocks_store.h"

namespace acta {

// Reads stored batches from the disk and checks each one's checksum.
//
// Threads: any; every method blocks.
class LogReader {
 public:
  explicit LogReader(const RocksStore& store) : store_(store) {}

  // See LogEngine::Read().
  absl::StatusOr<std::vector<BatchPtr>> Read(const PartitionLog& partition, Offset from,
                                             size_t max_bytes) const;
  // The batch that holds `offset`, from memory or disk.
  absl::StatusOr<BatchPtr> ReadOne(const PartitionLog& partition, Offset offset) const;

  // The first batch in [first, visible end), and not before `from`, for which `reached` is true, by
  // its header; it must be false and then true along the partition. nullopt: for none.
  using Reached = std::function<bool(const BatchHeader&)>;
  absl::StatusOr<std::optional<BatchHeader>> FindFirst(const PartitionLog& partition,
                                                       const Reached& reached,
                                                       Offset from = Offset(0)) const;

  // Calls `visit` for the batches from `from` up to the visible end, oldest first, until it
  // returns false. Payloads are not checked. Errors: GAP and DATA_CORRUPTED, with first_lost and
  // last_lost; a walk from last_lost + 1 goes on. The range has nothing that can be read, and ends
  // before the next readable batch unless the damage is very long: then the next walk tells more.
  using Visit = std::function<bool(const BatchHeader&, absl::string_view value)>;
  absl::Status Walk(const PartitionLog& partition, Offset from, const Visit& visit) const;

 private:
  absl::StatusOr<std::optional<BatchHeader>> FindFirstIn(PartitionId partition,
                                                         const PartitionLog::Piece& piece,
                                                         const Reached& reached) const;
  // What is left of a walk.
  struct Progress {
    Offset next;
    Offset end;
    bool done = false;  // `visit` wants no more, or the end was reached.
  };
  // Walks what the cursor finds from `seek` on, which is in or before the batch of `next`. OK also
  // when the cursor failed.
  absl::Status WalkCursor(RowCursor& cursor, PartitionId partition, Offset seek, const Visit& visit,
                          Progress* progress) const;
  // Table file by table file, each the one that holds `next`: a cursor over a whole piece looks
  // into all of its files, thousands. What is in none, and whatever is wrong there, is left for it.
  void WalkTables(const PartitionLog& partition, const Visit& visit, Progress* progress) const;
  // A cursor over a whole piece failed: goes on with the table file that holds `next`, or returns
  // the error of what is lost there.
  absl::Status WalkDamaged(const PartitionLog& partition, const PartitionLog::Piece& piece,
                           const Visit& visit, Progress* progress) const;
  // The first readable batch behind unreadable `from`.
  struct Readable {
    Offset first;  // Of the batch; all in [from, first) cannot be read. Above `last`: none.
    Offset seek;   // Finds the batch.
  };
  Readable FindReadable(const FamilyPtr& slice, PartitionId partition, Offset from,
                        Offset last) const;
  // Where a search has looked: over one table file, and over the whole piece. Null at first.
  struct Looks {
    std::unique_ptr<RowCursor> table;
    std::unique_ptr<RowCursor> whole;
  };
  // Of the batch that holds `offset`: of its table file, else of the whole piece.
  absl::StatusOr<std::optional<BatchHeader>> HeaderIn(const PartitionLog::Piece& piece,
                                                      PartitionId partition, Offset offset,
                                                      Looks* looks) const;
  absl::StatusOr<std::optional<BatchHeader>> HeaderAt(RowCursor& cursor, PartitionId partition,
                                                      Offset offset) const;

  const RocksStore& store_;
};

// Checks the payload against the header and makes a batch that owns its bytes. Errors:
// DATA_CORRUPTED with first_lost and last_lost.
absl::StatusOr<BatchPtr> LoadBatch(const BatchHeader& header, absl::string_view value);

}  // namespace acta
