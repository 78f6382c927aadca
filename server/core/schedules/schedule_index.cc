#include "server/core/schedules/schedule_index.h"

namespace acta {

void ScheduleIndex::Reserve(uint64_t number, const ScheduledFacts& facts) {
  ++reserved_;
  if (facts.has_id()) ids_[Id(facts.topic, facts.id)] = {number, false};
}

void ScheduleIndex::Release(const ScheduledFacts& facts) {
  --reserved_;
  if (facts.has_id()) ids_.erase(Id(facts.topic, facts.id));
}

void ScheduleIndex::Add(const ScheduleKey& key, const ScheduledFacts& facts) {
  --reserved_;
  by_due_.emplace(key, facts);
  if (facts.has_id()) ids_[Id(facts.topic, facts.id)].durable = true;
}

void ScheduleIndex::Load(const ScheduleKey& key, const ScheduledFacts& facts) {
  by_due_.emplace_hint(by_due_.end(), key, facts);
  if (facts.has_id()) ids_[Id(facts.topic, facts.id)] = {key.number, true};
}

std::optional<ScheduleIndex::Taken> ScheduleIndex::FindId(const ScheduledFacts& facts) const {
  if (!facts.has_id()) return std::nullopt;
  const auto found = ids_.find(Id(facts.topic, facts.id));
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

bool ScheduleIndex::Hold(const ScheduleKey& key) {
  return by_due_.contains(key) && held_.insert(key.number).second;
}

int64_t ScheduleIndex::PutOff(const ScheduleKey& key) {
  OnePutOff& one = put_off_[key.number];
  one.key = key;
  one.resumed = false;
  LetGo(key.number);
  return ++one.times;
}

void ScheduleIndex::Resume(uint64_t number) {
  const auto found = put_off_.find(number);
  if (found != put_off_.end()) found->second.resumed = true;
}

std::optional<ScheduleKey> ScheduleIndex::FindPutOff(uint64_t number) const {
  const auto found = put_off_.find(number);
  if (found == put_off_.end()) return std::nullopt;
  return found->second.key;
}

bool ScheduleIndex::MayBeDelivered(uint64_t number) const {
  const auto found = put_off_.find(number);
  return !IsHeld(number) && (found == put_off_.end() || found->second.resumed);
}

void ScheduleIndex::Remove(const ScheduleKey& key) {
  const auto found = by_due_.find(key);
  if (found->second.has_id()) ids_.erase(Id(found->second.topic, found->second.id));
  by_due_.erase(found);
  put_off_.erase(key.number);
  LetGo(key.number);
}

void ScheduleIndex::Move(const ScheduleKey& from, const ScheduleKey& to) {
  const auto found = by_due_.find(from);
  const ScheduledFacts facts = found->second;
  by_due_.erase(found);
  by_due_.emplace(to, facts);
  put_off_.erase(from.number);
  LetGo(from.number);
}

std::vector<ScheduleKey> ScheduleIndex::DueAt(int64_t now_us, size_t most) const {
  std::vector<ScheduleKey> due;
  for (const auto& [key, facts] : by_due_) {
    if (key.due_us > now_us || due.size() == most) break;
    if (MayBeDelivered(key.number)) due.push_back(key);
  }
  return due;
}

std::vector<ScheduleIndex::Entry> ScheduleIndex::After(const ScheduleKey& after,
                                                       size_t most) const {
  std::vector<Entry> page;
  for (auto at = by_due_.upper_bound(after); at != by_due_.end() && page.size() < most; ++at) {
    page.emplace_back(at->first, at->second);
  }
  return page;
}

std::optional<int64_t> ScheduleIndex::NextDue() const {
  for (const auto& [key, facts] : by_due_) {
    if (MayBeDelivered(key.number)) return key.due_us;
  }
  return std::nullopt;
}

}  // namespace acta
