#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/log_engine.h"

namespace acta {

// How a broker would break the promise of a step, or of an event that was scheduled; or another one
// of groups.
enum class StepTear : uint8_t {
  kNone,
  kResultFirst,  // What it appends is on the disk before its rows are written.
  kStateFirst,   // The other way round.
  kTwice,        // What it appends is appended again, as by a call that is repeated.
  kReset,        // Of a reset the positions are on the disk before what goes with it.
  kFreeHeld,     // Who reads that an event is held does not learn of which key.
};

// The engine below, but for transactions of appends and rows, or for what else the tear names: they
// are torn in two.
//
// Threads: as LogEngine, but Submit() waits for the disk.
class TornEngine final : public LogEngine {
 public:
  // Borrows the engine.
  TornEngine(LogEngine& engine, StepTear tear) : engine_(engine), tear_(tear) {}

  absl::Status Submit(Transaction transaction) override;

  absl::Status OpenTopic(TopicId topic, int32_t partitions,
                         const TopicSettings& settings) override {
    return engine_.OpenTopic(topic, partitions, settings);
  }
  void DropTopic(TopicId topic) override { engine_.DropTopic(topic); }
  bool HasRoom() const override { return engine_.HasRoom(); }
  void WhenRoom(absl::AnyInvocable<void()> wake) override { engine_.WhenRoom(std::move(wake)); }
  absl::StatusOr<PartitionExtent> Extent(PartitionId partition) const override {
    return engine_.Extent(partition);
  }
  absl::StatusOr<std::optional<std::vector<BatchPtr>>> ReadCached(PartitionId partition,
                                                                  Offset from,
                                                                  size_t max_bytes) const override {
    return engine_.ReadCached(partition, from, max_bytes);
  }
  absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId partition, Offset from,
                                             size_t max_bytes) const override {
    return engine_.Read(partition, from, max_bytes);
  }
  absl::StatusOr<uint64_t> WhenPast(PartitionId partition, Offset offset,
                                    absl::AnyInvocable<void()> wake) override {
    return engine_.WhenPast(partition, offset, std::move(wake));
  }
  void CancelWake(PartitionId partition, uint64_t wake) override {
    engine_.CancelWake(partition, wake);
  }
  absl::StatusOr<Offset> FindOffset(PartitionId partition, int64_t time_us) const override {
    return engine_.FindOffset(partition, time_us);
  }
  absl::StatusOr<OffsetInfo> Locate(PartitionId partition, Offset offset) const override {
    return engine_.Locate(partition, offset);
  }
  Incarnation incarnation() const override { return engine_.incarnation(); }
  absl::Status CheckPosition(PartitionId partition, Incarnation incarnation,
                             Offset offset) const override {
    return engine_.CheckPosition(partition, incarnation, offset);
  }
  using LogEngine::LoadRows;
  absl::StatusOr<RowList> LoadRows(const RowRange& range) const override;
  EventIdHash HashEventId(absl::string_view source, absl::string_view id) const override {
    return engine_.HashEventId(source, id);
  }
  absl::Status AddToIndex(absl::Span<const IndexEntry> entries) override {
    return engine_.AddToIndex(entries);
  }
  absl::Status FindInIndex(std::vector<uint64_t> hashes, IndexPlaces* out) const override {
    return engine_.FindInIndex(std::move(hashes), out);
  }
  IndexSize SizeOfIndex() const override { return engine_.SizeOfIndex(); }
  absl::Status DropIndex() override { return engine_.DropIndex(); }
  absl::Time Now() const override { return engine_.Now(); }
  absl::Duration ClockJump() const override { return engine_.ClockJump(); }
  absl::Duration AcceptClock() override { return engine_.AcceptClock(); }
  DiskState disk_state() const override { return engine_.disk_state(); }
  EngineStats Stats() const override { return engine_.Stats(); }
  LogUnderWay UnderWay() const override { return engine_.UnderWay(); }
  std::string store_id() const override { return engine_.store_id(); }
  absl::StatusOr<ScrubPage> Scrub(const ScrubOrder& order) override { return engine_.Scrub(order); }
  void Stop() override { engine_.Stop(); }

 private:
  absl::Status TearStep(Transaction transaction);
  absl::Status TearReset(Transaction transaction);

  LogEngine& engine_;
  const StepTear tear_;
};

}  // namespace acta
