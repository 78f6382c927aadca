#pragma once

#include <functional>
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

  // The first batch in [first, visible end) for which `reached` is true, by its header; it must
  // be false and then true along the partition. nullopt: for none.
  using Reached = std::function<bool(const BatchHeader&)>;
  absl::StatusOr<std::optional<BatchHeader>> FindFirst(const PartitionLog& partition,
                                                       const Reached& reached) const;

  // Calls `visit` for the batches from `from` up to the visible end, oldest first, until it
  // returns false. Payload checksums are checked only when `payloads`.
  using Visit = std::function<bool(const BatchHeader&, absl::string_view value)>;
  absl::Status Walk(const PartitionLog& partition, Offset from, const Visit& visit) const;

 private:
  absl::StatusOr<std::optional<BatchHeader>> HeaderAt(RowCursor& cursor, PartitionId partition,
                                                      Offset offset) const;

  const RocksStore& store_;
};

// Checks the payload against the header and makes a batch that owns its bytes. Errors:
// DATA_CORRUPTED with first_lost and last_lost.
absl::StatusOr<BatchPtr> LoadBatch(const BatchHeader& header, absl::string_view value);

}  // namespace acta
