#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cpp/subscriber.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/events/event_text.h"
#include "tools/acta/subscribe/end_offsets.h"

namespace acta::cli {

// What `acta subscribe` was asked to do.
struct SubscribeOptions {
  client::SubscriberOptions subscriber;
  v1::GroupMode mode = v1::GROUP_MODE_UNSPECIFIED;  // Of the group, if there is one.
  absl::Duration lease = absl::Seconds(30);         // Of a QUEUE group.
  EndOffsets ends;  // Kept on this side: a group's, and --to OFFSET.
  EventFormat format = EventFormat::kData;
  int64_t max = std::numeric_limits<int64_t>::max();
  std::string exec;     // Empty: print.
  int concurrency = 1;  // Commands at once, in a QUEUE group.
};

// What people want to know of what the broker says of their group: that it is new, or paused.
void TellOfGroup(const v1::Notice& notice, absl::string_view group, Terminal& terminal);

// Errors: usage; TOPIC_NOT_FOUND and the like, because the broker is asked for the topics and the
// group.
absl::StatusOr<SubscribeOptions> ReadSubscribeOptions(CommandContext& context);

}  // namespace acta::cli
