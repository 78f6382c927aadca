#include "tools/acta/subscribe/end_offsets.h"

namespace acta::cli {

void EndOffsets::Set(absl::string_view topic, int32_t partition, int64_t end) {
  const auto [place, added] = partitions_.insert({{std::string(topic), partition}, End{end}});
  if (added) ++open_;
}

bool EndOffsets::Wants(absl::string_view topic, int32_t partition, int64_t offset) const {
  const auto found = partitions_.find({std::string(topic), partition});
  return found == partitions_.end() || offset < found->second.offset;
}

void EndOffsets::Advance(absl::string_view topic, int32_t partition, int64_t next_offset) {
  const auto found = partitions_.find({std::string(topic), partition});
  if (found == partitions_.end() || found->second.reached) return;
  if (next_offset < found->second.offset) return;
  found->second.reached = true;
  --open_;
}

}  // namespace acta::cli
