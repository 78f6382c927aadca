#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/telemetry/metric_table.h"
#include "storage/base/histogram.h"

namespace acta {

// The samples of one scrape, and their text.
//
// Threads: one.
class MetricWriter {
 public:
  // At most so many series of one metric are shown; the rest is counted.
  explicit MetricWriter(int64_t max_series) : max_series_(max_series) {}

  void Add(Metric metric, double value);
  // `label_value` is that of the metric's label.
  void Add(Metric metric, absl::string_view label_value, double value);
  // One value for each label of the metric, in their order.
  void Add(Metric metric, std::initializer_list<absl::string_view> label_values, double value);
  void Add(Metric metric, const Histogram& histogram);

  int64_t hidden() const { return hidden_; }
  // Prometheus text format 0.0.4, in the order of the table; metrics without samples are left out.
  std::string Text() const;

 private:
  struct Samples {
    std::string lines;
    int64_t series = 0;
  };
  // Null when the metric has all the series it may have.
  Samples* RoomFor(Metric metric);

  const int64_t max_series_;
  int64_t hidden_ = 0;
  std::array<Samples, kMetricCount> samples_;
};

}  // namespace acta
