#include "server/otlp/span_exporter.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "opentelemetry/trace_service.grpc.pb.h"
#include "tests/support/fake_clock.h"

namespace acta {
namespace {

namespace otlp = ::opentelemetry::proto::collector::trace::v1;

// A collector that is away for the first call.
class Collector final : public otlp::TraceService::Service {
 public:
  Collector() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~Collector() override { server_->Shutdown(); }

  grpc::Status Export(grpc::ServerContext*, const otlp::ExportTraceServiceRequest*,
                      otlp::ExportTraceServiceResponse*) override {
    if (calls_.fetch_add(1) > 0) return grpc::Status::OK;
    return {grpc::StatusCode::UNAVAILABLE, "later"};
  }
  OtlpTarget target() const { return {absl::StrCat("127.0.0.1:", port_), false}; }
  int calls() const { return calls_; }

 private:
  std::atomic<int> calls_{0};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// Goal: neither what spans wait for to be gathered nor the pause before a call is made again is
// measured by the wall clock. Method: it only goes back while time passes.
TEST_CASE("spans are sent, and sent again, while the clock of the machine is set back") {
  Collector collector;
  FakeClock clock;
  SpanExporter exporter(collector.target(), OtlpOptions(), {"1", "store"}, clock);
  Span span;
  span.trace_id = std::string(16, 't');
  span.id = std::string(8, 's');
  exporter.Add(span);
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (exporter.counts().exported == 0 && absl::Now() < give_up) {
    clock.Jump(-absl::Minutes(1));
    clock.Advance(absl::Milliseconds(100));
    absl::SleepFor(absl::Milliseconds(10));
  }
  CHECK(exporter.counts().exported == 1);
  CHECK(collector.calls() == 2);
}

}  // namespace
}  // namespace acta
