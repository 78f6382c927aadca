#pragma once

#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "server/core/topics/topic_registry.h"

namespace acta {

// All topics as of a moment. Immutable once published.
struct TopicRegistry::Snapshot {
  using View = std::pair<absl::string_view, absl::string_view>;  // Tenant, name.
  // Looks up without making strings.
  struct Less {
    using is_transparent = void;
    static View Of(const std::pair<std::string, std::string>& key) {
      return {key.first, key.second};
    }
    static View Of(const View& key) { return key; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Of(a) < Of(b);
    }
  };

  absl::btree_map<std::pair<std::string, std::string>, TopicPtr, Less> by_name;
  absl::flat_hash_map<TopicId, TopicPtr> by_id;
  int64_t partitions = 0;

  void Put(TopicPtr topic) {
    Remove(*topic);
    partitions += topic->partitions();
    by_id[topic->id] = topic;
    by_name[{topic->tenant, topic->name()}] = std::move(topic);
  }
  void Remove(const Topic& topic) {
    const auto at = by_name.find(View(topic.tenant, topic.name()));
    if (at == by_name.end()) return;
    partitions -= at->second->partitions();
    by_id.erase(at->second->id);
    by_name.erase(at);
  }
};

}  // namespace acta
