#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/log_engine.h"

namespace acta {

// What an event can be found by.
enum class LinkKind : char {
  kId = 'i',
  kCorrelation = 'c',
  kCause = 'p',     // The id of the event that caused it.
  kAffected = 'a',  // "kind:id".
  kLedger = 'l',    // Offsets of a partition, for what groups did with them.
};

// For the index. Two tenants, and two sources of one id, share it: whoever finds an event looks
// whether it is the one. Of one text all kinds lie in one bucket: who asks for an event asks for
// its effects, too.
uint64_t LinkHash(const LogEngine& engine, LinkKind kind, absl::string_view text);

// "kind:id", as LinkKind::kAffected has it.
std::string AffectedText(absl::string_view kind, absl::string_view id);

// The event's own word wins, the context fills an empty one.
inline absl::string_view OwnOr(absl::string_view own, const std::string& of_context) {
  return own.empty() ? absl::string_view(of_context) : own;
}

// The stored batch that holds the offset, from memory or disk; null: there is none. Blocks. Errors:
// as LogEngine::Read().
absl::StatusOr<BatchPtr> ReadBatchAt(const LogEngine& engine, PartitionId partition, Offset offset);

// The links of one event as it was stored; views of its bytes.
struct EventLinks {
  absl::string_view id;
  absl::string_view source;
  absl::string_view correlation_id;
  absl::string_view causation_id;
  std::vector<absl::string_view> affected;  // Encoded acta.v1.Affected.
};

// Reads them from an encoded acta.v1.Event. The bytes passed the scan of the publish path; of
// others it finds what is before the fault.
void ReadEventLinks(absl::string_view event, EventLinks* links);
// Kind and id of an encoded acta.v1.Affected.
std::pair<absl::string_view, absl::string_view> ReadAffected(absl::string_view affected);

}  // namespace acta
