#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "storage/base/ids.h"

namespace acta {

// Whose turn it is, key by key: one event has it, the others wait in the order of their offsets.
//
// Threads: one at a time. Cost: O(log of those that wait for one key) a call.
class KeyTurns {
 public:
  // True when the turn is the event's: it has it already, or nobody had it. Else it waits.
  bool Take(uint64_t key, Offset offset);
  // Gives the turn up, or ends the wait. The event whose turn it is now, if that changed.
  std::optional<Offset> Leave(uint64_t key, Offset offset);
  // Gives the turn of the event that has it to this one; the other waits.
  void Pass(uint64_t key, Offset to);
  // The event that has the turn.
  std::optional<Offset> Front(uint64_t key) const;
  // Null: nobody waits.
  const absl::btree_set<Offset>* Waiting(uint64_t key) const;
  size_t size() const { return keys_.size(); }

 private:
  struct Turn {
    Offset front;
    absl::btree_set<Offset> waiting;
  };
  absl::flat_hash_map<uint64_t, Turn> keys_;
};

}  // namespace acta
