#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "storage/base/bytes.h"
#include "storage/base/histogram.h"
#include "storage/base/ids.h"
#include "storage/layout/index_block.h"

namespace acta {

class BackupSource;

// How safe a write is. Ordered: a higher level includes the lower.
enum class Level : uint8_t {
  kOs = 1,     // In the log file: survives kill -9, not a power cut.
  kFsync = 2,  // Covered by a completed fdatasync.
};

enum class Dedupe : uint8_t { kOff, kSequences, kIds };

// What the engine needs to know of a topic to store and keep its events.
struct TopicSettings {
  Level visible_at = Level::kFsync;
  Dedupe dedupe = Dedupe::kIds;
  absl::Duration dedupe_window = absl::Minutes(10);
  absl::Duration retention = absl::Hours(24 * 7);
  int64_t retention_bytes = 0;  // Payload bytes a partition keeps; 0: no limit.
};

// SipHash-2-4-128 of (source, id), keyed per store.
struct EventIdHash {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const EventIdHash&, const EventIdHash&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const EventIdHash& id) {
    return H::combine(std::move(hash), id.low);
  }
};

struct IdentifiedEvent {
  uint32_t index = 0;  // Within the append.
  EventIdHash id;
};

// Events for one partition: one stored batch.
struct Append {
  PartitionId partition;
  SharedBytes payload;  // Whole `events` elements (tag, length, bytes), validated.
  uint32_t count = 0;   // Events in it, 1 to 65,536.
  uint32_t payload_crc32c = 0;
  SharedBytes context;       // An encoded BatchContext; may be empty.
  uint64_t producer_id = 0;  // 0: no sequence.
  uint32_t producer_epoch = 0;
  uint32_t first_sequence = 0;
  std::optional<Offset> expected_end;
  std::vector<IdentifiedEvent> ids;  // Events with an id, by index, where the topic dedupes by id.
  // It did not when they would have been looked for: if it does now, the engine looks.
  bool ids_unknown = false;
};

struct DuplicateEvent {
  uint32_t index = 0;  // Within the append.
  Offset offset;       // Where it is stored.
  Incarnation incarnation;
};

struct AppendResult {
  absl::Status status;  // Not OK: nothing of this append is stored.
  Offset base_offset;   // Of the first stored event; those stored are contiguous, in order.
  uint32_t count = 0;   // Stored now: append.count - duplicates.size().
  int64_t append_time_us = 0;
  std::vector<DuplicateEvent> duplicates;  // By index.
};

// A row of metadata or state. Later writes of a key win. Of kLedger there are no keys and nothing
// is deleted: the value, one whole `events` element, is appended to the broker's own log
// (kLedgerPartition), where that is kept; it counts as a row everywhere else.
enum class Family : uint8_t { kMeta, kState, kLedger };
struct RowWrite {
  Family family = Family::kState;
  std::string key;
  std::optional<std::string> value;  // Not set: deletes the row.
};

// Keys with their values, by key.
using RowList = std::vector<std::pair<std::string, std::string>>;

// Which rows to load: those whose key begins with `prefix` and is above `after`, the lowest first.
// For a page of a list `after` is the last key of the page before it; no such row has to be there.
struct RowRange {
  Family family = Family::kState;
  std::string prefix;
  std::string after;  // Empty: from the first on.
  size_t max_rows = std::numeric_limits<size_t>::max();
  // Of keys and values together. One row comes always, however large it is.
  size_t max_bytes = std::numeric_limits<size_t>::max();
};

struct TransactionResult {
  // Not OK: nothing of the transaction is stored, or (OUTCOME_UNKNOWN) nobody knows.
  absl::Status status;
  Level level = Level::kOs;
  Incarnation incarnation;
  std::vector<AppendResult> appends;  // In the transaction's order.
};

// Appends and rows that become durable in one write of the log.
struct Transaction {
  std::vector<Append> appends;
  std::vector<RowWrite> rows;
  // All appends and rows or nothing; else appends fail one by one and rows are always written.
  bool atomic = false;
  // Of an atomic one: events that were published before are left out, as in one that is not atomic,
  // and the rows are written.
  bool leave_out_duplicates = false;
  // Of an atomic one: its rows are of what nobody has asked for before. Where all events of its
  // appends were published before, these are a part of the call then and not a repetition of it.
  bool rows_are_new = false;
  Level level = Level::kFsync;
  // Who submits, for fairness between streams; 0: nobody in particular.
  uint64_t source = 0;
  // Runs exactly once, on the commit or sync thread, or inside Submit() on the caller's: it must
  // not block, throw, or submit.
  absl::AnyInvocable<void(TransactionResult)> done;
};

// One stored batch, shared by everybody who reads it.
struct StoredBatch {
  PartitionId partition;
  Offset base_offset;
  uint32_t count = 0;
  Incarnation incarnation;
  int64_t append_time_us = 0;
  uint64_t end_bytes = 0;  // The partition's payload bytes up to and including this batch.
  uint64_t producer_id = 0;
  uint32_t producer_epoch = 0;
  uint32_t first_sequence = 0;
  uint32_t payload_crc32c = 0;
  SharedBytes context;
  SharedBytes payload;

  Offset end() const { return base_offset + count; }
  uint64_t begin_bytes() const { return end_bytes - payload.size(); }
};
using BatchPtr = std::shared_ptr<const StoredBatch>;

// The extent of a partition at one moment.
struct PartitionExtent {
  Offset first;                    // Oldest kept (logical retention).
  Offset going_below;              // Retention is taking what is below; `first` when it is not.
  Offset visible_end;              // One past the newest event a reader may see.
  Offset end;                      // One past the newest written.
  uint64_t first_bytes = 0;        // Payload bytes below `first`.
  uint64_t visible_end_bytes = 0;  // Payload bytes below `visible_end`.
  int64_t first_time_us = 0;       // Append time at `first`; 0 when empty or not known.
  int64_t last_time_us = 0;        // Append time of the newest visible event; 0 when none.
  // What retention took was appended before this time; 0 when it took nothing. Of the ledger also
  // what came to it while it was not kept, or was lost with a part of it.
  int64_t trimmed_before_us = 0;
  absl::Duration effective_dedupe_window;
  // What was appended before this time is below `end`: nothing of then comes any more.
  int64_t written_before_us = 0;
};

// Where an offset stands in its partition.
struct OffsetInfo {
  uint64_t bytes_below = 0;    // Payload bytes of the partition below the offset.
  int64_t append_time_us = 0;  // Of the event at the offset; 0 at the visible end.
};

enum class WriteStall : uint8_t { kNone, kDelayed, kStopped };

struct EngineStats {
  int64_t wal_bytes = 0;
  int64_t log_bytes = 0;
  int32_t slices = 0;
  int32_t indexes = 0;  // Of slices.
  int64_t tail_cache_bytes = 0;
  int64_t tail_cache_limit_bytes = 0;
  int64_t unsynced_bytes = 0;  // Written and not yet synced.
  int64_t commit_queue_bytes = 0;
  int64_t commit_queue_limit_bytes = 0;
  int64_t disk_free_bytes = 0;
  int64_t disk_total_bytes = 0;
  GroupNumber last_group;
  GroupNumber synced_group;
  int64_t events_appended = 0;
  int64_t bytes_appended = 0;
  int64_t duplicates = 0;
  int64_t syncs = 0;
  const Histogram* write_times = nullptr;  // Of commit groups; null: not measured.
  const Histogram* sync_times = nullptr;   // As long as the engine lives.
  // How often the database held writes back, and how it is now.
  int64_t delays = 0;
  int64_t stops = 0;
  WriteStall stall = WriteStall::kNone;
  int64_t dedupe_ids = 0;
  int64_t dedupe_bytes = 0;
  int64_t dedupe_limit_bytes = 0;
  int64_t cold_reads = 0;
  int64_t cache_reads = 0;
};

// How long that lasts by now which is just being done to the log; zero: it is not.
struct LogUnderWay {
  absl::Duration write;  // Also while it waits for a sync.
  absl::Duration sync;
};
// So long that people are told: the disk does not answer.
inline constexpr absl::Duration kLogStalls = absl::Seconds(5);

// Of the index on disk.
struct IndexSize {
  int64_t bytes = 0;
  // Each hash is looked for in so many files. They are joined to one a slice when nothing was added
  // for a while.
  int64_t runs = 0;
};

enum class DiskState : uint8_t { kOk, kWarn, kSoft, kHard };

struct ScrubOrder {
  absl::string_view token;  // Of the page before; empty: from the beginning.
  absl::Duration budget;    // About.
  // False: that was enough, as when the budget is used up. May be empty.
  std::function<bool()> go_on;
};
struct ScrubProblem {
  PartitionId partition;
  Offset first;
  Offset last;
  std::string problem;
};
struct ScrubPage {
  int64_t batches = 0;
  int64_t bytes = 0;
  std::vector<ScrubProblem> problems;
  std::string next_token;  // Empty: the end was reached.
};

// A detail of DATA_CORRUPTED, as LogEngine::Read() says.
inline constexpr char kIoErrorDetail[] = "io_error";

// LogEngine is the append-only history of every partition and the rows of state beside it: local
// today, replicated later. Nothing above this header may know which.
//
// Its contract is a transaction: appends and rows become durable and visible together or not at
// all. Offsets are dense per partition; (incarnation, offset) is never used twice.
//
// Threads:   any thread. Methods that say "blocks" may read the disk: never call them from a gRPC
//            completion-queue thread.
// Ownership: returned batches own their bytes.
// Errors:    PARTITION_NOT_FOUND for a partition that is not open.
class LogEngine {
 public:
  virtual ~LogEngine() = default;

  // Opens partitions 0..partitions-1 of a topic, or changes its settings or number of partitions
  // (only up). Blocks while the dedupe state is read. Errors: FOLDER_UNUSABLE when the disk does
  // not give it.
  virtual absl::Status OpenTopic(TopicId topic, int32_t partitions,
                                 const TopicSettings& settings) = 0;
  // Forgets the topic's events; they leave the disk with their slices. Waiting readers are woken.
  virtual void DropTopic(TopicId topic) = 0;

  // Puts the transaction into the one queue of the daemon. One source's transactions are written
  // in the order submitted. Errors (then `done` is dropped without a call): PUBLISH_QUEUE_FULL,
  // SERVER_STOPPING, DISK_FULL. Transactions without appends are refused only when stopping or at
  // the hard disk watermark.
  virtual absl::Status Submit(Transaction transaction) = 0;
  // True while the queue has room for appends.
  virtual bool HasRoom() const = 0;
  // Calls `wake` once as soon as there is room: at once, or on the commit or sync thread, where it
  // must not block.
  virtual void WhenRoom(absl::AnyInvocable<void()> wake) = 0;

  virtual absl::StatusOr<PartitionExtent> Extent(PartitionId partition) const = 0;

  // Batches that hold events from `from` on, oldest first and contiguous, from memory only.
  // nullopt: not in memory, ask Read(). Empty: caught up. At least one batch if there is one, even
  // when it alone exceeds `max_bytes`. Batches are whole: the first may begin before `from`, the
  // last never passes the visible end.
  virtual absl::StatusOr<std::optional<std::vector<BatchPtr>>> ReadCached(
      PartitionId partition, Offset from, size_t max_bytes) const = 0;
  // The same from disk; blocks. Errors: OFFSET_OUT_OF_RANGE above the visible end, GAP (details
  // first_lost, last_lost) below the first offset or where events are missing, DATA_CORRUPTED
  // (details first_lost, last_lost) for what cannot be read; reading goes on at last_lost + 1. With
  // the detail kIoErrorDetail nothing is known to be damaged: the disk did not answer, which may
  // pass.
  virtual absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId partition, Offset from,
                                                     size_t max_bytes) const = 0;

  // Calls `wake` once when the visible end is above `offset`, or the topic is dropped: inside the
  // call when it is so already, else on the commit or sync thread, where it must not block. The
  // returned number cancels it.
  virtual absl::StatusOr<uint64_t> WhenPast(PartitionId partition, Offset offset,
                                            absl::AnyInvocable<void()> wake) = 0;
  // After it returns the wake does not run any more and is not running.
  virtual void CancelWake(PartitionId partition, uint64_t wake) = 0;

  // The first offset whose append time is at or after `time_us`, else the visible end. Blocks.
  // Where events cannot be read it may be an earlier one, by a slice of time at most.
  virtual absl::StatusOr<Offset> FindOffset(PartitionId partition, int64_t time_us) const = 0;
  // `offset` is between first and visible end. Blocks.
  virtual absl::StatusOr<OffsetInfo> Locate(PartitionId partition, Offset offset) const = 0;

  // The current incarnation.
  virtual Incarnation incarnation() const = 0;
  // OK when a position (incarnation, offset) still means the same event; LOG_TRUNCATED (details
  // incarnation, offset: where the logs diverged) when its tail was lost. 0 is "not known": OK.
  virtual absl::Status CheckPosition(PartitionId partition, Incarnation incarnation,
                                     Offset offset) const = 0;

  // Rows of the range, by key, as they are at one moment; empty: there are none. Blocks, for as
  // long as that many rows take. Errors: DATA_CORRUPTED, with kIoErrorDetail as Read() has it.
  virtual absl::StatusOr<RowList> LoadRows(const RowRange& range) const = 0;
  // All rows of a prefix: for what is in memory anyway. Else storage/visit_rows.h.
  absl::StatusOr<RowList> LoadRows(Family family, absl::string_view prefix) const {
    RowRange all;
    all.family = family;
    all.prefix = std::string(prefix);
    return LoadRows(all);
  }

  // Hash of an event's identity for Append::ids.
  virtual EventIdHash HashEventId(absl::string_view source, absl::string_view id) const = 0;

  // Adds entries, in their order, to the index that lies beside the events; those of events that
  // are gone are passed over. Durable when it returns. An entry may be added twice. Blocks, and
  // writers wait for milliseconds: many at a time. Errors: RESOURCE_EXHAUSTED: the disk is full;
  // DATA_CORRUPTED: a former life found it damaged, it has to be dropped.
  virtual absl::Status AddToIndex(absl::Span<const IndexEntry> entries) = 0;
  // Adds the places of the entries with one of these hashes (IndexedHash() counts); also some of
  // events that are gone meanwhile. Blocks. Errors: DATA_CORRUPTED.
  virtual absl::Status FindInIndex(std::vector<uint64_t> hashes, IndexPlaces* out) const = 0;
  virtual IndexSize SizeOfIndex() const = 0;
  // Forgets all of it. Blocks.
  virtual absl::Status DropIndex() = 0;

  // Server time: wall time at start advanced by the boot clock; jumps of the wall clock are
  // ignored. Never below the time a former run has witnessed.
  virtual absl::Time Now() const = 0;
  // The jump that is being ignored; zero: none.
  virtual absl::Duration ClockJump() const = 0;
  // Follows the wall clock, and answers by how much that moves server time: a step back lets it
  // stand still for so long.
  virtual absl::Duration AcceptClock() = 0;

  virtual DiskState disk_state() const = 0;
  virtual EngineStats Stats() const = 0;
  // Asks memory only.
  virtual LogUnderWay UnderWay() const = 0;
  virtual std::string store_id() const = 0;

  // Checks stored batches. Blocks.
  virtual absl::StatusOr<ScrubPage> Scrub(const ScrubOrder& order) = 0;

  // Null: it makes no backups.
  virtual BackupSource* backup_source() { return nullptr; }

  // Refuses new transactions, finishes those accepted, syncs and marks a clean stop. Blocks.
  virtual void Stop() = 0;
};

}  // namespace acta
