#include "server/core/delivery/key_turns.h"

namespace acta {

bool KeyTurns::Take(uint64_t key, Offset offset) {
  const auto [it, free] = keys_.try_emplace(key);
  if (free) it->second.front = offset;
  if (it->second.front == offset) return true;
  it->second.waiting.insert(offset);
  return false;
}

std::optional<Offset> KeyTurns::Leave(uint64_t key, Offset offset) {
  const auto it = keys_.find(key);
  if (it == keys_.end()) return std::nullopt;
  Turn& turn = it->second;
  if (turn.front != offset) {
    turn.waiting.erase(offset);
    return std::nullopt;
  }
  if (turn.waiting.empty()) {
    keys_.erase(it);
    return std::nullopt;
  }
  turn.front = *turn.waiting.begin();
  turn.waiting.erase(turn.waiting.begin());
  return turn.front;
}

void KeyTurns::Pass(uint64_t key, Offset to) {
  Turn& turn = keys_.at(key);
  turn.waiting.insert(turn.front);
  turn.waiting.erase(to);
  turn.front = to;
}

std::optional<Offset> KeyTurns::Front(uint64_t key) const {
  const auto it = keys_.find(key);
  return it == keys_.end() ? std::nullopt : std::optional<Offset>(it->second.front);
}

const absl::btree_set<Offset>* KeyTurns::Waiting(uint64_t key) const {
  const auto it = keys_.find(key);
  return it == keys_.end() || it->second.waiting.empty() ? nullptr : &it->second.waiting;
}

}  // namespace acta
