#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "server/core/journeys/found_event.h"

namespace acta {

// An event's place in the tree of causes.
struct TreeNode {
  FoundEvent event;
  std::optional<size_t> cause;  // Index in the tree.
  bool in_cycle = false;
};

// Puts each event behind its cause, where that is among them, and else by append time: a tree a
// root, each in preorder. Causes are matched by name; of several events of one name the newest that
// is not newer than its effect counts. A circle of causes is cut before its oldest event. What was
// named as a cause and is not there is no part of it.
std::vector<TreeNode> MakeTree(std::vector<FoundEvent> events);

}  // namespace acta
