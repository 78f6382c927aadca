#pragma once

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/base/ids.h"
#include "storage/base/mutex.h"
#include "storage/log/partition_log.h"
#include "storage/state/id_window.h"

namespace acta {

// The partitions of one topic and what they share.
struct TopicLog {
  TopicLog(TopicId topic_id, const TopicSettings& topic_settings, int64_t max_ids)
      : id(topic_id), ids(topic_settings.dedupe_window, max_ids), settings_(topic_settings) {}

  const TopicId id;
  IdWindow ids;  // The writer's.

  TopicSettings settings() const {
    MutexLock lock(mu_);
    return settings_;
  }
  void SetSettings(const TopicSettings& settings) {
    MutexLock lock(mu_);
    settings_ = settings;
  }
  PartitionPtr Find(int32_t partition) const {
    MutexLock lock(mu_);
    const auto index = static_cast<size_t>(partition);
    return index < partitions_.size() ? partitions_[index] : nullptr;
  }
  void Add(PartitionPtr partition) {
    MutexLock lock(mu_);
    partitions_.push_back(std::move(partition));
  }
  std::vector<PartitionPtr> partitions() const {
    MutexLock lock(mu_);
    return partitions_;
  }

 private:
  mutable Mutex mu_;  // Leaf.
  TopicSettings settings_ ABSL_GUARDED_BY(mu_);
  std::vector<PartitionPtr> partitions_ ABSL_GUARDED_BY(mu_);
};
using TopicLogPtr = std::shared_ptr<TopicLog>;

// All open topics.
//
// Threads: any.
class LogTable {
 public:
  TopicLogPtr Find(TopicId topic) const {
    MutexLock lock(mu_);
    const auto at = topics_.find(topic);
    return at == topics_.end() ? nullptr : at->second;
  }
  PartitionPtr Find(PartitionId partition) const {
    const TopicLogPtr topic = Find(partition.topic());
    return topic == nullptr ? nullptr : topic->Find(partition.partition());
  }
  void Add(TopicLogPtr topic) {
    MutexLock lock(mu_);
    topics_[topic->id] = std::move(topic);
  }
  TopicLogPtr Remove(TopicId topic) {
    MutexLock lock(mu_);
    const auto at = topics_.find(topic);
    if (at == topics_.end()) return nullptr;
    TopicLogPtr removed = std::move(at->second);
    topics_.erase(at);
    return removed;
  }
  std::vector<TopicLogPtr> All() const {
    MutexLock lock(mu_);
    std::vector<TopicLogPtr> all;
    all.reserve(topics_.size());
    for (const auto& [id, topic] : topics_) all.push_back(topic);
    return all;
  }

 private:
  mutable Mutex mu_;  // Leaf.
  absl::flat_hash_map<TopicId, TopicLogPtr> topics_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
