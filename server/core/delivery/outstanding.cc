#include "server/core/delivery/outstanding.h"

#include <algorithm>
#include <iterator>

#include "storage/base/fatal.h"

namespace acta {

QueueEntry& Outstanding::Append(Offset offset, const EventFacts& facts) {
  ++in_window_;
  if (!runs_.empty() && runs_.rbegin()->second == offset) {
    runs_.rbegin()->second = offset + 1;
  } else {
    runs_.emplace_hint(runs_.end(), offset, offset + 1);
  }
  std::unique_ptr<Page>& page = pages_[PageOf(offset)];
  if (page == nullptr) page = std::make_unique<Page>();
  ACTA_CHECK(!page->Has(offset));
  page->used |= 1U << Page::PlaceOf(offset);
  QueueEntry& entry = *page->At(offset);
  entry = QueueEntry();
  entry.facts = facts;
  return entry;
}

QueueEntry& Outstanding::Park(Offset offset) {
  const auto page = pages_.find(PageOf(offset));
  QueueEntry& entry = AddParked(offset, {});
  entry = *page->second->At(offset);
  entry.parked = true;
  LeaveWindow(offset, page);
  return entry;
}

QueueEntry& Outstanding::AddParked(Offset offset, const EventFacts& facts) {
  parked_end_ = std::max(parked_end_, offset + 1);
  auto& entry = parked_[offset] = std::make_unique<QueueEntry>();
  entry->facts = facts;
  entry->parked = true;
  return *entry;
}

void Outstanding::Remove(Offset offset) {
  const auto page = pages_.find(PageOf(offset));
  const bool in_window = page != pages_.end() && page->second->Has(offset);
  if (in_window) {
    LeaveWindow(offset, page);
  } else {
    parked_.erase(offset);
  }
}

std::optional<Offset> Outstanding::NextInWindow(Offset from) const {
  const auto next = runs_.upper_bound(from);
  if (next != runs_.begin() && from < std::prev(next)->second) return from;
  if (next == runs_.end()) return std::nullopt;
  return next->first;
}

void Outstanding::LeaveWindow(Offset offset, Pages::iterator page) {
  --in_window_;
  page->second->used &= ~(1U << Page::PlaceOf(offset));
  if (page->second->used == 0) pages_.erase(page);
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
