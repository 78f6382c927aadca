#include "storage/log/partition_log.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"

namespace acta {

namespace {

// The span that reaches furthest.
const PartitionSpan& NewestOf(const std::vector<std::pair<SlicePtr, PartitionSpan>>& spans) {
  return std::max_element(
             spans.begin(), spans.end(),
             [](const auto& a, const auto& b) { return a.second.last < b.second.last; })
      ->second;
}

}  // namespace

Offset PartitionStart::end() const {
  return spans.empty() ? first : std::max(first, NewestOf(spans).last + 1);
}

std::string EncodePartitionRecord(const PartitionStart& start) {
  storage::v1::PartitionRecord record;
  record.set_first_offset(start.first.value());
  record.set_first_bytes(start.first_bytes);
  record.set_first_time_us(start.first_time_us);
  record.set_trimmed_before_us(start.trimmed_before_us);
  for (const IncarnationStartAt& life : start.incarnations) {
    storage::v1::IncarnationStart* out = record.add_incarnations();
    out->set_incarnation(life.incarnation.value());
    out->set_start_offset(life.start.value());
  }
  return record.SerializeAsString();
}

PartitionLog::PartitionLog(PartitionId id, PartitionStart start)
    : id_(id),
      first_(start.first),
      first_bytes_(start.first_bytes),
      first_time_us_(start.first_time_us),
      trimmed_before_us_(start.trimmed_before_us),
      spans_(std::move(start.spans)),
      incarnations_(std::move(start.incarnations)) {
  visible_end_ = first_;
  visible_end_bytes_ = first_bytes_;
  if (!spans_.empty()) {
    // Of slices below the first offset some stay for other partitions: they tell of no end.
    const PartitionSpan& newest = NewestOf(spans_);
    if (newest.last >= first_) {
      visible_end_ = newest.last + 1;
      visible_end_bytes_ = newest.end_bytes;
    }
    last_time_us_ = std::max(newest.last_time_us, first_time_us_);
    const auto oldest =
        std::find_if(spans_.begin(), spans_.end(),
                     [first = first_](const auto& span) { return span.second.last >= first; });
    if (first_time_us_ == 0 && oldest != spans_.end()) {
      first_time_us_ = oldest->second.first_time_us;
    }
  }
  end_ = visible_end_;
  writer.next = end_;
  writer.end_bytes = visible_end_bytes_;
  writer.last_time_us = last_time_us_;
}

PartitionExtent PartitionLog::Extent() const {
  MutexLock lock(mu_);
  PartitionExtent extent;
  extent.first = first_;
  extent.going_below = std::max(first_, going_below_);
  extent.visible_end = visible_end_;
  extent.end = end_;
  extent.first_bytes = first_bytes_;
  extent.visible_end_bytes = visible_end_bytes_;
  extent.first_time_us = first_ < visible_end_ ? first_time_us_ : 0;
  extent.last_time_us = last_time_us_;
  extent.trimmed_before_us = trimmed_before_us_;
  return extent;
}

absl::Status PartitionLog::CheckReadable(Offset from) const {
  MutexLock lock(mu_);
  return CheckReadableLocked(from);
}

absl::Status PartitionLog::CheckReadableLocked(Offset from) const {
  if (dropped_) {
    return Error(v1::PARTITION_NOT_FOUND, "the topic was deleted");
  }
  if (from < Offset(0) || from > visible_end_) {
    return Error(v1::OFFSET_OUT_OF_RANGE,
                 absl::StrCat("offset ", from.value(), " is not between the first offset ",
                              first_.value(), " and the end offset ", visible_end_.value()),
                 {{"first_offset", absl::StrCat(first_.value())},
                  {"end_offset", absl::StrCat(visible_end_.value())}});
  }
  if (from < first_) {
    return Error(v1::GAP,
                 absl::StrCat("events ", from.value(), " to ", first_.value() - 1,
                              " were removed by retention; the first offset is ", first_.value()),
                 {{"first_lost", absl::StrCat(from.value())},
                  {"last_lost", absl::StrCat(first_.value() - 1)}});
  }
  return absl::OkStatus();
}

std::deque<BatchPtr>::const_iterator PartitionLog::CachedFrom(Offset offset) const {
  return std::partition_point(cached_.begin(), cached_.end(),
                              [offset](const BatchPtr& batch) { return batch->end() <= offset; });
}

absl::StatusOr<std::optional<std::vector<BatchPtr>>> PartitionLog::ReadCached(
    Offset from, size_t max_bytes) const {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(CheckReadableLocked(from));
  std::vector<BatchPtr> batches;
  if (from == visible_end_) return std::optional(std::move(batches));
  auto at = CachedFrom(from);
  if (at == cached_.end() || (*at)->base_offset > from) {
    return std::optional<std::vector<BatchPtr>>();
  }
  size_t bytes = 0;
  for (; at != cached_.end() && (*at)->end() <= visible_end_; ++at) {
    if (!batches.empty() && bytes + (*at)->payload.size() > max_bytes) break;
    bytes += (*at)->payload.size();
    batches.push_back(*at);
  }
  return std::optional(std::move(batches));
}

BatchPtr PartitionLog::FindCached(Offset offset) const {
  MutexLock lock(mu_);
  const auto at = CachedFrom(offset);
  return at == cached_.end() || (*at)->base_offset > offset ? nullptr : *at;
}

std::optional<PartitionLog::Piece> PartitionLog::FindPiece(Offset offset) const {
  MutexLock lock(mu_);
  const auto at = std::partition_point(spans_.begin(), spans_.end(), [offset](const auto& span) {
    return span.second.last < offset;
  });
  if (at == spans_.end()) return std::nullopt;
  return Piece{at->first, at->second};
}

std::vector<PartitionLog::Piece> PartitionLog::Pieces() const {
  MutexLock lock(mu_);
  std::vector<Piece> pieces;
  pieces.reserve(spans_.size());
  for (const auto& [slice, span] : spans_) pieces.push_back({slice, span});
  return pieces;
}

absl::Status PartitionLog::CheckPosition(Incarnation incarnation, Offset offset,
                                         Incarnation current) const {
  if (incarnation == Incarnation() || incarnation == current) return absl::OkStatus();
  MutexLock lock(mu_);
  if (incarnation > current) incarnation = BeforeRestore();
  for (const IncarnationStartAt& later : incarnations_) {
    if (later.incarnation <= incarnation || offset <= later.start) continue;
    return Error(
        v1::LOG_TRUNCATED,
        absl::StrCat("the log was cut at offset ", later.start.value(), " in incarnation ",
                     later.incarnation.value(), "; offset ", offset.value(), " of incarnation ",
                     incarnation.value(), " does not mean the same event any more"),
        {{"incarnation", absl::StrCat(later.incarnation.value())},
         {"offset", absl::StrCat(later.start.value())}});
  }
  return absl::OkStatus();
}

Incarnation PartitionLog::BeforeRestore() const {
  Incarnation before(std::numeric_limits<uint32_t>::max());
  Incarnation last;
  for (const IncarnationStartAt& life : incarnations_) {
    if (life.incarnation.value() - last.value() >= kLivesLeftOut) before = last;
    last = life.incarnation;
  }
  return before;
}

void PartitionLog::Written(const SlicePtr& slice, BatchPtr batch) {
  PartitionSpan span;
  span.first = batch->base_offset;
  span.last = batch->end() + -1;
  span.begin_bytes = batch->begin_bytes();
  span.end_bytes = batch->end_bytes;
  span.first_time_us = span.last_time_us = batch->append_time_us;
  MutexLock lock(mu_);
  if (dropped_) return;  // It keeps no slice on the disk.
  if (!spans_.empty() && spans_.back().first == slice) {
    spans_.back().second.Join(span);
  } else {
    spans_.emplace_back(slice, span);
  }
  end_ = batch->end();
  cached_.push_back(std::move(batch));
}

void PartitionLog::AdvanceVisible(Offset end, uint64_t end_bytes, int64_t last_time_us) {
  std::vector<Wake> due;
  {
    MutexLock lock(mu_);
    if (end <= visible_end_) return;
    if (first_ == visible_end_ && first_time_us_ == 0) first_time_us_ = last_time_us;
    visible_end_ = end;
    visible_end_bytes_ = end_bytes;
    last_time_us_ = last_time_us;
    if (waiting_.empty()) return;
    std::vector<Waiting> still;
    for (Waiting& waiting : waiting_) {
      if (waiting.past < end) {
        due.push_back(std::move(waiting.wake));
      } else {
        still.push_back(std::move(waiting));
      }
    }
    waiting_ = std::move(still);
    ++running_wakes_;
  }
  RunWakes(std::move(due));
}

void PartitionLog::RunWakes(std::vector<Wake> due) {
  for (Wake& wake : due) std::move(wake)();
  MutexLock lock(mu_);
  if (--running_wakes_ == 0) wakes_done_.SignalAll();
}

void PartitionLog::EvictOldest() {
  BatchPtr oldest;  // Freed after the lock.
  MutexLock lock(mu_);
  if (cached_.empty()) return;
  oldest = std::move(cached_.front());
  cached_.pop_front();
}

uint64_t PartitionLog::WhenPast(Offset offset, Wake wake) {
  {
    MutexLock lock(mu_);
    if (!dropped_ && offset >= visible_end_) {
      waiting_.push_back({next_wake_, offset, std::move(wake)});
      return next_wake_++;
    }
  }
  std::move(wake)();
  return 0;
}

void PartitionLog::CancelWake(uint64_t number) {
  Wake dropped;  // Destroyed after the lock.
  MutexLock lock(mu_);
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if (at->number == number) {
      dropped = std::move(at->wake);
      waiting_.erase(at);
      return;
    }
  }
  while (running_wakes_ > 0) wakes_done_.Wait(mu_);
}

void PartitionLog::BeginTrim(Offset first) {
  MutexLock lock(mu_);
  going_below_ = first;
}

void PartitionLog::EndTrim() {
  MutexLock lock(mu_);
  going_below_ = first_;
}

void PartitionLog::RaiseFirst(Offset first, uint64_t first_bytes, int64_t first_time_us,
                              int64_t trimmed_before_us) {
  MutexLock lock(mu_);
  if (first < first_) return;
  first_ = first;
  first_bytes_ = first_bytes;
  first_time_us_ = first_time_us;
  trimmed_before_us_ = std::max(trimmed_before_us_, trimmed_before_us);
}

int64_t PartitionLog::trimmed_before_us() const {
  MutexLock lock(mu_);
  return trimmed_before_us_;
}

void PartitionLog::ForgetSlice(uint64_t slice_id) {
  MutexLock lock(mu_);
  std::erase_if(spans_, [slice_id](const auto& span) { return span.first->id == slice_id; });
}

void PartitionLog::Drop() {
  std::vector<Wake> due;
  std::deque<BatchPtr> freed;  // Freed after the lock.
  decltype(spans_) spans;      // They keep the files of slices that are dropped.
  {
    MutexLock lock(mu_);
    dropped_ = true;
    freed.swap(cached_);
    spans.swap(spans_);
    for (Waiting& waiting : waiting_) due.push_back(std::move(waiting.wake));
    waiting_.clear();
    ++running_wakes_;
  }
  RunWakes(std::move(due));
  MutexLock lock(mu_);
  while (running_wakes_ > 0) wakes_done_.Wait(mu_);
}

bool PartitionLog::dropped() const {
  MutexLock lock(mu_);
  return dropped_;
}

std::vector<IncarnationStartAt> PartitionLog::incarnations() const {
  MutexLock lock(mu_);
  return incarnations_;
}

}  // namespace acta
