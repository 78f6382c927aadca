#include "server/core/subscribe/fetch_call.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status NoBytesLeft(const ByteBudget& budget) {
  return Error(
      v1::READ_QUEUE_FULL,
      absl::StrCat("pages of ", budget.used(), " bytes are under way and limits.fetch_bytes is ",
                   budget.limit(), ": wait for the delay, subscribe, or raise the property"),
      {{"limit", "limits.fetch_bytes"}, {"limit_value", absl::StrCat(budget.limit())}});
}

}  // namespace

absl::Status WaitingFetches::Enter(const std::shared_ptr<FetchCall>& call) {
  MutexLock lock(mu_);
  if (stopping_) return Error(v1::SERVER_STOPPING, "the server is stopping");
  if (static_cast<int64_t>(calls_.size()) >= most_) {
    return Error(v1::READ_QUEUE_FULL,
                 absl::StrCat("limits.waiting_fetches of ", most_,
                              " is reached: wait for the delay, subscribe, or raise the property"),
                 {{"limit", "limits.waiting_fetches"}, {"limit_value", absl::StrCat(most_)}});
  }
  calls_.insert(call);
  return absl::OkStatus();
}

void WaitingFetches::Leave(const std::shared_ptr<FetchCall>& call) {
  MutexLock lock(mu_);
  calls_.erase(call);
}

int64_t WaitingFetches::count() const {
  MutexLock lock(mu_);
  return static_cast<int64_t>(calls_.size());
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

void FetchCall::Start() {
  auto cached = deps_.engine.ReadCached(range_.partition, range_.from, range_.max_bytes);
  const bool cold = cached.ok() && !cached->has_value();
  const bool wait =
      cached.ok() && !cold && (*cached)->empty() && range_.wait > absl::ZeroDuration();
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
  if (wake != 0) deps_.engine.CancelWake(range_.partition, wake);
  if (timer != 0) deps_.timer.Cancel(timer);
  return true;
}

void FetchCall::WaitForNews() {
  const absl::Duration left =
      std::max(range_.deadline - SystemClock().SinceBoot(), absl::ZeroDuration());
  const uint64_t timer =
      deps_.timer.After(std::min(range_.wait, left), [self = shared_from_this(), left] {
        if (!self->Claim()) return;
        const bool late = left < self->range_.wait;
        self->Answer(late ? Batches(DeadlinePassed()) : Batches(std::vector<BatchPtr>()));
      });
  // On the engine's thread nothing of ours runs: the pool reads and answers.
  const auto wake =
      deps_.engine.WhenPast(range_.partition, range_.from, [self = shared_from_this()]() mutable {
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
  deps_.engine.CancelWake(range_.partition, *wake);
}

void FetchCall::ReadOnPool() {
  if (!Claim()) return;
  if (range_.deadline <= SystemClock().SinceBoot()) return Answer(DeadlinePassed());
  auto cached = deps_.engine.ReadCached(range_.partition, range_.from, range_.max_bytes);
  if (cached.ok() && cached->has_value()) return Answer(**std::move(cached));
  auto lease = deps_.budget->Take(static_cast<int64_t>(range_.max_bytes));
  if (!lease.has_value()) return Answer(NoBytesLeft(*deps_.budget));
  Answer(deps_.engine.Read(range_.partition, range_.from, range_.max_bytes), std::move(lease));
}

void FetchCall::Answer(const Batches& read, std::optional<ByteBudget::Lease> lease) {
  deps_.waiting->Leave(shared_from_this());
  std::move(done_)(MakePage(read, std::move(lease)));
}

absl::StatusOr<FetchedPage> FetchCall::MakePage(const Batches& read,
                                                std::optional<ByteBudget::Lease> lease) const {
  RETURN_IF_ERROR(read.status());
  ASSIGN_OR_RETURN(const PartitionExtent extent, deps_.engine.Extent(range_.partition));
  ASSIGN_OR_RETURN(FetchedBatches fetched, CutPage(range_, *read));
  if (lease.has_value()) {
    lease->Resize(fetched.held_bytes);
  } else {
    lease = deps_.budget->Take(fetched.held_bytes);
    if (!lease.has_value()) return NoBytesLeft(*deps_.budget);
  }
  FetchedPage page;
  Offset next = range_.from;
  for (const OutgoingBatch& batch : fetched.batches) {
    next = batch.base_offset + batch.count;
    deps_.delivered->events.fetch_add(batch.count, std::memory_order_relaxed);
    deps_.delivered->bytes.fetch_add(static_cast<int64_t>(batch.payload.size()),
                                     std::memory_order_relaxed);
  }
  page.header.set_next_offset(next.value());
  page.header.set_first_offset(extent.first.value());
  page.header.set_end_offset(extent.visible_end.value());
  page.header.set_incarnation(deps_.engine.incarnation().value());
  page.batches = std::move(fetched.batches);
  page.lease = *std::move(lease);
  return page;
}

}  // namespace acta
