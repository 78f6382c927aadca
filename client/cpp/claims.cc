#include "client/cpp/claims.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_format.h"
#include "client/cpp/admin.h"
#include "client/cpp/error.h"
#include "client/cpp/steady_time.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"

namespace acta::client {
namespace {

std::string DrawRequestId() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x%08x", random(), random(), random(), random());
}

}  // namespace

// Claims at work.
//
// Threads: any.
class ACTA_CLIENT_HIDDEN Claims::Core {
 public:
  Core(std::shared_ptr<Channel> channel, ClaimsOptions options)
      : channel_(std::move(channel)), options_(std::move(options)), admin_(channel_) {}

  const ClaimsOptions& options() const { return options_; }
  Admin& admin() { return admin_; }
  // Returns how the last try ended. `tries` counts them.
  absl::Status Try(absl::FunctionRef<absl::Status()> call, int* tries = nullptr);
  void Cancel();

 private:
  // False once it was cancelled.
  bool Wait(absl::Duration delay);

  const std::shared_ptr<Channel> channel_;
  const ClaimsOptions options_;
  Admin admin_;
  Mutex mu_;  // Leaf.
  CondVar cancel_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

absl::Status Claims::Core::Try(absl::FunctionRef<absl::Status()> call, int* tries) {
  const absl::Time end = SteadyNow() + options_.retry_for;
  absl::Duration delay = channel_->options().min_backoff;
  while (true) {
    const absl::Status status = call();
    if (tries != nullptr) ++*tries;
    if (status.ok() || !IsRetryable(status)) return status;
    const absl::Duration wait = std::max(delay, RetryAfterOf(status));
    if (SteadyNow() + wait >= end || !Wait(wait)) return status;
    delay = std::min(2 * delay, channel_->options().max_backoff);
  }
}

bool Claims::Core::Wait(absl::Duration delay) {
  const absl::Time end = SteadyNow() + delay;
  MutexLock lock(mu_);
  while (!cancelled_) {
    const absl::Duration rest = end - SteadyNow();
    if (rest <= absl::ZeroDuration()) return true;
    cancel_.WaitFor(mu_, rest);
  }
  return false;
}

void Claims::Core::Cancel() {
  MutexLock lock(mu_);
  cancelled_ = true;
  cancel_.SignalAll();
}

Claims::Claims(std::shared_ptr<Channel> channel, ClaimsOptions options)
    : core_(std::make_unique<Core>(std::move(channel), std::move(options))) {}

Claims::~Claims() = default;

absl::StatusOr<v1::ClaimResponse> Claims::Claim(absl::string_view key) {
  const ClaimsOptions& options = core_->options();
  v1::ClaimRequest request;
  request.set_group(options.group);
  request.set_key(std::string(key));
  request.set_owner(options.owner);
  request.set_request_id(DrawRequestId());
  if (options.lease.has_value()) SetDuration(*options.lease, request.mutable_lease());
  if (options.ttl.has_value()) SetDuration(*options.ttl, request.mutable_ttl());
  v1::ClaimResponse response;
  RETURN_IF_ERROR(core_->Try([&]() -> absl::Status {
    ASSIGN_OR_RETURN(response, core_->admin().Claim(request));
    return absl::OkStatus();
  }));
  return response;
}

absl::Status Claims::Complete(absl::string_view key, absl::string_view token,
                              absl::string_view result) {
  v1::CompleteClaimRequest request;
  request.set_group(core_->options().group);
  request.set_key(std::string(key));
  request.set_token(std::string(token));
  request.set_result(std::string(result));
  return core_->Try([&] { return core_->admin().CompleteClaim(request).status(); });
}

absl::Status Claims::Release(absl::string_view key, absl::string_view token) {
  v1::ReleaseClaimRequest request;
  request.set_group(core_->options().group);
  request.set_key(std::string(key));
  request.set_token(std::string(token));
  int tries = 0;
  const absl::Status status =
      core_->Try([&] { return core_->admin().ReleaseClaim(request).status(); }, &tries);
  // An earlier try released it, and somebody else may hold it by now.
  const v1::ErrorReason reason = ReasonOf(status);
  const bool gone = reason == v1::CLAIM_NOT_FOUND || reason == v1::CLAIM_LOST;
  return gone && tries > 1 ? absl::OkStatus() : status;
}

void Claims::Cancel() { core_->Cancel(); }

}  // namespace acta::client
