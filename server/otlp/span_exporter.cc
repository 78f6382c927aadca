#include "server/otlp/span_exporter.h"

#include <grpcpp/security/credentials.h>
#include <pthread.h>

#include <algorithm>
#include <iterator>

#include "opentelemetry/trace_service.grpc.pb.h"
#include "server/otlp/collector_channel.h"
#include "storage/base/log.h"

namespace acta {
namespace {

namespace otlp = ::opentelemetry::proto::collector::trace::v1;

constexpr absl::Duration kGather = absl::Seconds(1);
constexpr absl::Duration kFirstDelay = absl::Seconds(1);
constexpr absl::Duration kLastCall = absl::Seconds(3);

void PutText(absl::string_view key, const std::string& text, otlp::KeyValue* out) {
  out->set_key(std::string(key));
  out->mutable_value()->set_string_value(text);
}

otlp::SpanKind KindOf(SpanRole role) {
  switch (role) {
    case SpanRole::kProducer:
      return otlp::SPAN_KIND_PRODUCER;
    case SpanRole::kConsumer:
      return otlp::SPAN_KIND_CONSUMER;
    case SpanRole::kInternal:
      break;
  }
  return otlp::SPAN_KIND_INTERNAL;
}

void PutSpan(const Span& span, otlp::Span* out) {
  constexpr uint64_t kNanos = 1000;
  out->set_trace_id(span.trace_id);
  out->set_span_id(span.id);
  out->set_parent_span_id(span.parent);
  out->set_name(span.name);
  out->set_kind(KindOf(span.role));
  out->set_start_time_unix_nano(static_cast<uint64_t>(span.start_us) * kNanos);
  out->set_end_time_unix_nano(static_cast<uint64_t>(span.end_us) * kNanos);
  for (const auto& [key, value] : span.attributes) {
    otlp::KeyValue* const attribute = out->add_attributes();
    if (const auto* text = std::get_if<std::string>(&value)) {
      PutText(key, *text, attribute);
    } else {
      attribute->set_key(std::string(key));
      attribute->mutable_value()->set_int_value(std::get<int64_t>(value));
    }
  }
  if (span.error.empty()) return;
  PutText("error.type", span.error, out->add_attributes());
  out->mutable_status()->set_code(otlp::STATUS_CODE_ERROR);
}

// https://opentelemetry.io/docs/specs/otlp/#failures
bool MayHelp(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DATA_LOSS:
      return true;
    default:
      return false;
  }
}

}  // namespace

class SpanExporter::Caller {
 public:
  Caller(const OtlpTarget& target, SpanOrigin origin)
      : origin_(std::move(origin)),
        channel_(target.address, target.encrypted ? grpc::SslCredentials({})
                                                  : grpc::InsecureChannelCredentials()) {}

  grpc::Status Call(const std::vector<Span>& spans, absl::Duration timeout, int64_t* rejected) {
    otlp::ExportTraceServiceRequest request;
    otlp::ResourceSpans* const of = request.add_resource_spans();
    auto* const resource = of->mutable_resource();
    PutText("service.name", "acta", resource->add_attributes());
    PutText("service.version", origin_.version, resource->add_attributes());
    PutText("service.instance.id", origin_.store_id, resource->add_attributes());
    otlp::ScopeSpans* const scope = of->add_scope_spans();
    scope->mutable_scope()->set_name("acta");
    scope->mutable_scope()->set_version(origin_.version);
    for (const Span& span : spans) PutSpan(span, scope->add_spans());
    grpc::ClientContext context;
    {
      MutexLock lock(mu_);
      if (hurry_) timeout = std::min(timeout, kLastCall);
      context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
      running_ = &context;
    }
    otlp::ExportTraceServiceResponse response;
    const grpc::Status status =
        otlp::TraceService::NewStub(channel_.Get())->Export(&context, request, &response);
    {
      MutexLock lock(mu_);
      running_ = nullptr;
    }
    *rejected = response.partial_success().rejected_spans();
    return status;
  }

  // The call that runs ends now, and the next ones soon.
  void Hurry() {
    MutexLock lock(mu_);
    hurry_ = true;
    if (running_ != nullptr) running_->TryCancel();
  }

 private:
  const SpanOrigin origin_;
  CollectorChannel channel_;
  Mutex mu_;  // Leaf.
  grpc::ClientContext* running_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool hurry_ ABSL_GUARDED_BY(mu_) = false;
};

SpanExporter::SpanExporter(const OtlpTarget& target, const OtlpOptions& options, SpanOrigin origin,
                           const Clock& clock)
    : options_(options),
      clock_(clock),
      caller_(std::make_unique<Caller>(target, std::move(origin))),
      thread_([this] { Loop(); }) {
  pthread_setname_np(thread_.native_handle(), "acta-otlp");
}

SpanExporter::~SpanExporter() { Stop(); }

void SpanExporter::Add(Span span) {
  MutexLock lock(mu_);
  if (stopping_ || waiting_.size() >= kMostWaiting) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  waiting_.push_back(std::move(span));
  if (waiting_.size() == 1 || waiting_.size() == kMostInCall) work_.Signal();
}

std::vector<Span> SpanExporter::TakeSome() {
  MutexLock lock(mu_);
  while (waiting_.empty() && !stopping_) work_.Wait(mu_);
  const absl::Duration until = clock_.SinceBoot() + kGather;
  while (waiting_.size() < kMostInCall && !stopping_) {
    const absl::Duration left = until - clock_.SinceBoot();
    if (left <= absl::ZeroDuration()) break;
    work_.WaitFor(mu_, left);
  }
  const auto count = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kMostInCall));
  std::vector<Span> some(std::make_move_iterator(waiting_.begin()),
                         std::make_move_iterator(waiting_.begin() + count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  return some;
}

bool SpanExporter::Sleep(absl::Duration time) {
  const absl::Duration until = clock_.SinceBoot() + time;
  MutexLock lock(mu_);
  while (!stopping_) {
    const absl::Duration left = until - clock_.SinceBoot();
    if (left <= absl::ZeroDuration()) break;
    work_.WaitFor(mu_, left);
  }
  return !stopping_;
}

void SpanExporter::Loop() {
  for (;;) {
    const std::vector<Span> spans = TakeSome();
    if (spans.empty()) return;  // It stops.
    const auto count = static_cast<int64_t>(spans.size());
    bool goes_on = Sleep(absl::ZeroDuration());
    Outcome outcome = Send(spans, goes_on ? options_.timeout : kLastCall);
    for (absl::Duration delay = kFirstDelay; outcome == Outcome::kAgain && goes_on;
         delay = std::min(delay * 2, kMostDelay)) {
      goes_on = Sleep(delay);
      outcome = Send(spans, goes_on ? options_.timeout : kLastCall);
    }
    if (outcome == Outcome::kAgain) dropped_.fetch_add(count, std::memory_order_relaxed);
    if (goes_on) continue;
    MutexLock lock(mu_);
    dropped_.fetch_add(static_cast<int64_t>(waiting_.size()), std::memory_order_relaxed);
    return;
  }
}

SpanExporter::Outcome SpanExporter::Send(const std::vector<Span>& spans, absl::Duration timeout) {
  const auto count = static_cast<int64_t>(spans.size());
  int64_t rejected = 0;
  const grpc::Status status = caller_->Call(spans, timeout, &rejected);
  if (status.ok()) {
    if (told_) LogInfo("the collector takes spans again");
    told_ = false;
    exported_.fetch_add(count - std::min(rejected, count), std::memory_order_relaxed);
    failed_.fetch_add(std::min(rejected, count), std::memory_order_relaxed);
    return Outcome::kTaken;
  }
  const bool again = MayHelp(status.error_code());
  if (!told_) {
    LogWarn("spans are not taken by the collector",
            {{"endpoint", options_.endpoint},
             {"code", static_cast<int>(status.error_code())},
             {"cause", status.error_message()},
             {"tried_again", again ? "yes" : "no"}});
  }
  told_ = true;
  if (again) return Outcome::kAgain;
  failed_.fetch_add(count, std::memory_order_relaxed);
  return Outcome::kRefused;
}

void SpanExporter::Stop() {
  // First: it must not end the last call, which begins as soon as it stops.
  caller_->Hurry();
  {
    MutexLock lock(mu_);
    stopping_ = true;
    work_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

SpanExporter::Counts SpanExporter::counts() const {
  return {exported_.load(), dropped_.load(), failed_.load()};
}

}  // namespace acta
