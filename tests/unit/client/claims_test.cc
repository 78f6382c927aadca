#include "client/cpp/claims.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "acta/v1/claims.grpc.pb.h"
#include "proto/support/error.h"
#include "storage/base/mutex.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/to_grpc.h"

namespace acta::client {
namespace {

// A server on a free port that fails calls as it is told to, after it has done them.
class FakeClaims final : public v1::Claims::Service {
 public:
  FakeClaims() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeClaims() override { server_->Shutdown(); }

  std::shared_ptr<Channel> Connect() const {
    ChannelOptions options;
    options.min_backoff = absl::Milliseconds(1);
    return std::make_shared<Channel>(address_, options);
  }
  // How the next calls end.
  void Fail(std::vector<grpc::Status> statuses) {
    MutexLock lock(mu_);
    failures_.assign(statuses.begin(), statuses.end());
  }
  std::vector<v1::ClaimRequest> asked() {
    MutexLock lock(mu_);
    return asked_;
  }
  int calls() {
    MutexLock lock(mu_);
    return calls_;
  }

  grpc::Status Claim(grpc::ServerContext*, const v1::ClaimRequest* request,
                     v1::ClaimResponse* response) override {
    MutexLock lock(mu_);
    asked_.push_back(*request);
    response->set_outcome(v1::CLAIM_OUTCOME_FIRST);
    response->set_token(request->request_id());
    return Next();
  }
  grpc::Status CompleteClaim(grpc::ServerContext*, const v1::CompleteClaimRequest*,
                             v1::CompleteClaimResponse*) override {
    MutexLock lock(mu_);
    return Next();
  }
  grpc::Status ReleaseClaim(grpc::ServerContext*, const v1::ReleaseClaimRequest*,
                            v1::ReleaseClaimResponse*) override {
    MutexLock lock(mu_);
    return Next();
  }

 private:
  grpc::Status Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ++calls_;
    if (failures_.empty()) return grpc::Status::OK;
    grpc::Status status = failures_.front();
    failures_.pop_front();
    return status;
  }

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  Mutex mu_;
  std::deque<grpc::Status> failures_ ABSL_GUARDED_BY(mu_);
  std::vector<v1::ClaimRequest> asked_ ABSL_GUARDED_BY(mu_);
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
};

ClaimsOptions Billing(absl::Duration retry_for = absl::Seconds(20)) {
  ClaimsOptions options;
  options.group = std::string("billing");
  options.retry_for = retry_for;
  return options;
}

grpc::Status UnknownOutcome() {
  return ToGrpc(ErrorRetryAfter(v1::OUTCOME_UNKNOWN, "unknown", absl::Milliseconds(1)));
}
grpc::Status NoThreadLeft() { return {grpc::StatusCode::RESOURCE_EXHAUSTED, "no thread"}; }
grpc::Status ConnectionReset() { return {grpc::StatusCode::UNAVAILABLE, "connection reset"}; }
grpc::Status ClaimGone() { return ToGrpc(Error(v1::CLAIM_NOT_FOUND, "not there")); }
grpc::Status ClaimTaken() { return ToGrpc(Error(v1::CLAIM_LOST, "lost")); }

TEST_CASE("a claim whose outcome is not known is asked for again as the same wish", "[client]") {
  FakeClaims broker;
  ClaimsOptions options = Billing();
  options.owner = "worker-a";
  options.lease = absl::Milliseconds(2500);
  options.ttl = absl::Hours(1);
  Claims claims(broker.Connect(), options);
  broker.Fail({UnknownOutcome(), NoThreadLeft(), ConnectionReset()});
  const auto first = claims.Claim("k");
  REQUIRE_OK(first);
  const std::vector<v1::ClaimRequest> asked = broker.asked();
  REQUIRE(asked.size() == 4);
  CHECK(asked[0].group() == "billing");
  CHECK(asked[0].key() == "k");
  CHECK(asked[0].owner() == "worker-a");
  CHECK(asked[0].lease().seconds() == 2);
  CHECK(asked[0].lease().nanos() == 500'000'000);
  CHECK(asked[0].ttl().seconds() == 3600);
  CHECK(asked[0].request_id().size() == 32);
  for (const v1::ClaimRequest& request : asked) {
    CHECK(request.request_id() == asked[0].request_id());
  }
  CHECK(first->token() == asked[0].request_id());
  REQUIRE_OK(claims.Claim("k"));
  CHECK(broker.asked().back().request_id() != asked[0].request_id());
}

TEST_CASE("what a retry cannot help is told at once", "[client]") {
  FakeClaims broker;
  Claims claims(broker.Connect(), Billing());
  broker.Fail({ClaimTaken()});
  CHECK(ReasonOf(claims.Complete("k", "token", "result")) == v1::CLAIM_LOST);
  CHECK(broker.calls() == 1);
  broker.Fail({ClaimGone()});
  CHECK(ReasonOf(claims.Release("k", "token")) == v1::CLAIM_NOT_FOUND);
  CHECK(broker.calls() == 2);
}

TEST_CASE("a release that was done by a try before is done", "[client]") {
  FakeClaims broker;
  Claims claims(broker.Connect(), Billing());
  broker.Fail({ConnectionReset(), ClaimGone()});
  CHECK_OK(claims.Release("k", "token"));
  broker.Fail({UnknownOutcome(), ClaimTaken()});
  CHECK_OK(claims.Release("k", "token"));
}

TEST_CASE("a completion is tried again until its time is over", "[client]") {
  FakeClaims broker;
  Claims claims(broker.Connect(), Billing());
  broker.Fail({ConnectionReset(), UnknownOutcome()});
  CHECK_OK(claims.Complete("k", "token", "result"));
  CHECK(broker.calls() == 3);
  Claims once(broker.Connect(), Billing(absl::ZeroDuration()));
  broker.Fail({UnknownOutcome()});
  CHECK(ReasonOf(once.Complete("k", "token", "result")) == v1::OUTCOME_UNKNOWN);
  CHECK(broker.calls() == 4);
}

TEST_CASE("a call that waits to try again ends when it is cancelled", "[client]") {
  FakeClaims broker;
  Claims claims(broker.Connect(), Billing(absl::Hours(2)));
  const grpc::Status later =
      ToGrpc(ErrorRetryAfter(v1::SERVER_STOPPING, "stopping", absl::Hours(1)));
  broker.Fail({later, later});
  absl::Status ended;
  std::thread waiting([&] { ended = claims.Complete("k", "token", "result"); });
  while (broker.calls() == 0) std::this_thread::yield();
  claims.Cancel();
  waiting.join();
  CHECK(ReasonOf(ended) == v1::SERVER_STOPPING);
  CHECK(ReasonOf(claims.Complete("k", "token", "result")) == v1::SERVER_STOPPING);
}

}  // namespace
}  // namespace acta::client
