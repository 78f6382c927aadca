#include "storage/log/commit_queue.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "storage/base/slow_log.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

// What the last line of the log names.
constexpr size_t kMostCauses = 4;
// What a transaction costs beyond its bytes.
constexpr int64_t kTransactionOverhead = 256;

// What is usual of a context. A stream is not read for a while by what it sent, which is less than
// what is written of it: counted whole, the contexts of small batches would have it refused
// instead.
constexpr size_t kUsualContext = 256;

int64_t BytesOf(const Transaction& transaction) {
  size_t bytes_of_appends = 0;
  for (const Append& append : transaction.appends) {
    bytes_of_appends += append.payload.size() + append.ids.size() * sizeof(IdentifiedEvent);
    // Appends share a context in memory, and each is written with its own.
    bytes_of_appends += std::max(append.context.size(), kUsualContext) - kUsualContext;
  }
  int64_t bytes = kTransactionOverhead + static_cast<int64_t>(bytes_of_appends);
  for (const RowWrite& row : transaction.rows) {
    bytes += static_cast<int64_t>(row.key.size() + (row.value ? row.value->size() : 0));
  }
  return bytes;
}

absl::Status Unknown() {
  return Error(v1::OUTCOME_UNKNOWN,
               "the server stopped answering after a failed write; resend with the same sequence "
               "or ids");
}

Settled UnknownOf(Queued queued) {
  return {std::move(queued.transaction.done),
          {Unknown(), Level::kOs, {}, {}},
          Level::kOs,
          queued.bytes};
}

int64_t Nanoseconds(std::chrono::steady_clock::time_point time) {
  return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

absl::Duration TimeSince(const std::atomic<int64_t>& begun_ns) {
  const int64_t begun = begun_ns.load(std::memory_order_relaxed);
  if (begun == 0) return absl::ZeroDuration();
  return absl::Nanoseconds(Nanoseconds(std::chrono::steady_clock::now()) - begun);
}

bool NeedsSync(const WrittenGroup& group) {
  if (!group.advances.empty()) return true;
  for (const Settled& settled : group.settled) {
    if (settled.level == Level::kFsync) return true;
  }
  return false;
}

}  // namespace

CommitQueue::CommitQueue(const Options& options, GroupWriter& writer, RocksStore& store,
                         DiskGuard& disk, FatalSink& sink, GroupNumber synced)
    : options_(options),
      writer_(writer),
      store_(store),
      disk_(disk),
      sink_(sink),
      write_times_(WaitBounds()),
      sync_times_(WaitBounds()),
      synced_(synced.value()),
      commit_thread_([this] { CommitLoop(); }),
      sync_thread_([this] { SyncLoop(); }),
      fatal_thread_([this] { FatalLoop(); }) {
  pthread_setname_np(commit_thread_.native_handle(), "acta-commit");
  pthread_setname_np(sync_thread_.native_handle(), "acta-sync");
  pthread_setname_np(fatal_thread_.native_handle(), "acta-fatal");
}

CommitQueue::~CommitQueue() { Stop(); }

absl::Status CommitQueue::Admit(const Transaction& transaction, int64_t bytes,
                                Urgency urgency) const {
  if (failed_) return Unknown();
  if (urgency == Urgency::kFreesDisk) return absl::OkStatus();
  const DiskState disk = disk_.state();
  const bool publishes = !transaction.appends.empty();
  if (disk == DiskState::kHard || (publishes && disk == DiskState::kSoft)) {
    return disk_.Refusal(disk);
  }
  // A stream is read again only when there is room, so it may pass the limit by what it had
  // already read; a unary call may not.
  const int64_t most = transaction.source == 0 ? limit() : 2 * limit();
  if (publishes && in_flight_bytes() >= most) {
    return Error(v1::PUBLISH_QUEUE_FULL,
                 absl::StrCat("limit storage.in_flight (", limit(), " bytes) is reached by ",
                              in_flight_bytes(), " bytes being written, this call has ", bytes,
                              "; retry after the delay"),
                 {{"limit", "storage.in_flight"}, {"limit_value", absl::StrCat(limit())}});
  }
  return absl::OkStatus();
}

absl::Status CommitQueue::SubmitAndWait(Transaction transaction, Urgency urgency) {
  struct Outcome {
    Mutex mu;
    CondVar settled;
    std::optional<absl::Status> status ABSL_GUARDED_BY(mu);
  };
  const auto outcome = std::make_shared<Outcome>();
  transaction.done = [outcome](TransactionResult result) {
    MutexLock lock(outcome->mu);
    outcome->status = std::move(result.status);
    outcome->settled.SignalAll();
  };
  absl::Status submitted = Submit(std::move(transaction), urgency);
  if (!submitted.ok()) return submitted;
  MutexLock lock(outcome->mu);
  while (!outcome->status.has_value()) outcome->settled.Wait(outcome->mu);
  return *outcome->status;
}

absl::Status CommitQueue::SaveProducers(const std::map<PartitionPtr, Offset>& below) {
  size_t groups = 0;
  {
    const Pause pause(*this);
    groups = writer_.SaveSoon(below);
  }
  for (; groups > 0 && writer_.snapshots_wait(); --groups) {
    RETURN_IF_ERROR(SubmitAndWait(Transaction(), Urgency::kFreesDisk));
  }
  return absl::OkStatus();
}

absl::Status CommitQueue::Submit(Transaction transaction, Urgency urgency) {
  const int64_t bytes = BytesOf(transaction);
  absl::Status admitted = Admit(transaction, bytes, urgency);
  if (!admitted.ok()) return admitted;
  std::vector<Queued> alone;
  {
    MutexLock lock(mu_);
    if (stopping_) return Error(v1::SERVER_STOPPING, "the server is stopping; nothing was done");
    in_flight_.fetch_add(bytes, std::memory_order_relaxed);
    const bool lone = queue_.empty() && !writing_ && pausing_ == 0;
    if (!lone || bytes > options_.inline_bytes) {
      queue_.push_back({std::move(transaction), bytes});
      if (!writing_) work_.Signal();
      return absl::OkStatus();
    }
    writing_ = true;
  }
  // Nobody else writes and nobody waits: a hand-over would cost more than the write.
  alone.push_back({std::move(transaction), bytes});
  RunGroup(std::move(alone));
  Leave();
  return absl::OkStatus();
}

void CommitQueue::Enter() {
  MutexLock lock(mu_);
  ++pausing_;
  while (writing_) entered_.Wait(mu_);
  --pausing_;
  writing_ = true;
  write_begun_ns_.store(Nanoseconds(std::chrono::steady_clock::now()), std::memory_order_relaxed);
}

void CommitQueue::Leave() {
  MutexLock lock(mu_);
  write_begun_ns_.store(0, std::memory_order_relaxed);
  writing_ = false;
  if (pausing_ > 0) {
    entered_.Signal();
  } else if (!queue_.empty() || stopping_) {
    work_.Signal();
  }
}

std::vector<Queued> CommitQueue::TakeGroup() {
  std::vector<Queued> group;
  int64_t bytes = 0;
  // First round: everybody a little, so that one busy stream does not hold up the others. Second
  // round: what was passed over, while there is room. A source keeps its order in both.
  const bool alone = queue_.size() == 1;
  for (int round = 0; round < (alone ? 1 : 2); ++round) {
    absl::flat_hash_map<uint64_t, int64_t> by_source;
    std::deque<Queued> rest;
    while (!queue_.empty() && group.size() < options_.group_transactions &&
           (group.empty() || bytes < options_.group_bytes)) {
      Queued& next = queue_.front();
      int64_t& of_source = by_source[next.transaction.source];
      const bool fair = group.empty() || round == 1 || next.transaction.source == 0 ||
                        of_source + next.bytes <= options_.source_bytes;
      if (fair) {
        bytes += next.bytes;
        of_source += next.bytes;
        group.push_back(std::move(next));
      } else {
        of_source = INT64_MAX / 2;  // The rest of this source waits too.
        rest.push_back(std::move(next));
      }
      queue_.pop_front();
    }
    while (!rest.empty()) {
      queue_.push_front(std::move(rest.back()));
      rest.pop_back();
    }
  }
  return group;
}

void CommitQueue::CommitLoop() {
  for (;;) {
    std::vector<Queued> group;
    {
      MutexLock lock(mu_);
      while (writing_ || pausing_ > 0 || (queue_.empty() && !stopping_)) work_.Wait(mu_);
      if (queue_.empty()) return;  // Stopping, and all is written.
      group = TakeGroup();
      writing_ = true;
    }
    RunGroup(std::move(group));
    Leave();
  }
}

void CommitQueue::RunGroup(std::vector<Queued> transactions) {
  if (failed_) {
    for (Queued& queued : transactions) Answer(UnknownOf(std::move(queued)));
    return;
  }
  std::vector<Settled> waiting;
  WrittenGroup written;
  if (const absl::Status status = Write(std::move(transactions), &written); !status.ok()) {
    Fail(absl::StrCat("write failed: ", status.message()), std::move(written.settled));
    return;
  }
  // Another thread failed meanwhile.
  if (failed_) return AnswerUnknown(std::move(written.settled));
  const bool sync = NeedsSync(written);
  for (Settled& settled : written.settled) {
    if (settled.level == Level::kFsync) {
      waiting.push_back(std::move(settled));
    } else {
      Answer(std::move(settled));
    }
  }
  written.settled = std::move(waiting);
  if (written.bytes == 0 && written.settled.empty()) return;
  MutexLock lock(sync_mu_);
  unsynced_bytes_ += written.bytes;
  to_sync_bytes_ += written.bytes;
  to_sync_.push_back(std::move(written));
  // Early enough that nobody waits for it below.
  sync_wanted_ |= sync || to_sync_bytes_ > options_.unsynced_bytes / 4;
  // The first one begins the wait after which also what nobody asked for is synced.
  if (sync_wanted_ || to_sync_.size() == 1) sync_work_.Signal();
  while (unsynced_bytes_ > options_.unsynced_bytes && !failed_ && !sync_stopping_) {
    sync_wanted_ = true;
    sync_work_.Signal();
    sync_room_.Wait(sync_mu_);
  }
}

absl::Status CommitQueue::Write(std::vector<Queued> transactions, WrittenGroup* written) {
  const size_t count = transactions.size();
  const auto begin = std::chrono::steady_clock::now();
  write_begun_ns_.store(Nanoseconds(begin), std::memory_order_relaxed);
  absl::Status status = writer_.Write(std::move(transactions), written);
  const absl::Duration took = absl::FromChrono(std::chrono::steady_clock::now() - begin);
  write_times_.Observe(took);
  if (IsSlow(took)) {
    NoteSlow(SlowOperation::kWrite, took, {{"transactions", count}, {"bytes", written->bytes}});
  }
  return status;
}

absl::Status CommitQueue::Sync(int64_t bytes) {
  const auto begin = std::chrono::steady_clock::now();
  sync_begun_ns_.store(Nanoseconds(begin), std::memory_order_relaxed);
  absl::Status status = store_.SyncWal();
  sync_begun_ns_.store(0, std::memory_order_relaxed);
  const absl::Duration took = absl::FromChrono(std::chrono::steady_clock::now() - begin);
  sync_times_.Observe(took);
  if (IsSlow(took)) NoteSlow(SlowOperation::kSync, took, {{"bytes", bytes}});
  return status;
}

LogUnderWay CommitQueue::under_way() const {
  return {TimeSince(write_begun_ns_), TimeSince(sync_begun_ns_)};
}

void CommitQueue::SyncLoop() {
  for (;;) {
    std::vector<WrittenGroup> groups;
    {
      MutexLock lock(sync_mu_);
      while (!sync_wanted_ && !sync_stopping_) {
        if (to_sync_.empty()) {
          sync_work_.Wait(sync_mu_);
        } else if (!sync_work_.WaitFor(sync_mu_, options_.lazy_sync)) {
          break;
        }
      }
      if (to_sync_.empty()) {
        if (sync_stopping_) return;
        sync_wanted_ = false;
        continue;
      }
      groups = std::exchange(to_sync_, {});
      to_sync_bytes_ = 0;
      sync_wanted_ = false;
    }
    SyncNow(std::move(groups));
  }
}

void CommitQueue::SyncNow(std::vector<WrittenGroup> groups) {
  int64_t bytes = 0;
  GroupNumber last;
  for (const WrittenGroup& group : groups) {
    bytes += group.bytes;
    last = std::max(last, group.group);
  }
  const absl::Status synced = failed_ ? absl::OkStatus() : Sync(bytes);
  if (!synced.ok() || failed_) {
    std::vector<Settled> waiting;
    for (WrittenGroup& group : groups) {
      for (Settled& settled : group.settled) waiting.push_back(std::move(settled));
    }
    Fail(synced.ok() ? "" : absl::StrCat("sync failed: ", synced.message()), std::move(waiting));
  } else {
    syncs_.fetch_add(1, std::memory_order_relaxed);
    if (last.value() > synced_.load()) synced_.store(last.value());
    for (WrittenGroup& group : groups) {
      for (const WrittenGroup::Advance& advance : group.advances) {
        advance.partition->AdvanceVisible(advance.end, advance.end_bytes, advance.last_time_us);
      }
      for (Settled& settled : group.settled) Answer(std::move(settled));
    }
  }
  MutexLock lock(sync_mu_);
  unsynced_bytes_ -= bytes;
  sync_room_.SignalAll();
}

void CommitQueue::Answer(Settled settled) {
  if (settled.done) std::move(settled.done)(std::move(settled.result));
  Release(settled.in_flight_bytes);
}

void CommitQueue::AnswerUnknown(std::vector<Settled> waiting) {
  for (Settled& settled : waiting) {
    settled.result.status = Unknown();
    settled.result.appends.clear();
    Answer(std::move(settled));
  }
}

std::vector<Settled> CommitQueue::TakeWaiting() {
  std::vector<Settled> waiting;
  {
    MutexLock lock(sync_mu_);
    for (WrittenGroup& group : std::exchange(to_sync_, {})) {
      unsynced_bytes_ -= group.bytes;
      for (Settled& settled : group.settled) waiting.push_back(std::move(settled));
    }
    to_sync_bytes_ = 0;
    sync_room_.SignalAll();
  }
  MutexLock lock(mu_);
  for (Queued& queued : std::exchange(queue_, {})) waiting.push_back(UnknownOf(std::move(queued)));
  return waiting;
}

void CommitQueue::Fail(absl::string_view what, std::vector<Settled> waiting) {
  const bool first = !failed_.exchange(true);
  bool stopped = false;
  if (first) store_.Leak();
  {
    // Before the answers: whatever they meet, the process ends in time.
    MutexLock lock(fatal_mu_);
    stopped = fatal_stopping_;
    // One fault is met by several threads, and not the one that has its cause is the first.
    if (!stopped && !what.empty() && fatal_causes_.size() < kMostCauses) {
      fatal_causes_.emplace_back(what);
    }
    fatal_work_.Signal();
  }
  AnswerUnknown(std::move(waiting));
  if (!first) return;
  AnswerUnknown(TakeWaiting());
  if (stopped) sink_.Fatal(what);
}

void CommitQueue::FatalLoop() {
  std::string cause;
  {
    MutexLock lock(fatal_mu_);
    while (fatal_causes_.empty() && !fatal_stopping_) fatal_work_.Wait(fatal_mu_);
    if (fatal_causes_.empty()) return;
    using SteadyClock = std::chrono::steady_clock;
    const auto end = SteadyClock::now() + absl::ToChronoNanoseconds(options_.last_words);
    for (auto now = SteadyClock::now(); now < end && !fatal_stopping_; now = SteadyClock::now()) {
      fatal_work_.WaitFor(fatal_mu_, absl::FromChrono(end - now));
    }
    cause = absl::StrJoin(fatal_causes_, "; ");
  }
  sink_.Fatal(cause);
}

void CommitQueue::Poison(absl::string_view what) { Fail(what, {}); }

void CommitQueue::Release(int64_t bytes) {
  const int64_t before = in_flight_.fetch_sub(bytes, std::memory_order_relaxed);
  if (before < limit() || before - bytes >= limit()) return;
  std::vector<absl::AnyInvocable<void()>> wakes;
  {
    MutexLock lock(room_mu_);
    wakes = std::exchange(room_wakes_, {});
  }
  for (auto& wake : wakes) std::move(wake)();
}

void CommitQueue::WhenRoom(absl::AnyInvocable<void()> wake) {
  {
    MutexLock lock(room_mu_);
    if (!HasRoom()) {
      room_wakes_.push_back(std::move(wake));
      return;
    }
  }
  std::move(wake)();
}

void CommitQueue::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    work_.Signal();
  }
  if (commit_thread_.joinable()) commit_thread_.join();
  {
    MutexLock lock(sync_mu_);
    sync_stopping_ = true;
    sync_work_.Signal();
  }
  if (sync_thread_.joinable()) sync_thread_.join();
  {
    MutexLock lock(fatal_mu_);
    fatal_stopping_ = true;
    fatal_work_.Signal();
  }
  if (fatal_thread_.joinable()) fatal_thread_.join();
}

}  // namespace acta
