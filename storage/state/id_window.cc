#include "storage/state/id_window.h"

#include <algorithm>

namespace acta {

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
  if (at->second.time_us < now_us - window_us()) return std::nullopt;
  return at->second;
}

void IdWindow::Insert(int32_t partition, const EventIdHash& id, const IdPosition& position) {
  const Key key{id, partition};
  ids_[key] = position;
  order_.emplace_back(key, position.time_us);
}

std::optional<IdPosition> IdWindow::FindOrInsert(int32_t partition, const EventIdHash& id,
                                                 const IdPosition& position) {
  const Key key{id, partition};
  const auto [at, inserted] = ids_.try_emplace(key, position);
  if (!inserted) {
    const int64_t oldest = position.time_us - window_us();
    if (at->second.time_us >= oldest) return at->second;
    at->second = position;
  }
  order_.emplace_back(key, position.time_us);
  return std::nullopt;
}

void IdWindow::Remove(int32_t partition, const EventIdHash& id) {
  const Key key{id, partition};
  ids_.erase(key);
  // It was inserted last or nearly so.
  for (auto at = order_.rbegin(); at != order_.rend(); ++at) {
    if (at->first == key) {
      order_.erase(std::next(at).base());
      return;
    }
  }
}

void IdWindow::Trim(int64_t now_us) {
  const int64_t oldest = now_us - window_us();
  while (!order_.empty() && order_.front().second < oldest) ForgetOldest();
  if (size() > max_ids_) Evict(size() - max_ids_);
}

void IdWindow::Evict(int64_t count) {
  for (; count > 0 && !order_.empty(); --count) {
    MissesBefore(order_.front().second);
    ForgetOldest();
  }
}

void IdWindow::ForgetOldest() {
  if (order_.size() > kAhead) ids_.prefetch(order_[kAhead].first);
  const auto& [key, time] = order_.front();
  const auto at = ids_.find(key);
  if (at != ids_.end() && at->second.time_us == time) ids_.erase(at);
  order_.pop_front();
}

absl::Duration IdWindow::EffectiveWindow(int64_t now_us) const {
  const int64_t forgotten = forgotten_us_.load(std::memory_order_relaxed);
  const int64_t reached_us =
      forgotten == 0 ? window_us() : std::max<int64_t>(0, now_us - forgotten);
  return absl::Microseconds(std::min(window_us(), reached_us));
}

}  // namespace acta
