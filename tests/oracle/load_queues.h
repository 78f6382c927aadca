#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "tests/oracle/load.h"
#include "tests/oracle/queue_worker.h"

namespace acta::oracle {

// The QUEUE groups of a load with their workers: one without order, one by key, and one whose order
// is relaxed and whose events hold their keys, with somebody who decides of those; or for a healthy
// load the second alone. All read the topic from its first event on.
class QueueLoad {
 public:
  // Borrows the context, whose flag is not used: workers come and go until Finish().
  explicit QueueLoad(const LoadContext& load);
  ~QueueLoad();
  QueueLoad(const QueueLoad&) = delete;
  QueueLoad& operator=(const QueueLoad&) = delete;

  // Creates the groups and starts the workers.
  absl::Status Start();
  // To be called once nothing is published any more: waits until everything is settled or a dead
  // letter, ends the workers, and notes where the partitions end and what is a dead letter. Errors:
  // DEADLINE_EXCEEDED when the groups do not get through.
  absl::Status Finish();

 private:
  struct Group;

  absl::Status Create(const QueueGroup& group);
  absl::Status WriteEnd(const QueueGroup& group);
  absl::Status CreateResults();
  absl::Status WriteResults();
  void RunWorker(Group* group, int32_t worker);

  const LoadContext& load_;
  StopFlag calm_;
  StopFlag through_;
  const LoadContext working_;
  std::unique_ptr<RecordFile> file_;  // Of what is no worker's.
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<std::thread> threads_;
};

}  // namespace acta::oracle
