#include "server/core/journeys/journey_tree.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace acta {
namespace {

constexpr size_t kNone = std::numeric_limits<size_t>::max();

bool Earlier(const FoundEvent& a, const FoundEvent& b) {
  return std::make_tuple(a.append_time_us, a.partition, a.offset) <
         std::make_tuple(b.append_time_us, b.partition, b.offset);
}

// By name, in the order of the events; who has no name of its own is nobody's cause.
using Names = absl::flat_hash_map<std::string, std::vector<size_t>>;

Names NamesOf(const std::vector<FoundEvent>& events) {
  Names names;
  for (size_t i = 0; i < events.size(); ++i) {
    if (!events[i].name().empty()) names[events[i].name()].push_back(i);
  }
  return names;
}

size_t CauseOf(const std::vector<FoundEvent>& events, const Names& names, size_t effect) {
  const std::string& cause = events[effect].cause();
  if (cause.empty()) return kNone;
  const auto found = names.find(cause);
  if (found == names.end()) return kNone;
  // They are in the order of time, and may be as many as the effects: of most the first look is the
  // last.
  const std::vector<size_t>& named = found->second;
  const auto may_be = [&](size_t i) {
    return events[i].named_within().Has(events[effect].append_time_us);
  };
  const auto later = std::lower_bound(named.begin(), named.end(), effect);
  const auto newest = std::find_if(std::make_reverse_iterator(later), named.rend(), may_be);
  if (newest != named.rend()) return *newest;
  const auto oldest = std::find_if(later, named.end(), may_be);
  return oldest == named.end() ? kNone : *oldest;
}

// Marks the members of circles and takes the cause from the oldest of each.
void CutCircles(std::vector<size_t>* causes, std::vector<bool>* in_cycle) {
  std::vector<size_t> seen_by(causes->size(), kNone);
  for (size_t start = 0; start < causes->size(); ++start) {
    size_t at = start;
    while (at != kNone && seen_by[at] == kNone) {
      seen_by[at] = start;
      at = (*causes)[at];
    }
    if (at == kNone || seen_by[at] != start || (*in_cycle)[at]) continue;
    size_t oldest = at;
    size_t member = at;
    do {
      (*in_cycle)[member] = true;
      oldest = std::min(oldest, member);
      member = (*causes)[member];
    } while (member != at);
    (*causes)[oldest] = kNone;
  }
}

}  // namespace

std::vector<TreeNode> MakeTree(std::vector<FoundEvent> events) {
  std::sort(events.begin(), events.end(), Earlier);
  const Names names = NamesOf(events);
  std::vector<size_t> causes;
  for (size_t i = 0; i < events.size(); ++i) causes.push_back(CauseOf(events, names, i));
  std::vector<bool> in_cycle(events.size(), false);
  CutCircles(&causes, &in_cycle);
  std::vector<std::vector<size_t>> effects(events.size());
  std::vector<size_t> open;  // The next is at its end.
  for (size_t i = events.size(); i-- > 0;) {
    if (causes[i] == kNone) {
      open.push_back(i);
    } else {
      effects[causes[i]].push_back(i);  // The youngest first.
    }
  }
  std::vector<TreeNode> tree;
  tree.reserve(events.size());
  std::vector<size_t> place(events.size(), kNone);
  while (!open.empty()) {
    const size_t i = open.back();
    open.pop_back();
    place[i] = tree.size();
    TreeNode node;
    node.event = std::move(events[i]);
    if (causes[i] != kNone) node.cause = place[causes[i]];
    node.in_cycle = in_cycle[i];
    tree.push_back(std::move(node));
    open.insert(open.end(), effects[i].begin(), effects[i].end());
  }
  return tree;
}

}  // namespace acta
