#include "server/core/queues/delivery_tokens.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/queues/settlement_rules.h"
#include "storage/base/bytes.h"
#include "storage/base/random.h"

namespace acta {
namespace {

constexpr size_t kBodyBytes = DeliveryTokens::kBytes - 16;

absl::Status BadToken(absl::string_view why) {
  return Error(v1::INVALID_DELIVERY_TOKEN,
               absl::StrCat("delivery_token: ", why, "; send it as it came with the delivery"),
               {{"field", "delivery_token"}});
}

}  // namespace

DeliveryTokens::DeliveryTokens(Incarnation incarnation)
    : incarnation_(incarnation), key_{DrawNumber(), DrawNumber()}, life_(DrawNumber()) {}

std::string DeliveryTokens::Make(const DeliveredRun& run) const {
  std::string token;
  token.reserve(kBytes);
  PutBig64(&token, life_);
  PutBig64(&token, run.group.value());
  PutBig64(&token, run.session);
  PutBig64(&token, run.partition.value());
  PutBig64(&token, static_cast<uint64_t>(run.first.value()));
  PutBig64(&token, uint64_t{run.count} << 32 | static_cast<uint32_t>(run.attempt));
  PutBig64(&token, uint64_t{incarnation_.value()} << 32 | static_cast<uint32_t>(run.redrives));
  const Hash128 hash = SipHash128(key_, token);
  PutBig64(&token, hash.low);
  PutBig64(&token, hash.high);
  return token;
}

absl::StatusOr<DeliveredRun> DeliveryTokens::Read(absl::string_view token) const {
  if (token.size() != kBytes) return BadToken("it is not as long as one");
  const char* const data = token.data();
  DeliveredRun run;
  run.group = GroupId(GetBig64(data + 8));
  run.session = GetBig64(data + 16);
  run.partition = PartitionId(GetBig64(data + 24));
  run.first = Offset(static_cast<int64_t>(GetBig64(data + 32)));
  const uint64_t numbers = GetBig64(data + 40);
  run.count = static_cast<uint32_t>(numbers >> 32);
  run.attempt = static_cast<int32_t>(numbers & 0xffffffff);
  const uint64_t rounds = GetBig64(data + 48);
  run.redrives = static_cast<int32_t>(rounds & 0xffffffff);
  run.incarnation = Incarnation(static_cast<uint32_t>(rounds >> 32));
  // Of a former life anybody may have made it.
  const bool possible = run.first >= Offset(0) && run.first <= kMostNamedOffset && run.count > 0 &&
                        run.count <= static_cast<uint32_t>(std::numeric_limits<int32_t>::max());
  if (!possible) return BadToken("no delivery is like that");
  if (GetBig64(data) != life_) {
    run.session = 0;
    return run;
  }
  const Hash128 hash = SipHash128(key_, token.substr(0, kBodyBytes));
  const bool ours =
      hash.low == GetBig64(data + kBodyBytes) && hash.high == GetBig64(data + kBodyBytes + 8);
  if (!ours) return BadToken("this server did not make it");
  return run;
}

}  // namespace acta
