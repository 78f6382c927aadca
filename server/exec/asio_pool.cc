#include "server/exec/asio_pool.h"

#include <pthread.h>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <thread>
#include <utility>

#include "storage/base/fatal.h"
#include "storage/base/mutex.h"

namespace acta {

struct AsioPool::Core {
  explicit Core(int count) : context(count), work(context.get_executor()) {}

  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  Mutex mu;  // Held over the joins, so that whoever calls Stop() finds the threads gone.
  std::vector<std::thread> threads ABSL_GUARDED_BY(mu);
};

AsioPool::AsioPool(int threads) : core_(std::make_unique<Core>(threads)) {
  ACTA_CHECK(threads > 0);
  MutexLock lock(core_->mu);
  for (int i = 0; i < threads; ++i) {
    core_->threads.emplace_back([core = core_.get()] { core->context.run(); });
    pthread_setname_np(core_->threads.back().native_handle(), "acta-pool");
  }
}

AsioPool::~AsioPool() { Stop(); }

void AsioPool::Post(absl::AnyInvocable<void()> task) {
  if (core_->context.stopped()) return;
  asio::post(core_->context, [task = std::move(task)]() mutable { std::move(task)(); });
}

void AsioPool::Stop() {
  MutexLock lock(core_->mu);
  core_->work.reset();
  for (std::thread& thread : core_->threads) thread.join();
  core_->threads.clear();
}

}  // namespace acta
