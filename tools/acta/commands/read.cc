#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "acta/v1/context.pb.h"
#include "client/cpp/admin.h"
#include "client/cpp/delivery.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/events/event_text.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

constexpr int64_t kDefaultMax = 100;
constexpr int64_t kPageEvents = 10'000;
constexpr int32_t kPageBytes = 4 << 20;

// The first of the last `last` events of the partition, or of all of them.
absl::StatusOr<int64_t> FirstOffset(CommandContext& context, const v1::FetchRequest& request,
                                    std::optional<int64_t> last) {
  v1::ListPartitionsRequest list;
  list.set_topic(request.topic());
  ASSIGN_OR_RETURN(const v1::ListPartitionsResponse response, context.admin().ListPartitions(list));
  for (const v1::PartitionInfo& partition : response.partitions()) {
    if (partition.partition() != request.partition()) continue;
    const int64_t end = partition.end_offset();
    return std::max(partition.first_offset(), last.has_value() ? end - *last : 0);
  }
  return 0;  // The broker says that there is no such partition.
}

// `from_first`: from where the partition begins, wherever retention has moved that meanwhile.
absl::StatusOr<v1::FetchResponse> FetchPage(CommandContext& context, bool from_first,
                                            v1::FetchRequest* request) {
  for (;;) {
    auto page = context.admin().Fetch(*request);
    if (!from_first || page.ok() || ReasonOf(page.status()) != v1::GAP) return page;
    ASSIGN_OR_RETURN(const int64_t first, FirstOffset(context, *request, std::nullopt));
    if (first <= request->offset()) return page;
    request->set_offset(first);
  }
}

std::string PageText(EventFormat format, const v1::FetchRequest& request,
                     const v1::FetchResponse& page) {
  std::string text;
  EventPlace place;
  place.topic = request.topic();
  place.partition = request.partition();
  for (const v1::DeliveredBatch& batch : page.batches()) {
    place.append_time_us = batch.append_time_us();
    v1::BatchContext context;
    (void)context.ParseFromString(batch.context());
    for (int i = 0; i < batch.events_size(); ++i) {
      place.offset =
          batch.base_offset() + (batch.offset_deltas().empty() ? i : batch.offset_deltas(i));
      v1::Event event = batch.events(i);
      client::FillFromContext(context, &event);
      text += EventText(format, event, place);
    }
  }
  return text;
}

int64_t EventsOf(const v1::FetchResponse& page) {
  int64_t events = 0;
  for (const v1::DeliveredBatch& batch : page.batches()) events += batch.events_size();
  return events;
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const EventFormat format, ReadEventFormat(args));
  ASSIGN_OR_RETURN(const auto partition, args.Integer("--partition", 0, 65'535));
  ASSIGN_OR_RETURN(const auto offset, args.Integer("--offset"));
  ASSIGN_OR_RETURN(const auto last, args.Integer("--last", 1));
  ASSIGN_OR_RETURN(const auto max, args.Integer("--max", 1));
  if (!partition) return UsageError("--partition is missing: which partition to read");
  if (offset && last) return UsageError("--offset and --last exclude each other");
  v1::FetchRequest request;
  request.set_topic(args.Get("TOPIC"));
  request.set_partition(static_cast<int32_t>(*partition));
  request.set_max_bytes(kPageBytes);
  if (offset) {
    request.set_offset(*offset);
  } else {
    ASSIGN_OR_RETURN(const int64_t first, FirstOffset(context, request, last));
    request.set_offset(first);
  }
  bool from_first = !offset.has_value();
  int64_t rest = max.value_or(last.value_or(kDefaultMax));
  std::string heading = EventHeading(format);
  while (rest > 0) {
    request.set_max_events(static_cast<int32_t>(std::min(rest, kPageEvents)));
    ASSIGN_OR_RETURN(const v1::FetchResponse page, FetchPage(context, from_first, &request));
    from_first = false;
    const int64_t events = EventsOf(page);
    RETURN_IF_ERROR(WriteAll(stdout, std::exchange(heading, "") + PageText(format, request, page)));
    if (events == 0) return absl::OkStatus();
    rest -= events;
    request.set_offset(page.next_offset());
    request.set_incarnation(page.incarnation());
    if (page.next_offset() >= page.end_offset()) return absl::OkStatus();
  }
  context.terminal().Hint(absl::StrCat("there is more; go on with --offset ", request.offset()));
  return absl::OkStatus();
}

}  // namespace

Command ReadCommand() {
  return {"read",
          {"TOPIC"},
          "shows events of one partition, without a group",
          "Reads to the end or --max and does not wait.",
          "acta read orders --partition 0 --max 10 --format json",
          {{"--partition", "N", "which partition"},
           {"--offset", "N", "the first offset (the oldest event kept)"},
           {"--last", "N", "begin so many events before the end"},
           {"--max", "N", "at most so many events (100, or those of --last)"},
           {"--format", "FORMAT", "data, json, cloudevents or csv (data)"}},
          Run};
}

}  // namespace acta::cli
