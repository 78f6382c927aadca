#include "client/cpp/admin.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cpp/error.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"

namespace acta::client {
namespace {

// A server on a free port that takes every call and never answers.
class SilentServer {
 public:
  SilentServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterAsyncGenericService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~SilentServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    queue_->Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) continue;
  }

  std::shared_ptr<Channel> Connect() const { return std::make_shared<Channel>(address_); }

 private:
  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_CASE("a call ends at the deadline of its Admin", "[client]") {
  SilentServer server;
  AdminOptions options;
  options.deadline = absl::Milliseconds(20);
  Admin admin(server.Connect(), options);
  CHECK(admin.GetServer({}).status().code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("calls under way and later ones end when they are cancelled", "[client]") {
  SilentServer server;
  const std::shared_ptr<Channel> channel = server.Connect();
  Admin admin(channel);
  absl::Status status;
  std::thread caller([&] { status = admin.GetServer({}).status(); });
  // Whether it is under way by now or later makes no difference.
  admin.Cancel();
  caller.join();
  CHECK(status.code() == absl::StatusCode::kCancelled);
  CHECK(admin.ListTopics({}).status().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("cancelling one Admin leaves others of the channel alone", "[client]") {
  SilentServer server;
  const std::shared_ptr<Channel> channel = server.Connect();
  AdminOptions options;
  options.deadline = absl::Milliseconds(300);
  Admin admin(channel, options);
  absl::Status status;
  std::thread caller([&] { status = admin.GetServer({}).status(); });
  Admin(channel).Cancel();
  caller.join();
  CHECK(status.code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("an error of a later broker is tried again when it names a delay", "[client]") {
  const absl::Status known = Error(v1::GROUP_RESET, "begins anew");
  const auto of_later = [](const absl::Status& error) {
    return DecodeStatusDetails(
        static_cast<int>(error.code()), error.message(),
        absl::StrReplaceAll(EncodeStatusDetails(error), {{"GROUP_RESET", "GROUP_LATER"}}));
  };
  CHECK(ReasonOf(of_later(known)) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(IsRetryable(of_later(known)));
  CHECK_FALSE(
      IsRetryable(of_later(ErrorRetryAfter(v1::GROUP_RESET, "for good", absl::ZeroDuration()))));
}

}  // namespace
}  // namespace acta::client
