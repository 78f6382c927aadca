#include "tools/bench/row.h"

#include <algorithm>

namespace acta::bench {

bool HoldsLeast(const Row& row) {
  const auto holds = [&row](double value, const std::optional<double>& least) {
    return !least || (row.lower_is_better ? value <= *least : value >= *least);
  };
  const bool of_limit = !row.limit || holds(row.value / *row.limit, row.least_of_limit);
  return holds(row.value, row.least) && of_limit;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace acta::bench
