#include "server/core/subscribe/fetch_call.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/subscribe/batch_buffer.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int32_t kDefaultEvents = 1000;
constexpr int32_t kMaxEvents = 65536;
constexpr int32_t kDefaultBytes = 1 << 20;
constexpr int32_t kMaxBytes = 16 << 20;
constexpr absl::Duration kMaxWait = absl::Seconds(60);

absl::Status NotBetween(absl::string_view field, absl::string_view value, absl::string_view most) {
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat(field, " ", value, " is not between 0 and ", most),
               {{"field", std::string(field)}});
}

// Zero means the default.
absl::StatusOr<int32_t> Number(absl::string_view field, int32_t value, int32_t otherwise,
                               int32_t most) {
  if (value < 0 || value > most) return NotBetween(field, absl::StrCat(value), absl::StrCat(most));
  return value == 0 ? otherwise : value;
}

absl::StatusOr<absl::Duration> Wait(const google::protobuf::Duration& wait) {
  const absl::Duration duration = absl::Seconds(wait.seconds()) + absl::Nanoseconds(wait.nanos());
  if (duration < absl::ZeroDuration() || duration > kMaxWait) {
    return NotBetween("wait", absl::FormatDuration(duration), absl::FormatDuration(kMaxWait));
  }
  return duration;
}

// At most so many events and bytes, but one event in any case.
std::vector<OutgoingBatch> Cut(const FetchCall::Page& page, const std::vector<BatchPtr>& read) {
  BatchBuffer buffer(page.from);
  buffer.Append(read);
  std::vector<OutgoingBatch> batches;
  uint32_t events = page.max_events;
  size_t bytes = page.max_bytes;
  while (!buffer.empty() && events > 0) {
    OutgoingBatch batch = buffer.Take(events, bytes);
    if (batch.count == 0 && batches.empty()) {
      batch = buffer.Take(1, std::numeric_limits<size_t>::max());
    }
    if (batch.count == 0) break;
    events -= batch.count;
    bytes -= std::min(bytes, batch.payload.size());
    batches.push_back(std::move(batch));
  }
  return batches;
}

}  // namespace

absl::Status WaitingFetches::Enter(const std::shared_ptr<FetchCall>& call) {
  MutexLock lock(mu_);
  if (stopping_) return Error(v1::SERVER_STOPPING, "the server is stopping");
  if (static_cast<int64_t>(calls_.size()) >= most_) {
    return Error(v1::READ_QUEUE_FULL,
                 absl::StrCat(most_,
                              " Fetch calls wait for events and max_waiting_fetches is "
                              "reached: wait for the delay, or subscribe"),
                 {{"limit", "max_waiting_fetches"}, {"value", absl::StrCat(most_)}});
  }
  calls_.insert(call);
  return absl::OkStatus();
}

void WaitingFetches::Leave(const std::shared_ptr<FetchCall>& call) {
  MutexLock lock(mu_);
  calls_.erase(call);
}

void WaitingFetches::Stop() {
  absl::flat_hash_set<std::shared_ptr<FetchCall>> calls;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    calls = calls_;
  }
  for (const auto& call : calls) {
    call->Fail(Error(v1::SERVER_STOPPING, "the server is stopping: reconnect after the delay"));
  }
}

absl::StatusOr<FetchCall::Page> FetchCall::Check(const Caller& caller, const TopicRegistry& topics,
                                                 const LogEngine& engine,
                                                 const v1::FetchRequest& request) {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const TopicPtr topic, topics.Get(caller.tenant, request.topic()));
  if (request.partition() < 0 || request.partition() >= topic->partitions()) {
    return Error(v1::PARTITION_NOT_FOUND,
                 absl::StrCat("topic '", topic->name(), "' has no partition ", request.partition(),
                              ", only 0 to ", topic->partitions() - 1),
                 {{"topic", topic->name()}, {"partition", absl::StrCat(request.partition())}});
  }
  ASSIGN_OR_RETURN(const int32_t events,
                   Number("max_events", request.max_events(), kDefaultEvents, kMaxEvents));
  ASSIGN_OR_RETURN(const int32_t bytes,
                   Number("max_bytes", request.max_bytes(), kDefaultBytes, kMaxBytes));
  if (request.incarnation() < 0 || request.incarnation() > std::numeric_limits<uint32_t>::max()) {
    return NotBetween("incarnation", absl::StrCat(request.incarnation()),
                      absl::StrCat(std::numeric_limits<uint32_t>::max()));
  }
  Page page;
  ASSIGN_OR_RETURN(page.wait, Wait(request.wait()));
  page.partition = topic->partition(request.partition());
  page.from = Offset(request.offset());
  page.max_events = static_cast<uint32_t>(events);
  page.max_bytes = static_cast<size_t>(bytes);
  RETURN_IF_ERROR(engine.CheckPosition(
      page.partition, Incarnation(static_cast<uint32_t>(request.incarnation())), page.from));
  return page;
}

void FetchCall::Start() {
  auto cached = deps_.engine.ReadCached(page_.partition, page_.from, page_.max_bytes);
  const bool cold = cached.ok() && !cached->has_value();
  const bool wait = cached.ok() && !cold && (*cached)->empty() && page_.wait > absl::ZeroDuration();
  if (!cold && !wait) {
    Claim();
    return cached.ok() ? Answer(**std::move(cached)) : Answer(cached.status());
  }
  const absl::Status entered = deps_.waiting->Enter(shared_from_this());
  if (!entered.ok()) return Fail(entered);
  if (wait) return WaitForNews();
  deps_.pool.Post([self = shared_from_this()] { self->ReadOnPool(); });
}

void FetchCall::Fail(const absl::Status& status) {
  if (Claim()) Answer(status);
}

void FetchCall::Cancel() {
  if (Claim()) deps_.waiting->Leave(shared_from_this());
}

bool FetchCall::Claim() {
  uint64_t wake = 0;
  uint64_t timer = 0;
  {
    MutexLock lock(mu_);
    if (std::exchange(claimed_, true)) return false;
    wake = wake_;
    timer = timer_;
  }
  if (wake != 0) deps_.engine.CancelWake(page_.partition, wake);
  if (timer != 0) deps_.timer.Cancel(timer);
  return true;
}

void FetchCall::WaitForNews() {
  const uint64_t timer = deps_.timer.After(page_.wait, [self = shared_from_this()] {
    if (self->Claim()) self->Answer(std::vector<BatchPtr>());
  });
  // On the engine's thread nothing of ours runs: the pool reads and answers.
  const auto wake =
      deps_.engine.WhenPast(page_.partition, page_.from, [self = shared_from_this()]() mutable {
        Executor& pool = self->deps_.pool;
        pool.Post([self = std::move(self)] { self->ReadOnPool(); });
      });
  if (!wake.ok()) {
    deps_.timer.Cancel(timer);
    return Fail(wake.status());
  }
  bool claimed;
  {
    MutexLock lock(mu_);
    wake_ = *wake;
    timer_ = timer;
    claimed = claimed_;
  }
  if (!claimed) return;
  deps_.timer.Cancel(timer);
  deps_.engine.CancelWake(page_.partition, *wake);
}

void FetchCall::ReadOnPool() {
  if (!Claim()) return;
  auto cached = deps_.engine.ReadCached(page_.partition, page_.from, page_.max_bytes);
  if (cached.ok() && cached->has_value()) return Answer(**std::move(cached));
  Answer(deps_.engine.Read(page_.partition, page_.from, page_.max_bytes));
}

void FetchCall::Answer(const Batches& read) {
  deps_.waiting->Leave(shared_from_this());
  const auto extent = deps_.engine.Extent(page_.partition);
  if (!read.ok() || !extent.ok()) {
    const absl::Status& status = read.ok() ? extent.status() : read.status();
    return std::move(done_)(status, v1::FetchResponse(), {});
  }
  std::vector<OutgoingBatch> batches = Cut(page_, *read);
  v1::FetchResponse header;
  Offset next = page_.from;
  for (const OutgoingBatch& batch : batches) {
    next = batch.base_offset + batch.count;
    deps_.delivered->events.fetch_add(batch.count, std::memory_order_relaxed);
    deps_.delivered->bytes.fetch_add(static_cast<int64_t>(batch.payload.size()),
                                     std::memory_order_relaxed);
  }
  header.set_next_offset(next.value());
  header.set_first_offset(extent->first.value());
  header.set_end_offset(extent->visible_end.value());
  header.set_incarnation(deps_.engine.incarnation().value());
  std::move(done_)(absl::OkStatus(), std::move(header), std::move(batches));
}

}  // namespace acta
