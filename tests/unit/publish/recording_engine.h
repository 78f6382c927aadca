#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/log_engine.h"

namespace acta {

// A LogEngine that keeps the transactions it is given and answers when it is told to. Rows are
// written at once; what a publish session does not call is refused.
//
// Threads: one.
class RecordingEngine final : public LogEngine {
 public:
  struct Pending {
    Transaction transaction;
    // Every append stored from `base` on, nothing else to say.
    void AnswerStored(int64_t base = 0) {
      TransactionResult result;
      result.level = transaction.level;
      result.incarnation = Incarnation(7);
      for (const Append& append : transaction.appends) {
        AppendResult& one = result.appends.emplace_back();
        one.base_offset = Offset(base);
        one.count = append.count;
        one.append_time_us = 1000;
      }
      Answer(std::move(result));
    }
    void Answer(TransactionResult result) { std::move(transaction.done)(std::move(result)); }
  };

  absl::Status OpenTopic(TopicId, int32_t, const TopicSettings&) override {
    return absl::OkStatus();
  }
  void DropTopic(TopicId) override {}

  absl::Status Submit(Transaction transaction) override {
    if (transaction.appends.empty()) {
      TransactionResult result;
      result.level = transaction.level;
      std::move(transaction.done)(std::move(result));
      return absl::OkStatus();
    }
    if (!refuse.ok()) return refuse;
    pending.push_back({std::move(transaction)});
    return absl::OkStatus();
  }
  bool HasRoom() const override { return true; }
  void WhenRoom(absl::AnyInvocable<void()> wake) override { wake(); }

  absl::StatusOr<PartitionExtent> Extent(PartitionId) const override { return PartitionExtent(); }
  absl::StatusOr<std::optional<std::vector<BatchPtr>>> ReadCached(PartitionId, Offset,
                                                                  size_t) const override {
    return Unused();
  }
  absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId, Offset, size_t) const override {
    return Unused();
  }
  absl::StatusOr<uint64_t> WhenPast(PartitionId, Offset, absl::AnyInvocable<void()>) override {
    return Unused();
  }
  void CancelWake(PartitionId, uint64_t) override {}
  absl::StatusOr<Offset> FindOffset(PartitionId, int64_t) const override { return Unused(); }
  absl::StatusOr<OffsetInfo> Locate(PartitionId, Offset) const override { return Unused(); }
  Incarnation incarnation() const override { return Incarnation(7); }
  absl::Status CheckPosition(PartitionId, Incarnation, Offset) const override { return Unused(); }
  using LogEngine::LoadRows;
  absl::StatusOr<RowList> LoadRows(const RowRange&) const override { return RowList(); }
  // Tells apart by size and remembers what it was asked.
  EventIdHash HashEventId(absl::string_view source, absl::string_view id) const override {
    hashed.push_back(absl::StrCat(source, "|", id));
    return {hashed.size(), 0};
  }
  absl::Status AddToIndex(absl::Span<const IndexEntry>) override { return absl::OkStatus(); }
  absl::Status FindInIndex(std::vector<uint64_t>, IndexPlaces*) const override {
    return absl::OkStatus();
  }
  IndexSize SizeOfIndex() const override { return {}; }
  absl::Status DropIndex() override { return absl::OkStatus(); }
  absl::Time Now() const override { return absl::FromUnixSeconds(1700000000); }
  absl::Duration ClockJump() const override { return absl::ZeroDuration(); }
  absl::Duration AcceptClock() override { return absl::ZeroDuration(); }
  DiskState disk_state() const override { return DiskState::kOk; }
  EngineStats Stats() const override { return {}; }
  LogUnderWay UnderWay() const override { return {}; }
  std::string store_id() const override { return "store"; }
  absl::StatusOr<ScrubPage> Scrub(const ScrubOrder&) override { return Unused(); }
  void Stop() override {}

  std::vector<Pending> pending;
  absl::Status refuse;  // What Submit() answers to appends.
  mutable std::vector<std::string> hashed;

 private:
  static absl::Status Unused() { return absl::UnimplementedError("of no use to publishing"); }
};

}  // namespace acta
