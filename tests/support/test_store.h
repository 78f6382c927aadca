#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/base/fatal.h"
#include "storage/base/mutex.h"
#include "storage/log/local_log_engine.h"
#include "storage/log_engine.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace acta {

// Remembers instead of ending the process.
class RecordingFatalSink final : public FatalSink {
 public:
  void Fatal(absl::string_view what) override {
    MutexLock lock(mu_);
    causes_.emplace_back(what);
    told_.SignalAll();
  }
  // Returns once there is one.
  std::vector<std::string> AwaitCauses() const {
    MutexLock lock(mu_);
    while (causes_.empty()) told_.Wait(mu_);
    return causes_;
  }
  std::vector<std::string> causes() const {
    MutexLock lock(mu_);
    return causes_;
  }

 private:
  mutable Mutex mu_;
  mutable CondVar told_;
  std::vector<std::string> causes_ ABSL_GUARDED_BY(mu_);
};

// The encoded `events` element of an event with this data, and optionally an id.
std::string EventElement(absl::string_view data, absl::string_view id = "");
// An append of these elements.
Append MakeAppend(PartitionId partition, const std::vector<std::string>& elements);

// Submits and waits. A transaction that is refused answers with its status.
TransactionResult Commit(LogEngine& engine, Transaction transaction);
TransactionResult Commit(LogEngine& engine, Append append, Level level = Level::kFsync);

// The data of all events of a partition from `from` on, read from the disk.
absl::StatusOr<std::vector<std::string>> ReadData(const LogEngine& engine, PartitionId partition,
                                                  Offset from = Offset(0));

// A real store in a folder of its own, small and quick. Topic 1 has 4 partitions.
class TestStore {
 public:
  explicit TestStore(LocalEngineOptions options = {});
  ~TestStore();

  LocalLogEngine& engine() { return *engine_; }
  FakeClock& clock() { return clock_; }
  RecordingFatalSink& sink() { return sink_; }
  const std::string& path() const { return options_.data; }
  LocalEngineOptions& options() { return options_; }
  TopicSettings& settings() { return settings_; }

  static constexpr TopicId kTopic{1};
  static PartitionId Partition(int32_t number = 0) { return PartitionId(kTopic, number); }

  // Stops cleanly.
  void Close();
  // Opens again; the topic too.
  absl::Status Open();
  void Reopen();
  // Goes on with the folder as `kill -9` would have left it just now.
  void Crash();

 private:
  TempDir folder_;
  LocalEngineOptions options_;
  TopicSettings settings_;
  FakeClock clock_;
  RecordingFatalSink sink_;
  std::unique_ptr<LocalLogEngine> engine_;
};

}  // namespace acta
