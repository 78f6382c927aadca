#include "server/core/delivery/outstanding.h"

#include <iterator>

#include "storage/base/fatal.h"

namespace acta {

QueueEntry& Outstanding::Add(Offset offset, const EventFacts& facts) {
  std::unique_ptr<Page>& page = pages_[PageOf(offset)];
  if (page == nullptr) page = std::make_unique<Page>();
  auto& entry = page->entries[PlaceOf(offset)];
  ACTA_CHECK(entry == nullptr);
  ++page->count;
  entry = std::make_unique<QueueEntry>();
  entry->facts = facts;
  return *entry;
}

QueueEntry& Outstanding::Append(Offset offset, const EventFacts& facts) {
  ++in_window_;
  if (!runs_.empty() && runs_.rbegin()->second == offset) {
    runs_.rbegin()->second = offset + 1;
  } else {
    runs_.emplace_hint(runs_.end(), offset, offset + 1);
  }
  return Add(offset, facts);
}

void Outstanding::Park(Offset offset, QueueEntry* entry) {
  LeaveWindow(offset);
  entry->parked = true;
  parked_[offset] = entry;
}

QueueEntry& Outstanding::AddParked(Offset offset, const EventFacts& facts) {
  QueueEntry& entry = Add(offset, facts);
  entry.parked = true;
  parked_[offset] = &entry;
  return entry;
}

void Outstanding::Remove(Offset offset) {
  const auto page = pages_.find(PageOf(offset));
  std::unique_ptr<QueueEntry>& entry = page->second->entries[PlaceOf(offset)];
  if (entry->parked) {
    parked_.erase(offset);
  } else {
    LeaveWindow(offset);
  }
  entry.reset();
  if (--page->second->count == 0) pages_.erase(page);
}

std::optional<Offset> Outstanding::NextInWindow(Offset from) const {
  const auto next = runs_.upper_bound(from);
  if (next != runs_.begin() && from < std::prev(next)->second) return from;
  if (next == runs_.end()) return std::nullopt;
  return next->first;
}

void Outstanding::LeaveWindow(Offset offset) {
  --in_window_;
  const auto run = std::prev(runs_.upper_bound(offset));
  const Offset end = run->second;
  if (run->first == offset) {
    runs_.erase(run);
  } else {
    run->second = offset;
  }
  if (offset + 1 < end) runs_.emplace(offset + 1, end);
}

}  // namespace acta
