#include "storage/state/id_window.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace acta {

IdWindow::IdWindow(absl::Duration window, int64_t max_ids)
    : window_us_(absl::ToInt64Microseconds(window)),
      max_ids_(max_ids),
      ids_(0, Hash{}, Equal{this}) {}

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

std::optional<IdPosition> IdWindow::Find(int32_t partition, const EventIdHash& id,
                                         int64_t now_us) const {
  const auto at = ids_.find(Key{id, partition});
  if (at == ids_.end()) return std::nullopt;
  const Entry& entry = At(at->number);
  if (entry.time_us < now_us - window_us()) return std::nullopt;
  return IdPosition{entry.offset, entry.incarnation, entry.time_us};
}

void IdWindow::Insert(int32_t partition, const EventIdHash& id, const IdPosition& position) {
  ids_.erase(Key{id, partition});
  Append(partition, id, position);
  ids_.insert(Slot{end_ - 1, HashOf(Key{id, partition})});
}

std::optional<IdPosition> IdWindow::FindOrInsert(int32_t partition, const EventIdHash& id,
                                                 const IdPosition& position) {
  bool inserted = false;
  const auto at = ids_.lazy_emplace(Key{id, partition}, [&](const auto& make) {
    make(Slot{end_, HashOf(Key{id, partition})});
    inserted = true;
  });
  if (!inserted) {
    const Entry& known = At(at->number);
    if (known.time_us >= position.time_us - window_us()) {
      return IdPosition{known.offset, known.incarnation, known.time_us};
    }
    Insert(partition, id, position);
    return std::nullopt;
  }
  Append(partition, id, position);
  return std::nullopt;
}

void IdWindow::Append(int32_t partition, const EventIdHash& id, const IdPosition& position) {
  if (end_ % kChunk == 0) chunks_.push_back(std::make_unique_for_overwrite<Entry[]>(kChunk));
  At(end_) = {id, position.offset, position.time_us, position.incarnation, partition};
  ++end_;
}

void IdWindow::Remove(int32_t partition, const EventIdHash& id) {
  const auto at = ids_.find(Key{id, partition});
  if (at == ids_.end()) return;
  const uint32_t number = at->number;
  ids_.erase(at);
  At(number).partition = kRemoved;
  // It was inserted last or nearly so.
  while (first_ != end_ && At(end_ - 1).partition == kRemoved) DropNewest();
}

void IdWindow::DropNewest() {
  if (--end_ % kChunk == 0) chunks_.pop_back();
}

void IdWindow::Trim(int64_t now_us) {
  const int64_t oldest = now_us - window_us();
  while (first_ != end_ && Oldest().time_us < oldest) ForgetOldest();
  if (size() > max_ids_) Evict(size() - max_ids_);
}

void IdWindow::Evict(int64_t count) {
  for (; count > 0 && first_ != end_; --count) {
    MissesBefore(Oldest().time_us);
    ForgetOldest();
  }
}

void IdWindow::ForgetOldest() {
  if (end_ - first_ > kAhead) {
    const Entry& ahead = At(first_ + kAhead);
    Prefetch(ahead.partition, ahead.id);
  }
  const Entry& oldest = Oldest();
  const auto at = ids_.find(Key{oldest.id, oldest.partition});
  if (at != ids_.end() && at->number == first_) ids_.erase(at);
  if (++first_ % kChunk == 0) chunks_.pop_front();
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
