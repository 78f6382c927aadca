#include "server/core/journeys/event_links.h"

#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"

namespace acta {
namespace {

// By field number, of acta.v1.Event.
constexpr uint32_t kIdField = 1;
constexpr uint32_t kSourceField = 2;
constexpr uint32_t kCorrelationField = 8;
constexpr uint32_t kCausationField = 9;
constexpr uint32_t kAffectedField = 12;

}  // namespace

uint64_t LinkHash(const LogEngine& engine, LinkKind kind, absl::string_view text) {
  const uint64_t hash = engine.HashEventId("", text).low;
  // An odd factor: no two kinds are the same.
  const uint32_t of = static_cast<uint32_t>(kind) * 0x9E3779B1u;
  return hash ^ (uint64_t{of} << (64 - kIndexHashBits));
}

std::string AffectedText(absl::string_view kind, absl::string_view id) {
  return absl::StrCat(kind, ":", id);
}

absl::StatusOr<BatchPtr> ReadBatchAt(const LogEngine& engine, PartitionId partition,
                                     Offset offset) {
  const auto cached = engine.ReadCached(partition, offset, 1);
  const bool in_memory = cached.ok() && cached->has_value();
  const auto read = in_memory ? absl::StatusOr<std::vector<BatchPtr>>(**cached)
                              : engine.Read(partition, offset, 1);
  if (!read.ok()) return read.status();
  const bool holds =
      !read->empty() && read->front()->base_offset <= offset && offset < read->front()->end();
  return holds ? read->front() : nullptr;
}

void ReadEventLinks(absl::string_view event, EventLinks* links) {
  links->id = links->source = links->correlation_id = links->causation_id = {};
  links->affected.clear();
  WireReader reader(event);
  while (!reader.AtEnd()) {
    uint32_t tag = 0;
    if (reader.ReadTag(&tag) != WireFault::kNone) return;
    if (WireTypeOf(tag) != kWireBytes) {
      if (reader.SkipValue(tag) != WireFault::kNone) return;
      continue;
    }
    absl::string_view value;
    if (reader.ReadBytes(&value) != WireFault::kNone) return;
    switch (FieldOf(tag)) {
      case kIdField:
        links->id = value;
        break;
      case kSourceField:
        links->source = value;
        break;
      case kCorrelationField:
        links->correlation_id = value;
        break;
      case kCausationField:
        links->causation_id = value;
        break;
      case kAffectedField:
        links->affected.push_back(value);
        break;
      default:
        break;
    }
  }
}

std::pair<absl::string_view, absl::string_view> ReadAffected(absl::string_view affected) {
  std::pair<absl::string_view, absl::string_view> read;
  WireReader reader(affected);
  while (!reader.AtEnd()) {
    uint32_t tag = 0;
    if (reader.ReadTag(&tag) != WireFault::kNone) break;
    absl::string_view value;
    if (WireTypeOf(tag) != kWireBytes) {
      if (reader.SkipValue(tag) != WireFault::kNone) break;
      continue;
    }
    if (reader.ReadBytes(&value) != WireFault::kNone) break;
    if (FieldOf(tag) == 1) read.first = value;
    if (FieldOf(tag) == 2) read.second = value;
  }
  return read;
}

}  // namespace acta
