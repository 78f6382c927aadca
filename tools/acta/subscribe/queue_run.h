#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "acta/v1/event.pb.h"
#include "client/cpp/worker.h"
#include "proto/support/wire.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/subscribe/command_pool.h"
#include "tools/acta/subscribe/event_printer.h"
#include "tools/acta/subscribe/running_leases.h"
#include "tools/acta/subscribe/subscribe_options.h"

namespace acta::cli {

// `acta subscribe` as a member of a QUEUE group: prints events and acks what is written, or runs a
// command for each and settles by how it ended.
//
// Threads: one; commands end on others.
class QueueRun {
 public:
  QueueRun(CommandContext& context, SubscribeOptions options);

  // Until Ctrl-C, --max, or an error. Errors: also partly done, when settlements did not count.
  absl::Status Run();

 private:
  struct Written {
    std::string topic;
    int32_t partition = 0;
    int64_t offset = 0;
    int64_t count = 0;
  };

  client::WorkerOptions Listening(const client::SubscriberOptions& from);
  // The group was reset: what came before is not to be settled once it comes again. Nothing does
  // before this returns.
  void ForgetBefore();
  absl::Status PrintAll();
  absl::Status Print(const client::WorkItem& item);
  void AckWritten();

  absl::Status RunCommands();
  // The next event of the item in hand, if any is left.
  absl::Status BeginNext();
  void CommandEnded(const EventPlace& place, const absl::StatusOr<CommandEnd>& end);
  void Settle(const EventPlace& place, const v1::Settlement& verdict);
  // Leases of the events whose commands run.
  void Extend();

  void OnSettleError(const client::SettleError& error);
  bool IsRunning(const client::SettleError& error);
  absl::Status Finish(absl::Status status);

  CommandContext& context_;
  const SubscribeOptions options_;
  const SystemClock clock_;
  int64_t begun_ = 0;  // Printed, or given to a command.
  int64_t lost_ = 0;   // Settlements that did not count, but for extensions.

  EventPrinter printer_;
  std::vector<Written> written_;  // And not acked.

  std::optional<client::WorkItem> item_;
  EventElements elements_{absl::string_view()};
  int64_t index_ = 0;
  absl::Duration leased_until_;  // Since boot.

  Mutex mu_;  // Leaf.
  RunningLeases running_ ABSL_GUARDED_BY(mu_);
  std::map<v1::SettleKind, int64_t> ended_ ABSL_GUARDED_BY(mu_);
  absl::Status command_status_ ABSL_GUARDED_BY(mu_);  // That one could not be run, or not write.

  client::Worker worker_;
  std::optional<CommandPool> pool_;
};

}  // namespace acta::cli
