#include "server/core/traces/trace_context.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "acta/v1/event.pb.h"
#include "proto/support/wire.h"

namespace acta {
namespace {

// "00-" + 32 + "-" + 16 + "-" + 2.
constexpr size_t kTraceparentBytes = 55;

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool AllZero(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(absl::string_view text) {
  if (text.size() < kTraceparentBytes) return std::nullopt;
  const absl::string_view version = text.substr(0, 2);
  const absl::string_view trace = text.substr(3, 32);
  const absl::string_view parent = text.substr(36, 16);
  const absl::string_view flags = text.substr(53, 2);
  const bool dashes = text[2] == '-' && text[35] == '-' && text[52] == '-';
  const bool hex =
      IsLowerHex(version) && IsLowerHex(trace) && IsLowerHex(parent) && IsLowerHex(flags);
  if (!dashes || !hex || version == "ff" || AllZero(trace) || AllZero(parent)) return std::nullopt;
  const bool longer = text.size() > kTraceparentBytes;
  if (longer && (version == "00" || text[kTraceparentBytes] != '-')) return std::nullopt;
  const bool sampled = (absl::HexStringToBytes(flags)[0] & 1) != 0;
  return TraceContext{absl::HexStringToBytes(trace), absl::HexStringToBytes(parent), sampled};
}

absl::string_view FindTraceparent(absl::string_view event) {
  constexpr uint32_t kTag = WireTag(v1::Event::kTraceparentFieldNumber, kWireBytes);
  WireReader reader(event);
  while (!reader.AtEnd()) {
    uint32_t tag = 0;
    absl::string_view bytes;
    if (reader.ReadTag(&tag) != WireFault::kNone) return {};
    if (tag == kTag) return reader.ReadBytes(&bytes) == WireFault::kNone ? bytes : "";
    if (reader.SkipValue(tag) != WireFault::kNone) return {};
  }
  return {};
}

}  // namespace acta
