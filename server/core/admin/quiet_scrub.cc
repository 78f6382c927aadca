#include "server/core/admin/quiet_scrub.h"

#include <pthread.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/proto_time.h"
#include "storage/base/log.h"

namespace acta {
namespace {

// Of one look: short, so that the pace is even.
constexpr absl::Duration kBudget = absl::Milliseconds(5);
constexpr absl::Duration kLongest = absl::Hours(1);

}  // namespace

QuietScrub::QuietScrub(LogEngine& engine, const Clock& clock, const TopicRegistry& topics,
                       ScrubOptions options, absl::Duration first)
    : engine_(engine), clock_(clock), damage_(engine, topics), first_(first), options_(options) {
  thread_ = std::thread([this] { Loop(); });
  pthread_setname_np(thread_.native_handle(), "acta-scrub");
}

QuietScrub::~QuietScrub() { End(); }

void QuietScrub::SetOptions(ScrubOptions options) {
  MutexLock lock(mu_);
  options_ = options;
  ++changes_;
  wake_.SignalAll();
}

std::optional<v1::ScrubRun> QuietScrub::run() const {
  MutexLock lock(mu_);
  return run_;
}

void QuietScrub::End() {
  {
    MutexLock lock(mu_);
    ending_ = true;
    wake_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

bool QuietScrub::Sleep(absl::Duration time, uint64_t seen) {
  MutexLock lock(mu_);
  if (!ending_ && changes_ == seen) wake_.WaitFor(mu_, std::min(time, kLongest));
  return !ending_;
}

void QuietScrub::Loop() {
  absl::Duration due = clock_.SinceBoot() + first_;
  std::optional<absl::Duration> begun;
  for (;;) {
    absl::Duration every;
    uint64_t seen = 0;
    {
      MutexLock lock(mu_);
      if (ending_) return;
      every = options_.every;
      seen = changes_;
    }
    if (begun.has_value()) due = *begun + every;
    const absl::Duration left = due - clock_.SinceBoot();
    const bool now = every > absl::ZeroDuration() && left <= absl::ZeroDuration();
    if (!now) {
      if (!Sleep(every > absl::ZeroDuration() ? left : kLongest, seen)) return;
      continue;
    }
    begun = clock_.SinceBoot();
    ScrubAll();
  }
}

void QuietScrub::ScrubAll() {
  v1::ScrubRun run;
  run.set_total_bytes(engine_.Stats().log_bytes);
  SetTime(engine_.Now(), run.mutable_start_time());
  {
    MutexLock lock(mu_);
    run_ = std::move(run);
  }
  LogInfo("scrub begun");
  damage_.BeginWhole();
  const bool whole = ReadAll();
  if (whole) damage_.EndWhole();
  const absl::Time now = engine_.Now();
  {
    MutexLock lock(mu_);
    SetTime(now, run_->mutable_end_time());
    run = *run_;
  }
  LogInfo(whole ? "scrub done" : "scrub given up",
          {{"batches", run.batches()}, {"bytes", run.bytes()}, {"damaged", run.damaged()}});
}

bool QuietScrub::ReadAll() {
  std::string token;
  for (;;) {
    const auto page = engine_.Scrub({token, kBudget});
    if (!page.ok()) {
      LogWarn("scrub failed", {{"cause", std::string(page.status().message())}});
      return false;
    }
    Note(*page);
    token = page->next_token;
    if (token.empty()) return true;
    int64_t rate = 0;
    uint64_t seen = 0;
    {
      MutexLock lock(mu_);
      if (ending_ || options_.every <= absl::ZeroDuration()) return false;
      rate = options_.bytes_per_second;
      seen = changes_;
    }
    if (rate == 0) continue;
    const double pause_s = static_cast<double>(page->bytes) / static_cast<double>(rate);
    if (!Sleep(absl::Seconds(pause_s), seen)) return false;
  }
}

void QuietScrub::Note(const ScrubPage& page) {
  int64_t damaged = 0;
  for (const ScrubProblem& problem : page.problems) damaged += damage_.Note(problem) ? 1 : 0;
  MutexLock lock(mu_);
  run_->set_batches(run_->batches() + page.batches);
  run_->set_bytes(run_->bytes() + page.bytes);
  run_->set_damaged(run_->damaged() + damaged);
}

}  // namespace acta
