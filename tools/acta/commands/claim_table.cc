#include "tools/acta/commands/claim_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "tools/acta/output/words.h"

namespace acta::cli {

std::string ClaimKeyText(absl::string_view key) {
  const bool plain = std::none_of(key.begin(), key.end(), absl::ascii_iscntrl);
  return plain ? std::string(key) : absl::Utf8SafeCEscape(key);
}

Table ClaimTable(const std::vector<const v1::Claim*>& claims) {
  Table table(
      {"KEY", "STATE", "OWNER", "CLAIMED", "LEASE_ENDS", "COMPLETED", "FORGOTTEN", "RESULT_BYTES"});
  for (const v1::Claim* claim : claims) {
    table.Row(ClaimKeyText(claim->key()),
              EnumText(v1::ClaimState_Name(claim->state()), "CLAIM_STATE_"),
              claim->owner().empty() ? "-" : ClaimKeyText(claim->owner()),
              TimeText(claim->claim_time()), TimeText(claim->until()),
              TimeText(claim->complete_time()), TimeText(claim->end_time()), claim->result_bytes());
  }
  return table;
}

}  // namespace acta::cli
