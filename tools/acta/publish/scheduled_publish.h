#pragma once

#include <functional>
#include <optional>

#include "absl/status/statusor.h"
#include "acta/v1/event.pb.h"
#include "acta/v1/publisher.pb.h"
#include "client/cpp/publisher.h"
#include "tools/acta/app/command_context.h"

namespace acta::cli {

// The next event; nothing at the end.
using NextEvent = std::function<absl::StatusOr<std::optional<v1::Event>>()>;

// Schedules the events for `at`, some in a call, and prints the schedule of each. Stops at the
// first that is refused; what was scheduled before is printed then too. Of `options` the level and
// the application count.
absl::Status PublishLater(CommandContext& context, absl::Time at, std::optional<int32_t> partition,
                          const client::PublisherOptions& options,
                          const std::optional<v1::CausedBy>& cause, const NextEvent& next);

}  // namespace acta::cli
