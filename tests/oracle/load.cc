#include "tests/oracle/load.h"

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tests/oracle/load_publishers.h"
#include "tests/oracle/load_queues.h"
#include "tests/oracle/load_readers.h"

namespace acta::oracle {
namespace {

constexpr absl::Duration kRetryDelay = absl::Milliseconds(50);

absl::Status CreateTopic(const LoadContext& load) {
  client::Admin admin(load.channel);
  v1::CreateTopicRequest request;
  request.mutable_topic()->set_name(load.options.topic);
  request.mutable_topic()->set_partitions(load.options.partitions);
  request.mutable_topic()->set_retention_bytes(load.options.retention_bytes);
  return Insist(load, [&] {
    const absl::Status status = admin.CreateTopic(request).status();
    return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
  });
}

// Clients of one kind on threads of their own, and the first of their errors.
class Crew {
 public:
  void Add(std::string name, std::function<absl::Status()> work) {
    threads_.emplace_back([this, name = std::move(name), work = std::move(work)] {
      const absl::Status status = work();
      MutexLock lock(mu_);
      if (!status.ok() && first_.ok()) {
        first_ = absl::Status(status.code(), absl::StrCat(name, ": ", status.message()));
      }
    });
  }
  absl::Status Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    MutexLock lock(mu_);
    return first_;
  }

 private:
  std::vector<std::thread> threads_;
  Mutex mu_;  // Leaf.
  absl::Status first_ ABSL_GUARDED_BY(mu_);
};

void StopInTime(const LoadContext& load) {
  if (load.options.duration <= absl::ZeroDuration()) return;
  load.stop.WaitFor(load.options.duration);
  load.stop.Stop();
}

absl::Status RunStreamLoad(const LoadContext& load) {
  const LoadOptions& options = load.options;
  StopFlag published;  // Readers go on until all publishers are done.
  const LoadContext reading{options, load.channel, published};
  Crew publishers;
  Crew readers;
  int32_t process = 0;
  for (const bool os : {false, true}) {
    for (const bool with_ids : {false, true}) {
      ++process;
      publishers.Add(absl::StrCat("publisher ", process), [&load, process, os, with_ids] {
        return RunStreamPublisher(load, process, os, with_ids);
      });
    }
  }
  for (const bool with_ids : {false, true}) {
    ++process;
    publishers.Add(absl::StrCat("publisher ", process), [&load, process, with_ids] {
      return RunUnaryPublisher(load, process, with_ids);
    });
  }
  readers.Add("reader", [&reading] { return RunReader(reading, 100); });
  readers.Add("watcher", [&reading] { return RunWatcher(reading); });
  for (int32_t member = 1; member <= options.members; ++member) {
    readers.Add(absl::StrCat("member ", member),
                [&reading, member] { return RunMember(reading, member); });
  }
  StopInTime(load);
  const absl::Status sent = publishers.Join();
  published.Stop();
  const absl::Status read = readers.Join();
  RETURN_IF_ERROR(Insist(load, [&] { return WriteFinal(load); }));
  RETURN_IF_ERROR(sent);
  return read;
}

absl::Status RunQueueLoad(const LoadContext& load) {
  QueueLoad queues(load);
  RETURN_IF_ERROR(queues.Start());
  Crew publishers;
  publishers.Add("publisher 1",
                 [&load] { return RunStreamPublisher(load, 1, /*os=*/false, /*with_ids=*/true); });
  publishers.Add("publisher 2", [&load] { return RunUnaryPublisher(load, 2, /*with_ids=*/true); });
  StopInTime(load);
  const absl::Status sent = publishers.Join();
  const absl::Status worked = queues.Finish();
  RETURN_IF_ERROR(Insist(load, [&] { return WriteFinal(load); }));
  RETURN_IF_ERROR(sent);
  return worked;
}

}  // namespace

void StopFlag::Stop() {
  MutexLock lock(mu_);
  stopped_ = true;
  changed_.SignalAll();
}

bool StopFlag::stopped() const {
  MutexLock lock(mu_);
  return stopped_;
}

bool StopFlag::WaitFor(absl::Duration time) {
  const absl::Time deadline = absl::Now() + time;
  MutexLock lock(mu_);
  while (!stopped_ && absl::Now() < deadline) changed_.WaitFor(mu_, deadline - absl::Now());
  return stopped_;
}

absl::Status Insist(const LoadContext& load, const std::function<absl::Status()>& call) {
  const absl::Time deadline = absl::Now() + load.options.patience;
  absl::Status status = call();
  StopFlag never;
  while (absl::IsUnavailable(status) && absl::Now() < deadline) {
    never.WaitFor(kRetryDelay);
    status = call();
  }
  return status;
}

absl::Status RunLoad(const LoadOptions& options, StopFlag& stop) {
  client::ChannelOptions connecting;
  connecting.min_backoff = absl::Milliseconds(20);
  connecting.max_backoff = absl::Milliseconds(200);
  const LoadContext load{options, std::make_shared<client::Channel>(options.server, connecting),
                         stop};
  RETURN_IF_ERROR(CreateTopic(load));
  return options.workers > 0 ? RunQueueLoad(load) : RunStreamLoad(load);
}

}  // namespace acta::oracle
