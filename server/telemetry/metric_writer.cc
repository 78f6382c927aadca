#include "server/telemetry/metric_writer.h"

#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "storage/base/fatal.h"

namespace acta {
namespace {

// The shortest text that reads as the same number.
std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
  if (value == std::trunc(value) && std::abs(value) < kExactIntegers) {
    return absl::StrCat(static_cast<int64_t>(value));
  }
  char text[64];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end.ptr);
}

std::string Pair(absl::string_view name, absl::string_view value) {
  return absl::StrCat(name, "=\"",
                      absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}}),
                      "\"");
}

}  // namespace

MetricWriter::Samples* MetricWriter::RoomFor(Metric metric) {
  Samples& samples = samples_[static_cast<size_t>(metric)];
  if (samples.series >= max_series_) {
    ++hidden_;
    return nullptr;
  }
  ++samples.series;
  return &samples;
}

void MetricWriter::Add(Metric metric, double value) {
  if (Samples* const samples = RoomFor(metric)) {
    absl::StrAppend(&samples->lines, RowOf(metric).name, " ", Number(value), "\n");
  }
}

void MetricWriter::Add(Metric metric, absl::string_view label_value, double value) {
  Add(metric, {label_value}, value);
}

void MetricWriter::Add(Metric metric, std::initializer_list<absl::string_view> label_values,
                       double value) {
  Samples* const samples = RoomFor(metric);
  if (samples == nullptr) return;
  const MetricRow& row = RowOf(metric);
  const std::vector<absl::string_view> names = absl::StrSplit(row.label, ',');
  ACTA_CHECK(names.size() == label_values.size());
  std::vector<std::string> pairs;
  auto label_value = label_values.begin();
  for (const absl::string_view name : names) pairs.push_back(Pair(name, *label_value++));
  absl::StrAppend(&samples->lines, row.name, "{", absl::StrJoin(pairs, ","), "} ", Number(value),
                  "\n");
}

void MetricWriter::Add(Metric metric, const Histogram& histogram) {
  Samples* const samples = RoomFor(metric);
  if (samples == nullptr) return;
  const absl::string_view name = RowOf(metric).name;
  const std::vector<int64_t> counts = histogram.Counts();
  int64_t sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    sum += counts[i];
    const bool last = i == histogram.bounds().size();
    absl::StrAppend(&samples->lines, name, "_bucket", "{",
                    Pair("le", last ? "+Inf" : Number(histogram.bounds()[i])), "} ", sum, "\n");
  }
  absl::StrAppend(&samples->lines, name, "_sum ", Number(histogram.SumSeconds()), "\n", name,
                  "_count ", sum, "\n");
}

std::string MetricWriter::Text() const {
  std::string out;
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (samples_[i].series == 0) continue;
    const MetricRow& row = RowOf(static_cast<Metric>(i));
    absl::StrAppend(&out, "# HELP ", row.name, " ", row.help, "\n# TYPE ", row.name, " ",
                    Name(row.type), "\n", samples_[i].lines);
  }
  return out;
}

}  // namespace acta
