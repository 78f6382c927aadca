#include "server/core/admin/known_damage.h"

#include <algorithm>
#include <vector>

#include "storage/base/log.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

constexpr size_t kMostKnown = 10'000;

}  // namespace

std::string NameOfDamaged(const TopicRegistry& topics, const ScrubProblem& problem) {
  if (problem.partition.topic() == kLedgerTopic) return "$ledger";
  const TopicPtr topic = topics.FindById(problem.partition.topic());
  return topic == nullptr ? "" : topic->name();
}

bool KnownDamage::Note(const ScrubProblem& problem) {
  const std::string topic = NameOfDamaged(topics_, problem);
  if (topic.empty()) return false;
  const Range range(problem.partition, problem.first);
  {
    MutexLock lock(mu_);
    const bool added = known_.size() < kMostKnown && known_.emplace(range, problem.last).second;
    if (known_.contains(range)) again_.insert(range);
    if (!added) return true;
  }
  LogError("stored events are damaged", {{"topic", topic},
                                         {"partition", problem.partition.partition()},
                                         {"first_offset", problem.first.value()},
                                         {"last_offset", problem.last.value()},
                                         {"cause", problem.problem}});
  return true;
}

void KnownDamage::BeginWhole() {
  MutexLock lock(mu_);
  again_.clear();
}

void KnownDamage::EndWhole() {
  MutexLock lock(mu_);
  std::erase_if(known_, [this](const auto& one)
                            ABSL_NO_THREAD_SAFETY_ANALYSIS { return !again_.contains(one.first); });
}

bool KnownDamage::IsStored(const Range& range, Offset last) const {
  const auto extent = engine_.Extent(range.first);
  return extent.ok() && extent->first <= last;
}

int64_t KnownDamage::Count() const {
  std::map<Range, Offset> known;
  {
    MutexLock lock(mu_);
    known = known_;
  }
  return std::count_if(known.begin(), known.end(),
                       [this](const auto& one) { return IsStored(one.first, one.second); });
}

}  // namespace acta
