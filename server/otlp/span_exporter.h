#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/core/traces/span.h"
#include "server/otlp/otlp_target.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace acta {

// What every span says of its origin: names of OpenTelemetry's resource attributes.
struct SpanOrigin {
  std::string version;
  std::string store_id;
};

struct OtlpOptions {
  // Empty: spans are made and sent nowhere, so none are. http://HOST:PORT, or https:// with the
  // certificates of the system.
  std::string endpoint;
  absl::Duration timeout = absl::Seconds(10);  // Of one call.
};

// SpanExporter sends spans to a collector over OTLP/gRPC, from a thread of its own: up to 512 in a
// call, after a second at most. While the collector is down or slow up to 8,192 wait; what comes
// then is dropped. A call that failed is made again after 1 s, 2 s and so on up to 30 s, when the
// code says that it may help, and the channel connects again as soon (collector_channel.h).
//
// Threads: any.
class SpanExporter final : public SpanSink {
 public:
  static constexpr size_t kMostWaiting = 8'192;
  static constexpr size_t kMostInCall = 512;
  static constexpr absl::Duration kMostDelay = absl::Seconds(30);  // Before a call is made again.

  // Waits by the time since boot. `clock` must outlive the exporter.
  SpanExporter(const OtlpTarget& target, const OtlpOptions& options, SpanOrigin origin,
               const Clock& clock);
  ~SpanExporter() override;  // Stops.

  void Add(Span span) override;
  // One more call for what waits, of three seconds at most; the rest is dropped.
  void Stop();

  struct Counts {
    int64_t exported = 0;
    int64_t dropped = 0;  // No room, or the end came first.
    int64_t failed = 0;   // The collector refused them.
  };
  Counts counts() const;

 private:
  class Caller;  // Keeps gRPC out of this header.
  enum class Outcome { kTaken, kAgain, kRefused };

  void Loop();
  // Takes what the next call sends; waits for it.
  std::vector<Span> TakeSome();
  Outcome Send(const std::vector<Span>& spans, absl::Duration timeout);
  // False: it is to stop.
  bool Sleep(absl::Duration time);

  const OtlpOptions options_;
  const Clock& clock_;
  const std::unique_ptr<Caller> caller_;
  std::atomic<int64_t> exported_{0};
  std::atomic<int64_t> dropped_{0};
  std::atomic<int64_t> failed_{0};
  bool told_ = false;  // Of the thread: that calls fail.
  Mutex mu_;           // Leaf.
  CondVar work_;
  std::vector<Span> waiting_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace acta
