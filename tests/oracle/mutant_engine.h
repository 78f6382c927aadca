#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta::oracle {

// One broken promise of a broker, for showing that the checker notices.
enum class Mutation : uint8_t {
  kNone,
  kLose,            // An acknowledged event is not stored.
  kReorder,         // Two neighbours change places.
  kStoreTwice,      // An event is stored again behind itself.
  kSkip,            // A delivery begins one event too late.
  kReuseOffset,     // An answer names offsets that were given before.
  kAlter,           // One byte of an event is another.
  kAckBeforeSync,   // FSYNC is answered when the write is in the page cache.
  kShowBeforeSync,  // Readers see what is not synced.
  kHole,            // After a start that recovered something, one batch is missing.
  // Of groups.
  kSettleBeforeSync,  // As kAckBeforeSync, of what appends no event.
  kForgetPositions,   // Rows of positions behind the first so many of a life are not written.
  kForgetParked,      // After a start every second parked event is missing.
  kDueNow,            // After a start all that wait are due.
  kCountAgain,        // After a start each event that failed has failed once more.
  kDropLetters,       // No dead letter is written.
  kSplitKeys,         // Each event has a key of its own.
  kTearSteps,         // Of a step what it publishes is written, and nothing else.
  kFreeHeld,          // After a start what is held does not hold its key.
};
// "lose", "reorder", ...; nothing for another word.
std::optional<Mutation> ParseMutation(absl::string_view word);

// The engine below, but for one event in `every` (of kSkip: one delivery; of those after it: all,
// unless they say otherwise).
//
// Threads: as LogEngine.
class MutantEngine final : public LogEngine {
 public:
  MutantEngine(std::unique_ptr<LogEngine> engine, Mutation mutation, int64_t every);

  absl::Status OpenTopic(TopicId topic, int32_t partitions, const TopicSettings& settings) override;
  void DropTopic(TopicId topic) override { engine_->DropTopic(topic); }
  absl::Status Submit(Transaction transaction) override;
  bool HasRoom() const override { return engine_->HasRoom(); }
  void WhenRoom(absl::AnyInvocable<void()> wake) override { engine_->WhenRoom(std::move(wake)); }
  absl::StatusOr<PartitionExtent> Extent(PartitionId partition) const override {
    return engine_->Extent(partition);
  }
  absl::StatusOr<std::optional<std::vector<BatchPtr>>> ReadCached(PartitionId partition,
                                                                  Offset from,
                                                                  size_t max_bytes) const override;
  absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId partition, Offset from,
                                             size_t max_bytes) const override;
  absl::StatusOr<uint64_t> WhenPast(PartitionId partition, Offset offset,
                                    absl::AnyInvocable<void()> wake) override {
    return engine_->WhenPast(partition, offset, std::move(wake));
  }
  void CancelWake(PartitionId partition, uint64_t wake) override {
    engine_->CancelWake(partition, wake);
  }
  absl::StatusOr<Offset> FindOffset(PartitionId partition, int64_t time_us) const override {
    return engine_->FindOffset(partition, time_us);
  }
  absl::StatusOr<OffsetInfo> Locate(PartitionId partition, Offset offset) const override {
    return engine_->Locate(partition, offset);
  }
  Incarnation incarnation() const override { return engine_->incarnation(); }
  absl::Status CheckPosition(PartitionId partition, Incarnation incarnation,
                             Offset offset) const override {
    return engine_->CheckPosition(partition, incarnation, offset);
  }
  using LogEngine::LoadRows;
  absl::StatusOr<RowList> LoadRows(const RowRange& range) const override;
  EventIdHash HashEventId(absl::string_view source, absl::string_view id) const override;
  absl::Status AddToIndex(absl::Span<const IndexEntry> entries) override {
    return engine_->AddToIndex(entries);
  }
  absl::Status FindInIndex(std::vector<uint64_t> hashes, IndexPlaces* out) const override {
    return engine_->FindInIndex(std::move(hashes), out);
  }
  IndexSize SizeOfIndex() const override { return engine_->SizeOfIndex(); }
  absl::Status DropIndex() override { return engine_->DropIndex(); }
  absl::Time Now() const override { return engine_->Now(); }
  absl::Duration ClockJump() const override { return engine_->ClockJump(); }
  absl::Duration AcceptClock() override { return engine_->AcceptClock(); }
  DiskState disk_state() const override { return engine_->disk_state(); }
  EngineStats Stats() const override { return engine_->Stats(); }
  LogUnderWay UnderWay() const override { return engine_->UnderWay(); }
  std::string store_id() const override { return engine_->store_id(); }
  absl::StatusOr<ScrubPage> Scrub(const ScrubOrder& order) override {
    return engine_->Scrub(order);
  }
  void Stop() override { engine_->Stop(); }

 private:
  // Events that are left out (above 0) or added (below 0) of what the client counts.
  struct Change {
    size_t append = 0;
    int32_t missing = 0;
    uint32_t at = 0;  // Index of the event, as the client counts.
    bool reuse = false;
  };
  // True for one call in `every_`, where a call counts `events`.
  bool Strikes(int64_t events) const;
  std::optional<Change> ChangeAppend(size_t index, Append* append) const;
  std::vector<BatchPtr> ChangeRead(PartitionId partition, std::vector<BatchPtr> batches) const;

  const std::unique_ptr<LogEngine> engine_;
  const Mutation mutation_;
  const int64_t every_;
  mutable std::atomic<int64_t> count_{0};
  mutable std::atomic<int64_t> strikes_{0};
  mutable std::atomic<int64_t> keys_{0};
  mutable Mutex mu_;  // Leaf.
  int64_t positions_ ABSL_GUARDED_BY(mu_) = 0;
  // What a producer's next sequence in a partition is ahead of the engine's.
  mutable std::map<std::pair<uint64_t, PartitionId>, int32_t> shifts_ ABSL_GUARDED_BY(mu_);
  // kHole: the partition and the batch that is gone.
  mutable std::optional<std::pair<PartitionId, Offset>> hole_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta::oracle
