#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "client/cpp/admin.h"
#include "client/cpp/subscribe_session.h"
#include "client/cpp/worker.h"
#include "client/cpp/worker_state.h"

namespace acta::client {

// Worker at work.
//
// Threads: as Worker says.
class ACTA_CLIENT_HIDDEN Worker::Core final : public SubscribeSession<WorkerState> {
 public:
  Core(std::shared_ptr<Channel> channel, WorkerOptions options);

  absl::StatusOr<std::optional<WorkItem>> Next(absl::Time deadline);
  void Settle(const WorkItem& item, const Verdict& verdict);
  void Settle(absl::string_view topic, int32_t partition, int64_t offset, int64_t count,
              const Verdict& verdict);
  absl::StatusOr<v1::SettleResponse> Step(const WorkItem& item, const Verdict& verdict,
                                          std::vector<v1::PartitionBatch> batches,
                                          std::vector<v1::CompletedClaim> claims);
  absl::Status Flush(absl::Duration timeout);
  absl::Status CloseAndTell(absl::Duration timeout);

 private:
  void Tell(const std::vector<SettleError>& errors);

  Admin admin_;
};

}  // namespace acta::client
