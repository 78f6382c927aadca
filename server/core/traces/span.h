#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

namespace acta {

enum class SpanRole : uint8_t { kInternal, kProducer, kConsumer };

// What happened to an event, as a span of the trace that its producer began.
struct Span {
  std::string trace_id;  // 16 bytes.
  std::string parent;    // 8 bytes.
  std::string id;        // 8 bytes; the same for the same thing, however often it is told.
  std::string name;
  SpanRole role = SpanRole::kInternal;
  int64_t start_us = 0;
  int64_t end_us = 0;
  std::string error;  // Not empty: it failed, this is why.
  // Names of OpenTelemetry's conventions for messaging where there are some.
  std::vector<std::pair<absl::string_view, std::variant<std::string, int64_t>>> attributes;
};

// Where spans go.
//
// Threads: any. Never blocks: what does not fit is counted and dropped.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void Add(Span span) = 0;
};

}  // namespace acta
