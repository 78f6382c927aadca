#include "server/rpc/completion_loop.h"

#include <grpcpp/server_builder.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>

#include "absl/time/clock.h"

namespace acta {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// A step that takes longer stands. Far above what a step takes on a disk that works.
constexpr auto kStands = std::chrono::milliseconds(250);
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(250);
// For as long the relief waits for one operation; a thread whose step is over waits for the relief.
constexpr absl::Duration kGlance = absl::Milliseconds(20);

}  // namespace

// Threads: Run() by the thread of the queue; Relieve() and EndRelief() by the relief.
class CompletionLoop::Line {
 public:
  explicit Line(grpc::ServerCompletionQueue& queue) : queue_(queue) {}

  // Until the queue is shut down and empty.
  void Run();
  // Again and again: takes one operation, or waits for one for a moment, when the thread stands.
  // False: it does not.
  bool Relieve(SteadyTime now);
  void EndRelief();

 private:
  // Of step_, beside the number.
  static constexpr uint64_t kRelieved = uint64_t{1} << 63;

  // True: the relief came meanwhile.
  bool Step(CompletionTag& tag, bool ok);
  // Runs what the relief has kept.
  void TakeBack();
  bool BeginRelief(uint64_t step);
  void TakeOne();

  grpc::ServerCompletionQueue& queue_;
  uint64_t steps_ = 0;             // Of the queue's thread.
  std::atomic<uint64_t> step_{0};  // Which one the thread is in; 0: none.
  // Of the relief: what step_ was when it looked last, and since when.
  uint64_t seen_ = 0;
  SteadyTime seen_since_;

  Mutex mu_;  // Leaf.
  CondVar relief_ended_;
  // Only while it is set the relief takes from the queue, and only while it is not the thread does.
  bool relieved_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::pair<CompletionTag*, bool>> kept_ ABSL_GUARDED_BY(mu_);
};

void CompletionLoop::Line::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    TakeOver(tag);
    if (Step(*static_cast<CompletionTag*>(tag), ok)) TakeBack();
  }
}

bool CompletionLoop::Line::Step(CompletionTag& tag, bool ok) {
  step_.store(++steps_, std::memory_order_release);
  tag.Proceed(ok);
  // One step: either the relief has marked it before, or it finds another one.
  return (step_.exchange(0, std::memory_order_acq_rel) & kRelieved) != 0;
}

void CompletionLoop::Line::TakeBack() {
  for (;;) {
    std::pair<CompletionTag*, bool> next;
    {
      MutexLock lock(mu_);
      while (relieved_) relief_ended_.Wait(mu_);
      if (kept_.empty()) return;
      next = kept_.front();
      kept_.pop_front();
    }
    Step(*next.first, next.second);  // It may stand as well: then more is kept behind the rest.
  }
}

bool CompletionLoop::Line::Relieve(SteadyTime now) {
  const uint64_t step = step_.load(std::memory_order_acquire);
  if (step != seen_) {
    seen_ = step;
    seen_since_ = now;
    EndRelief();
    return false;
  }
  if (step == 0 || now < seen_since_ + kStands) return false;
  if ((step & kRelieved) == 0 && !BeginRelief(step)) return false;
  TakeOne();
  return true;
}

bool CompletionLoop::Line::BeginRelief(uint64_t step) {
  {
    MutexLock lock(mu_);
    relieved_ = true;
  }
  seen_ = step | kRelieved;
  if (step_.compare_exchange_strong(step, seen_, std::memory_order_acq_rel)) return true;
  EndRelief();
  return false;
}

void CompletionLoop::Line::EndRelief() {
  MutexLock lock(mu_);
  relieved_ = false;
  relief_ended_.SignalAll();
}

void CompletionLoop::Line::TakeOne() {
  void* tag = nullptr;
  bool ok = false;
  const auto until = absl::ToChronoTime(absl::Now() + kGlance);
  if (queue_.AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::GOT_EVENT) return;
  TakeOver(tag);
  auto* const taken = static_cast<CompletionTag*>(tag);
  if (taken->AnyThread()) return taken->Proceed(ok);
  MutexLock lock(mu_);
  kept_.emplace_back(taken, ok);
}

CompletionLoop::CompletionLoop(grpc::ServerBuilder& builder, std::function<void()> look)
    : look_(std::move(look)) {
  const unsigned count = std::max(1u, std::thread::hardware_concurrency() / 2);
  for (unsigned i = 0; i < count; ++i) {
    queues_.push_back(builder.AddCompletionQueue());
    lines_.push_back(std::make_unique<Line>(*queues_.back()));
  }
}

CompletionLoop::~CompletionLoop() { Stop(); }

void CompletionLoop::Run() {
  for (const auto& line : lines_) {
    threads_.emplace_back([&line] { line->Run(); });
    pthread_setname_np(threads_.back().native_handle(), "acta-rpc");
  }
  relief_ = std::thread([this] { Relieve(); });
  pthread_setname_np(relief_.native_handle(), "acta-relief");
}

bool CompletionLoop::Nap() {
  MutexLock lock(mu_);
  if (!stopping_) wake_.WaitFor(mu_, kBetweenLooks);
  return !stopping_;
}

void CompletionLoop::Relieve() {
  bool busy = false;
  while (busy || Nap()) {
    look_();
    busy = false;
    for (const auto& line : lines_) busy |= line->Relieve(std::chrono::steady_clock::now());
  }
}

void CompletionLoop::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wake_.Signal();
  }
  // No call is left, so no thread stands.
  if (relief_.joinable()) relief_.join();
  for (const auto& queue : queues_) queue->Shutdown();
  if (threads_.empty()) {
    for (const auto& line : lines_) line->Run();  // A queue must be empty when it goes.
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  lines_.clear();
  queues_.clear();
}

}  // namespace acta
