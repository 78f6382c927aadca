#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace acta {

// W3C trace context, as far as Acta needs it.
struct TraceContext {
  std::string trace_id;   // 16 bytes, not all zero.
  std::string parent_id;  // 8 bytes, not all zero.
  bool sampled = false;
};

// Of a `traceparent` ("00-<32 hex>-<16 hex>-<2 hex>"; later versions may have more behind it).
// nullopt: it is none (https://www.w3.org/TR/trace-context/#traceparent-header).
std::optional<TraceContext> ParseTraceparent(absl::string_view text);

// The field `traceparent` of an encoded acta.v1.Event; empty: it has none.
absl::string_view FindTraceparent(absl::string_view event);

}  // namespace acta
