#include "server/config/suggestion.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace acta {
namespace {

// Letters to insert, remove or replace.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      row[j + 1] = std::min({replaced, above + 1, row[j] + 1});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string NearestName(absl::string_view typed, const std::vector<std::string>& names) {
  constexpr size_t kLongestTyped = 200;  // What is longer is no slip of the keyboard.
  if (typed.size() > kLongestTyped) return "";
  std::string best;
  size_t least = typed.size() / 3 + 2;
  for (const std::string& name : names) {
    const size_t distance = EditDistance(typed, name);
    if (distance >= least) continue;
    least = distance;
    best = name;
  }
  return best;
}

std::string DidYouMean(absl::string_view typed, const std::vector<std::string>& names) {
  const std::string name = NearestName(typed, names);
  return name.empty() ? "" : absl::StrCat("; did you mean '", name, "'?");
}

}  // namespace acta
