#include "client/cpp/settle_frame.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "proto/support/wire.h"

namespace acta::client {
namespace {

// Less than the 64 KiB of a control frame that every broker takes by default.
constexpr size_t kMaxSettleBytes = 60 << 10;
constexpr int kMaxSettlements = 10'000;
constexpr size_t kMaxReasonBytes = 64;
constexpr size_t kMaxTextBytes = 1'024;

bool IsWordOfReason(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

}  // namespace

absl::Status CheckWords(const Verdict& verdict) {
  const std::string& reason = verdict.reason;
  if (reason.size() > kMaxReasonBytes ||
      !std::all_of(reason.begin(), reason.end(), IsWordOfReason)) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat("the reason is not a word of at most ", kMaxReasonBytes,
                              " of [a-zA-Z0-9._-]: tell more in the text"),
                 {{"field", "reason"}});
  }
  if (verdict.text.size() > kMaxTextBytes || !IsUtf8(verdict.text)) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat("the text is not UTF-8 of at most ", kMaxTextBytes, " bytes"),
                 {{"field", "text"}});
  }
  return absl::OkStatus();
}

bool SettleFrame::Add(uint64_t assignment, std::pair<int64_t, int64_t> range,
                      const Verdict& verdict) {
  const int64_t count = range.second - range.first;
  if (count > room() || count < 1 || settle_.settlements_size() == kMaxSettlements) return false;
  v1::Settlement* const one = settle_.add_settlements();
  one->set_assignment(assignment);
  one->set_offset(range.first);
  one->set_count(static_cast<int32_t>(count));
  one->set_kind(verdict.kind);
  if (verdict.delay.has_value()) SetDuration(*verdict.delay, one->mutable_delay());
  one->set_reason(verdict.reason);
  one->set_text(verdict.text);
  const size_t bytes = one->ByteSizeLong() + 4;  // With tag and length.
  if (bytes_ + bytes > kMaxSettleBytes) {
    settle_.mutable_settlements()->RemoveLast();
    return false;
  }
  bytes_ += bytes;
  events_ += count;
  return true;
}

}  // namespace acta::client
