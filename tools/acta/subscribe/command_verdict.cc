#include "tools/acta/subscribe/command_verdict.h"

#include <sysexits.h>

#include "absl/strings/str_cat.h"
#include "tools/acta/subscribe/last_line.h"

namespace acta::cli {
namespace {

constexpr size_t kMaxTextBytes = 1'024;

}  // namespace

v1::Settlement VerdictOf(const CommandEnd& end) {
  v1::Settlement verdict;
  verdict.set_kind(v1::SETTLE_KIND_ACK);
  if (end.signal == 0 && end.exit_code == 0) return verdict;
  if (CannotBeRun(end)) {
    verdict.set_kind(v1::SETTLE_KIND_RELEASE);
    return verdict;
  }
  verdict.set_kind(v1::SETTLE_KIND_NACK);
  verdict.set_text(Utf8Front(end.last_line, kMaxTextBytes));
  if (end.signal != 0) {
    verdict.set_reason(absl::StrCat("signal-", end.signal));
  } else if (end.exit_code == EX_DATAERR) {
    verdict.set_kind(v1::SETTLE_KIND_REJECT);
  } else if (end.exit_code != EX_TEMPFAIL) {
    verdict.set_reason(absl::StrCat("exit-", end.exit_code));
  }
  return verdict;
}

}  // namespace acta::cli
