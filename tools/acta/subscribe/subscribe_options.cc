#include "tools/acta/subscribe/subscribe_options.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/acta/commands/queue_options.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"
#include "tools/acta/syntax/position.h"

namespace acta::cli {
namespace {

using Kind = Position::Kind;

constexpr int kMaxConcurrency = 1'000;

absl::StatusOr<std::vector<Position>> ReadPositions(const CommandContext& context,
                                                    const std::string& option) {
  std::vector<Position> positions;
  for (const std::string& text : context.args().All(option)) {
    ASSIGN_OR_RETURN(positions.emplace_back(), ParsePosition(text, context.now()));
    if (positions.size() > 1 && (positions[0].kind != Kind::kPartitionOffset ||
                                 positions.back().kind != Kind::kPartitionOffset)) {
      return UsageError(
          absl::StrCat(option, ": only PARTITION:OFFSET may be given more than once"));
    }
    if (positions[0].kind == Kind::kPartitionOffset && context.args().All("TOPIC").size() > 1) {
      return UsageError(absl::StrCat(option, ": PARTITION:OFFSET is of one topic"));
    }
    const int32_t partition = positions.back().partition;
    const auto same = [partition](const Position& one) { return one.partition == partition; };
    if (std::count_if(positions.begin(), positions.end(), same) > 1) {
      return UsageError(absl::StrCat(option, ": partition ", partition, " is given twice"));
    }
  }
  return positions;
}

void StartAt(int32_t partition, int64_t offset, v1::TopicPosition* start) {
  start->set_only_listed(true);
  v1::PartitionPosition* const at = start->add_partitions();
  at->set_partition(partition);
  at->set_offset(offset);
}

// Partitions that end before the offset are left out; if all do, the broker refuses.
void StartAtOffset(int64_t offset, const v1::ListPartitionsResponse& partitions,
                   CommandContext& context, v1::TopicPosition* start) {
  std::vector<int32_t> shorter;
  for (const v1::PartitionInfo& one : partitions.partitions()) {
    if (one.end_offset() < offset) shorter.push_back(one.partition());
  }
  const bool all = shorter.size() == static_cast<size_t>(partitions.partitions_size());
  if (shorter.empty() || all) {
    start->mutable_from()->set_offset(offset);
    return;
  }
  for (const v1::PartitionInfo& one : partitions.partitions()) {
    if (one.end_offset() >= offset) StartAt(one.partition(), offset, start);
  }
  context.terminal().Warn(absl::StrCat("topic ", start->topic(), ": ", shorter.size(), " of ",
                                       partitions.partitions_size(),
                                       " partitions end before offset ", offset,
                                       " and are not read: ", absl::StrJoin(shorter, ", ")));
}

// So many events before the end of each partition, as far as there are some; partitions that come
// later, all of them.
void StartAtLast(int64_t last, const v1::ListPartitionsResponse& partitions,
                 v1::TopicPosition* start) {
  start->mutable_from()->set_earliest(true);
  for (const v1::PartitionInfo& one : partitions.partitions()) {
    v1::PartitionPosition* const at = start->add_partitions();
    at->set_partition(one.partition());
    at->set_offset(std::max(one.first_offset(), one.end_offset() - last));
  }
}

v1::TopicPosition StartOf(const std::string& topic, const std::vector<Position>& from,
                          std::optional<int64_t> last, const v1::ListPartitionsResponse& partitions,
                          CommandContext& context) {
  v1::TopicPosition start;
  start.set_topic(topic);
  if (last.has_value()) {
    StartAtLast(*last, partitions, &start);
  } else if (from.empty()) {
    start.mutable_from()->set_latest(true);
  } else if (from[0].kind == Kind::kOffset) {
    StartAtOffset(from[0].offset, partitions, context, &start);
  } else if (from[0].kind != Kind::kPartitionOffset) {
    *start.mutable_from() = ToStartPosition(from[0]);
  } else {
    for (const Position& one : from) StartAt(one.partition, one.offset, &start);
  }
  return start;
}

bool Reads(const v1::TopicPosition& position, int32_t partition) {
  const auto& listed = position.partitions();
  return !position.only_listed() ||
         std::any_of(listed.begin(), listed.end(),
                     [partition](const auto& one) { return one.partition() == partition; });
}

// An end that is never come to would be waited for.
absl::Status CheckIsRead(int32_t partition, const v1::ListPartitionsResponse& partitions,
                         const v1::TopicPosition& position) {
  const auto& there = partitions.partitions();
  if (std::none_of(there.begin(), there.end(),
                   [partition](const auto& one) { return one.partition() == partition; })) {
    return UsageError(
        absl::StrCat("--to: topic '", position.topic(), "' has no partition ", partition));
  }
  if (Reads(position, partition)) return absl::OkStatus();
  return UsageError(absl::StrCat("--to: partition ", partition, " is not read"));
}

// The end of a reader without a group: the broker's, but for offsets.
absl::Status SetEnd(const std::vector<Position>& to, const v1::ListPartitionsResponse& partitions,
                    v1::TopicPosition* position, EndOffsets* ends) {
  for (const Position& one : to) {
    switch (one.kind) {
      case Kind::kEarliest:
        return UsageError("--to: nothing is before earliest");
      case Kind::kLatest:
        position->set_until_end(true);
        break;
      case Kind::kTime:
        position->set_until_time_us(absl::ToUnixMicros(one.time));
        break;
      case Kind::kOffset:
        for (const v1::PartitionInfo& partition : partitions.partitions()) {
          if (!Reads(*position, partition.partition())) continue;
          ends->Set(position->topic(), partition.partition(), one.offset);
        }
        break;
      case Kind::kPartitionOffset:
        RETURN_IF_ERROR(CheckIsRead(one.partition, partitions, *position));
        ends->Set(position->topic(), one.partition, one.offset);
        break;
    }
  }
  return absl::OkStatus();
}

// As of a variable that is not set: events would be printed, and those of a group count as
// processed, or the group would be none.
absl::Status CheckNotEmpty(const Args& args) {
  for (const char* option : {"--group", "--exec"}) {
    if (!args.Has(option) || !absl::StripAsciiWhitespace(args.Get(option)).empty()) continue;
    return UsageError(absl::StrCat(option, ": it is empty"));
  }
  return absl::OkStatus();
}

absl::Status CheckTogether(const Args& args) {
  if (args.Has("--group") && (args.Has("--from") || args.Has("--last") || args.Has("--to"))) {
    return UsageError(
        "a group goes on where it was: --from, --last and --to are for reading without one; `acta "
        "group reset` moves a group");
  }
  if (args.Has("--from") && args.Has("--last")) {
    return UsageError("--from and --last exclude each other");
  }
  for (const char* option : {"--member", "--mode"}) {
    if (args.Has(option) && !args.Has("--group")) {
      return UsageError(absl::StrCat(option, " needs --group"));
    }
  }
  if (args.Has("--to") && args.Has("--until-end")) {
    return UsageError("--to and --until-end exclude each other");
  }
  return absl::OkStatus();
}

// What it is, or will be.
absl::Status FindGroup(CommandContext& context, SubscribeOptions* options) {
  const std::string& name = context.args().Get("--group");
  ASSIGN_OR_RETURN(const v1::GroupMode wanted, ReadMode(context.args()));
  if (name.empty()) return absl::OkStatus();
  v1::GetGroupRequest request;
  request.set_name(name);
  const absl::StatusOr<v1::GetGroupResponse> response = context.admin().GetGroup(request);
  if (ReasonOf(response.status()) == v1::GROUP_NOT_FOUND) {
    options->mode = wanted == v1::GROUP_MODE_UNSPECIFIED ? v1::GROUP_MODE_STREAM : wanted;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(response.status());
  const v1::Group& group = response->group();
  options->mode = group.mode();
  if (group.queue().has_lease()) options->lease = FromProtoDuration(group.queue().lease());
  if (wanted == v1::GROUP_MODE_UNSPECIFIED || wanted == group.mode()) return absl::OkStatus();
  return RefusedError(absl::StrCat("group '", name, "' is of mode ", ModeText(group.mode()),
                                   ", which is fixed when it is created"));
}

absl::Status CheckMode(const Args& args, v1::GroupMode mode) {
  const bool queue = mode == v1::GROUP_MODE_QUEUE;
  if (queue && args.Has("--until-end")) {
    return UsageError("--until-end: events of a queue may come again; use --max");
  }
  if (!args.Has("--concurrency")) return absl::OkStatus();
  if (!queue) return UsageError("--concurrency is for members of groups of mode queue");
  return args.Has("--exec") ? absl::OkStatus() : UsageError("--concurrency needs --exec");
}

absl::Status AddTopic(CommandContext& context, const std::string& topic,
                      const std::vector<Position>& from, const std::vector<Position>& to,
                      SubscribeOptions* options) {
  v1::ListPartitionsRequest list;
  list.set_topic(topic);
  ASSIGN_OR_RETURN(const v1::ListPartitionsResponse partitions,
                   context.admin().ListPartitions(list));
  ASSIGN_OR_RETURN(const auto last, context.args().Integer("--last", 0));
  v1::TopicPosition position = StartOf(topic, from, last, partitions, context);
  const bool until_end = context.args().Has("--until-end");
  if (options->subscriber.group.empty()) {
    position.set_until_end(until_end);
    RETURN_IF_ERROR(SetEnd(to, partitions, &position, &options->ends));
  } else if (until_end) {
    for (const v1::PartitionInfo& partition : partitions.partitions()) {
      options->ends.Set(topic, partition.partition(), partition.end_offset());
    }
  }
  options->subscriber.topics.push_back(std::move(position));
  return absl::OkStatus();
}

}  // namespace

void TellOfGroup(const v1::Notice& notice, absl::string_view group, Terminal& terminal) {
  if (notice.code() == "GROUP_CREATED") {
    terminal.Hint(absl::StrCat("group ", group, " is new, and begins at the oldest event"));
  } else if (notice.code() == "GROUP_PAUSED") {
    terminal.Warn(absl::StrCat("group ", group,
                               " is paused, and nothing comes until it is resumed: acta group "
                               "resume ",
                               group));
  } else if (notice.code() == "GROUP_RESET") {
    terminal.Warn(absl::StrCat("somebody moved positions of group ", group,
                               ": it goes on where they are now, and nothing from before counts"));
  }
}

absl::StatusOr<SubscribeOptions> ReadSubscribeOptions(CommandContext& context) {
  const Args& args = context.args();
  RETURN_IF_ERROR(CheckNotEmpty(args));
  RETURN_IF_ERROR(CheckTogether(args));
  SubscribeOptions options;
  ASSIGN_OR_RETURN(options.format, ReadEventFormat(args));
  ASSIGN_OR_RETURN(const auto max, args.Integer("--max", 1));
  options.max = max.value_or(options.max);
  options.exec = args.Get("--exec");
  ASSIGN_OR_RETURN(const auto concurrency, args.Integer("--concurrency", 1, kMaxConcurrency));
  options.concurrency = static_cast<int>(concurrency.value_or(options.concurrency));
  ASSIGN_OR_RETURN(const std::vector<Position> from, ReadPositions(context, "--from"));
  ASSIGN_OR_RETURN(const std::vector<Position> to, ReadPositions(context, "--to"));

  RETURN_IF_ERROR(FindGroup(context, &options));
  RETURN_IF_ERROR(CheckMode(args, options.mode));

  client::SubscriberOptions& subscriber = options.subscriber;
  subscriber.group = args.Get("--group");
  subscriber.member_id = args.Get("--member");
  subscriber.app = args.GetOr("--app", "acta");
  subscriber.app_version = args.GetOr("--app-version", args.Has("--app") ? "" : ACTA_VERSION);
  subscriber.retry_for = context.channel()->options().deadline;
  subscriber.max_frame_bytes = 17 << 20;
  // What a command publishes says what caused it.
  subscriber.delivery_tokens = !options.exec.empty() && !subscriber.group.empty();
  if (!subscriber.group.empty()) {
    subscriber.create_mode = options.mode;
    subscriber.create_at.emplace().set_earliest(true);
  }
  for (const std::string& topic : args.All("TOPIC")) {
    RETURN_IF_ERROR(AddTopic(context, topic, from, to, &options));
  }
  return options;
}

}  // namespace acta::cli
