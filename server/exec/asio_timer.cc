#include "server/exec/asio_timer.h"

#include <pthread.h>

#include <algorithm>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <thread>
#include <unordered_map>
#include <utility>

#include "storage/base/mutex.h"

namespace acta {
namespace {

// Longer than anything waits; an infinite delay would overflow the clock.
constexpr absl::Duration kLongest = absl::Hours(24 * 365);

}  // namespace

struct AsioTimer::Core {
  struct Waiting {
    asio::steady_timer timer;
    absl::AnyInvocable<void()> task;
  };

  explicit Core(Executor& to) : executor(to), context(1), work(context.get_executor()) {}

  void Expired(uint64_t number) {
    absl::AnyInvocable<void()> task;
    {
      MutexLock lock(mu);
      const auto it = waiting.find(number);
      if (it == waiting.end()) return;  // Cancelled at the last moment.
      task = std::move(it->second.task);
      waiting.erase(it);
    }
    executor.Post(std::move(task));
  }

  Executor& executor;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  Mutex mu;
  uint64_t next ABSL_GUARDED_BY(mu) = 1;
  bool stopped ABSL_GUARDED_BY(mu) = false;
  std::unordered_map<uint64_t, Waiting> waiting ABSL_GUARDED_BY(mu);
  Mutex join_mu;
  std::thread thread ABSL_GUARDED_BY(join_mu);
};

AsioTimer::AsioTimer(Executor& executor) : core_(std::make_unique<Core>(executor)) {
  MutexLock lock(core_->join_mu);
  core_->thread = std::thread([core = core_.get()] { core->context.run(); });
  pthread_setname_np(core_->thread.native_handle(), "acta-timer");
}

AsioTimer::~AsioTimer() { Stop(); }

uint64_t AsioTimer::After(absl::Duration delay, absl::AnyInvocable<void()> task) {
  const absl::Duration wait = std::clamp(delay, absl::ZeroDuration(), kLongest);
  MutexLock lock(core_->mu);
  if (core_->stopped) return 0;
  const uint64_t number = core_->next++;
  const auto it =
      core_->waiting
          .emplace(number, Core::Waiting{asio::steady_timer(core_->context), std::move(task)})
          .first;
  it->second.timer.expires_after(absl::ToChronoNanoseconds(wait));
  it->second.timer.async_wait([core = core_.get(), number](const std::error_code& error) {
    if (!error) core->Expired(number);
  });
  return number;
}

void AsioTimer::Cancel(uint64_t number) {
  absl::AnyInvocable<void()> dropped;  // Destroyed after the lock.
  MutexLock lock(core_->mu);
  const auto it = core_->waiting.find(number);
  if (it == core_->waiting.end()) return;
  dropped = std::move(it->second.task);
  core_->waiting.erase(it);
}

void AsioTimer::Stop() {
  std::unordered_map<uint64_t, Core::Waiting> dropped;  // Destroyed after the lock.
  {
    MutexLock lock(core_->mu);
    core_->stopped = true;
    dropped.swap(core_->waiting);
  }
  dropped.clear();
  core_->work.reset();
  MutexLock lock(core_->join_mu);
  if (core_->thread.joinable()) core_->thread.join();
}

}  // namespace acta
