#include "storage/state/id_window.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace acta {

IdWindow::IdWindow(absl::Duration window, int64_t max_ids)
    : window_us_(absl::ToInt64Microseconds(window)), max_ids_(max_ids) {}

void IdWindow::SetWindow(absl::Duration window, int64_t now_us) {
  const int64_t wanted_us = absl::ToInt64Microseconds(window);
  if (wanted_us > window_us()) MissesBefore(now_us - window_us());
  window_us_.store(wanted_us, std::memory_order_relaxed);
}

void IdWindow::MissesBefore(int64_t time_us) {
  int64_t known = forgotten_us_.load(std::memory_order_relaxed);
  while (known < time_us &&
         !forgotten_us_.compare_exchange_weak(known, time_us, std::memory_order_relaxed)) {
  }
}

std::optional<uint32_t> IdWindow::NumberOf(int32_t partition, const EventIdHash& id) const {
  return table_.Find(HashOf(partition, id), alive_, [&](uint32_t number) {
    const Entry& entry = At(number);
    return entry.id == id && entry.partition == partition;
  });
}

std::optional<IdPosition> IdWindow::Find(int32_t partition, const EventIdHash& id,
                                         int64_t now_us) const {
  const std::optional<uint32_t> number = NumberOf(partition, id);
  if (!number.has_value()) return std::nullopt;
  const Entry& entry = At(*number);
  if (entry.time_us < now_us - window_us()) return std::nullopt;
  return IdPosition{entry.offset, entry.incarnation, entry.time_us};
}

void IdWindow::Insert(int32_t partition, const EventIdHash& id, const IdPosition& position) {
  const std::optional<uint32_t> known = NumberOf(partition, id);
  if (known.has_value()) TakeOut(*known);
  Append(partition, id, position);
}

std::optional<IdPosition> IdWindow::FindOrInsert(int32_t partition, const EventIdHash& id,
                                                 const IdPosition& position) {
  const std::optional<uint32_t> known = NumberOf(partition, id);
  if (known.has_value()) {
    const Entry& entry = At(*known);
    if (entry.time_us >= position.time_us - window_us()) {
      return IdPosition{entry.offset, entry.incarnation, entry.time_us};
    }
    TakeOut(*known);
  }
  Append(partition, id, position);
  return std::nullopt;
}

void IdWindow::Append(int32_t partition, const EventIdHash& id, const IdPosition& position) {
  const uint32_t number = alive_.end;
  if (number % kChunk == 0) chunks_.push_back(std::make_unique_for_overwrite<Entry[]>(kChunk));
  At(number) = {id, position.offset, position.time_us, position.incarnation, partition};
  table_.Insert(HashOf(partition, id), number, alive_, alive_.size() - removed_);
  ++alive_.end;
}

void IdWindow::TakeOut(uint32_t number) {
  Entry& entry = At(number);
  table_.Erase(HashOf(entry.partition, entry.id), number, alive_);
  entry.partition = kRemoved;
  ++removed_;
}

void IdWindow::Remove(int32_t partition, const EventIdHash& id) {
  const std::optional<uint32_t> number = NumberOf(partition, id);
  if (!number.has_value()) return;
  TakeOut(*number);
  // It was inserted last or nearly so.
  while (alive_.size() > 0 && At(alive_.end - 1).partition == kRemoved) DropNewest();
}

void IdWindow::DropNewest() {
  --removed_;
  if (--alive_.end % kChunk == 0) chunks_.pop_back();
}

void IdWindow::Trim(int64_t now_us) {
  const int64_t oldest = now_us - window_us();
  while (alive_.size() > 0 && Oldest().time_us < oldest) ForgetOldest();
  if (size() > max_ids_) Evict(size() - max_ids_);
  GiveBack();
}

void IdWindow::Evict(int64_t count) {
  for (; count > 0 && alive_.size() > 0; --count) {
    MissesBefore(Oldest().time_us);
    ForgetOldest();
  }
  GiveBack();
}

void IdWindow::ForgetOldest() {
  if (Oldest().partition == kRemoved) --removed_;
  if (++alive_.first % kChunk == 0) chunks_.pop_front();
}

absl::Duration IdWindow::EffectiveWindow(int64_t now_us) const {
  const int64_t forgotten = forgotten_us_.load(std::memory_order_relaxed);
  const int64_t reached_us =
      forgotten == 0 ? window_us() : std::max<int64_t>(0, now_us - forgotten);
  return absl::Microseconds(std::min(window_us(), reached_us));
}

int64_t LargestShare(std::vector<int64_t> sizes, int64_t most, int64_t more) {
  std::sort(sizes.begin(), sizes.end());
  int64_t sharers = std::ssize(sizes) + more;
  for (const int64_t size : sizes) {
    if (size > most / sharers) return most / sharers;
    most -= size;
    --sharers;
  }
  return more > 0 ? most / more : std::numeric_limits<int64_t>::max();
}

}  // namespace acta
