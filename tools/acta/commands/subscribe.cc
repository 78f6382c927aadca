#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cpp/subscriber.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/interrupt.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/events/cause_text.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/output.h"
#include "tools/acta/output/words.h"
#include "tools/acta/subscribe/event_printer.h"
#include "tools/acta/subscribe/queue_run.h"
#include "tools/acta/subscribe/shell_command.h"
#include "tools/acta/subscribe/subscribe_options.h"

namespace acta::cli {
namespace {

// How long an interrupt may go unnoticed, and how often the ends are looked at.
constexpr absl::Duration kLookEvery = absl::Milliseconds(50);
// How often the broker is asked how far the other members of the group are.
constexpr absl::Duration kAskEvery = absl::Milliseconds(500);
constexpr size_t kMostPlaces = 20;  // That are told of what was committed.

class SubscribeRun {
 public:
  SubscribeRun(CommandContext& context, SubscribeOptions options)
      : context_(context),
        options_(std::move(options)),
        printer_([this](const std::string& topic, int32_t partition, int64_t next_offset) {
          Done(topic, partition, next_offset);
        }),
        subscriber_(context.channel(), Listening(options_.subscriber)) {}

  absl::Status Run() {
    absl::Status status = ReadAll();
    status.Update(printer_.Flush());
    status.Update(write_status_);
    absl::Status flushed;
    if (grouped()) flushed = subscriber_.FlushCommits(context_.channel()->options().deadline);
    status = FirstError(status, flushed);
    const absl::Status closed = subscriber_.Close();
    if (grouped()) status = FirstError(status, closed);
    if (grouped() && Interrupted() && flushed.ok()) ReportCommitted();
    return status;
  }

 private:
  bool grouped() const { return !options_.subscriber.group.empty(); }

  // Where the group goes on.
  void ReportCommitted() {
    std::vector<std::string> places;
    for (const auto& [partition, next_offset] : committed_) {
      if (places.size() == kMostPlaces) break;
      places.push_back(
          absl::StrCat(partition.first, "/", partition.second, " up to offset ", next_offset - 1));
    }
    if (committed_.size() > places.size()) {
      places.push_back(absl::StrCat(
          CountText(static_cast<int64_t>(committed_.size() - places.size()), "partition"),
          " more"));
    }
    context_.terminal().Report(places.empty() ? "committed nothing"
                                              : "committed " + absl::StrJoin(places, ", "));
  }

  client::SubscriberOptions Listening(client::SubscriberOptions options) {
    // Not everything that was returned need have been shown: what was is committed here.
    options.commit_when_revoked = false;
    options.on_revoked = [this](const client::SubscribedPartition&) {
      write_status_.Update(printer_.Flush());
    };
    options.on_notice = [this](const v1::Notice& notice, const client::SubscribedPartition*) {
      TellOfGroup(notice, options_.subscriber.group, context_.terminal());
      if (notice.code() == "GROUP_RESET") committed_.clear();
    };
    return options;
  }

  absl::Status ReadAll() {
    if (options_.exec.empty()) RETURN_IF_ERROR(WriteAll(stdout, EventHeading(options_.format)));
    while (count_ < options_.max && !options_.ends.AllReached() && !Interrupted()) {
      RETURN_IF_ERROR(write_status_);
      // What is collected is written as soon as nothing more is at hand.
      const absl::Time deadline =
          printer_.empty() ? absl::Now() + kLookEvery : absl::InfinitePast();
      ASSIGN_OR_RETURN(const std::optional<client::Delivery> delivery, subscriber_.Next(deadline));
      if (delivery.has_value()) {
        RETURN_IF_ERROR(Take(*delivery));
      } else if (!printer_.empty()) {
        RETURN_IF_ERROR(printer_.Flush());
      } else if (subscriber_.ended() || OutputIsClosed()) {
        return absl::OkStatus();
      }
      RETURN_IF_ERROR(LookAtEnds());
    }
    return absl::OkStatus();
  }

  absl::Status Take(const client::Delivery& delivery) {
    EventPlace place;
    place.topic = delivery.topic();
    place.partition = delivery.partition();
    place.append_time_us = delivery.append_time_us();
    if (!options_.ends.Wants(place.topic, place.partition, delivery.base_offset())) {
      // Behind its end, while others are not at theirs: what is not shown is not committed.
      options_.ends.Advance(place.topic, place.partition, delivery.base_offset());
      return absl::OkStatus();
    }
    std::string text;
    EventElements elements(delivery.payload());
    absl::string_view bytes;
    int64_t next_offset = delivery.base_offset();
    const v1::BatchContext context = delivery.context();
    // An interrupt does not wait for the commands of all events of a batch.
    for (int64_t i = 0; !Interrupted() && count_ < options_.max && elements.Next(&bytes); ++i) {
      place.offset = delivery.OffsetOf(i);
      if (!options_.ends.Wants(place.topic, place.partition, place.offset)) break;
      RETURN_IF_ERROR(client::ParseEvent(bytes, &event_));
      client::FillFromContext(context, &event_);
      bool ours = true;
      if (options_.exec.empty()) {
        text += EventText(options_.format, event_, place);
      } else {
        place.cause = CauseText({delivery.CauseOf(i), context_.channel()->address()});
        const absl::Status ran = RunShellCommand(
            options_.exec, EventText(options_.format, event_, place), event_, place);
        if (!ran.ok()) return Failed(ran, delivery, place);
        ours = Done(place.topic, place.partition, place.offset + 1) && IsOurs(delivery);
      }
      next_offset = place.offset + 1;
      ++count_;
      // What is left comes again, to whoever has the partition now; or it was passed over.
      if (!ours) break;
    }
    // Nothing of it: where it is interrupted, nothing is to be committed either.
    if (text.empty()) return absl::OkStatus();
    return printer_.Add(text, place.topic, place.partition, next_offset);
  }

  // False: its partition went to another member meanwhile, and may have come back since.
  bool IsOurs(const client::Delivery& delivery) const {
    if (!grouped()) return true;
    for (const client::SubscribedPartition& one : subscriber_.partitions()) {
      if (one.topic != delivery.topic() || one.partition != delivery.partition()) continue;
      return one.next_offset == delivery.next_offset();
    }
    return false;
  }

  // By a command; what comes behind its event is not processed before it is.
  absl::Status Failed(const absl::Status& ran, const client::Delivery& delivery,
                      const EventPlace& place) {
    // Who stops all processes of a session stops the command, too; its event comes again.
    if (Interrupted()) return absl::OkStatus();
    // What comes before it is committed: this asks whether it may be.
    if (grouped() && (!subscriber_.Commit(place.topic, place.partition, place.offset).ok() ||
                      !IsOurs(delivery))) {
      context_.terminal().Warn(absl::StrCat(
          DescribeError(ran), "; its event is not this member's any more, or was passed over"));
      return absl::OkStatus();
    }
    const std::string group = context_.args().Get("--group");
    if (!group.empty()) {
      context_.terminal().Warn(absl::StrCat(
          "group ", group, " goes on from this event; or pass it over: acta group skip ", group,
          " --topic ", place.topic, " --partition ", place.partition, " --offset ", place.offset,
          " --reason '...'"));
    }
    return ran;
  }

  // Everything of the partition before `next_offset` is processed. False: it is not committed, as
  // the partition went away, or the group was reset.
  bool Done(const std::string& topic, int32_t partition, int64_t next_offset) {
    options_.ends.Advance(topic, partition, next_offset);
    if (!grouped()) return true;
    // A partition that went away comes again somewhere, from its committed position.
    const absl::Status committed = subscriber_.Commit(topic, partition, next_offset);
    if (committed.ok()) committed_[{topic, partition}] = next_offset;
    return committed.ok();
  }

  // Partitions without events tell by their position; those of other members by their commits.
  // Looked at by time: where events come all the time, there always is one at hand.
  absl::Status LookAtEnds() {
    const absl::Duration now = clock_.SinceBoot();
    if (!options_.ends.bounded() || now < next_look_) return absl::OkStatus();
    next_look_ = now + kLookEvery;
    // A position is behind what was returned, and so behind what is still to be written.
    RETURN_IF_ERROR(printer_.Flush());
    for (const client::SubscribedPartition& one : subscriber_.partitions()) {
      options_.ends.Advance(one.topic, one.partition, one.next_offset);
    }
    if (!grouped() || subscriber_.member_id().empty() || now < next_ask_) return absl::OkStatus();
    next_ask_ = now + kAskEvery;
    v1::GetLagRequest request;
    request.set_group(options_.subscriber.group);
    ASSIGN_OR_RETURN(const v1::GetLagResponse lag, context_.admin().GetLag(request));
    for (const v1::PartitionLag& row : lag.partitions()) {
      options_.ends.Advance(row.topic(), row.partition(), row.committed_offset());
    }
    return absl::OkStatus();
  }

  CommandContext& context_;
  SubscribeOptions options_;
  EventPrinter printer_;
  absl::Status write_status_;  // Of what was written while a partition moved away.
  int64_t count_ = 0;
  std::map<std::pair<std::string, int32_t>, int64_t> committed_;  // The next offset.
  const SystemClock clock_;
  absl::Duration next_look_;  // Since boot.
  absl::Duration next_ask_;   // The same.
  v1::Event event_;
  client::Subscriber subscriber_;
};

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(SubscribeOptions options, ReadSubscribeOptions(context));
  const Args& args = context.args();
  if (!args.Has("--group") && !args.Has("--from") && !args.Has("--last")) {
    context.terminal().Hint("shows what comes from now on; --from earliest begins with the oldest");
  }
  StopOnSignals();
  if (options.mode == v1::GROUP_MODE_QUEUE) return QueueRun(context, std::move(options)).Run();
  return SubscribeRun(context, std::move(options)).Run();
}

}  // namespace

Command SubscribeCommand() {
  return {
      "subscribe",
      {"TOPIC..."},
      "shows events as they come, alone or as a member of a group",
      "With --group it joins the group, which begins at the oldest event when it is new.\n"
      "Without, it begins at --from or --last. POSITION is earliest, latest, an offset, a\n"
      "time (RFC 3339 or -15m; always the time of storing), or PARTITION:OFFSET. --exec runs\n"
      "a command for each event, which reads it from standard input and finds the envelope in\n"
      "its environment: ACTA_TOPIC, ACTA_PARTITION, ACTA_OFFSET, ACTA_ID, ACTA_KEY, ACTA_TYPE,\n"
      "ACTA_SOURCE, ACTA_SUBJECT, ACTA_TIME, ACTA_CORRELATION_ID, ACTA_CAUSATION_ID,\n"
      "ACTA_PROCESS, ACTA_SCHEMA, ACTA_CONTENT_TYPE, ACTA_TRACEPARENT, ACTA_EXPIRES_AT,\n"
      "ACTA_AFFECTED (a line kind:id for each), and attributes as ACTA_ATTRIBUTE_NAME.\n"
      "One of more than 64 KiB is empty. What the command publishes with `acta publish` says\n"
      "that this event caused it (ACTA_CAUSED_BY). Ctrl-C ends it in good order: it does not\n"
      "reach commands, those that run are finished, and a group's member says what was\n"
      "committed.\n\n"
      "A member of a group of mode stream commits what was written, or each event whose\n"
      "command exits with 0; another code ends the subscription.\n\n"
      "A member of a group of mode queue acks what was written. With --exec the exit code\n"
      "says what becomes of the event: 0 acks; 75 nacks, it comes again later; 65 rejects,\n"
      "it becomes a dead letter; 126 and 127, that it cannot be run, give it back and end the\n"
      "subscription; any other nacks with the reason exit-N, a signal with signal-N, but\n"
      "where nobody reads the output any more, they do as 126. The last\n"
      "line of standard error goes with it. The lease is extended while\n"
      "the command runs, up to 12 h: write 'timeout 60 COMMAND' where one may hang.\n"
      "ACTA_ATTEMPT, ACTA_REDRIVES and ACTA_LEASE_UNTIL are in its environment. What no\n"
      "command has begun on is given back at the end.",
      "acta subscribe orders --group billing --format json",
      {{"--group", "GROUP", "join this group"},
       {"--mode", "MODE", "stream or queue, of a group that is new (stream)"},
       {"--member", "NAME", "the member's name, for which its place is kept for 30 s"},
       {"--from", "POSITION", "where to begin without a group (latest)", true},
       {"--last", "N", "begin so many events before the end of each partition"},
       {"--to", "POSITION", "where to end without a group; this one is not shown", true},
       {"--until-end", "", "end at what is the newest event now; not of mode queue"},
       {"--max", "N", "end after so many events"},
       {"--format", "FORMAT", "data, json, cloudevents or csv (data)"},
       {"--exec", "COMMAND", "run this for each event instead of printing it"},
       {"--concurrency", "N", "mode queue: run so many commands at once (1)"},
       {"--app", "NAME", "what the member's program is called (acta)"},
       {"--app-version", "VERSION",
        "its version, for attempts that fail (acta's, or none with --app)"}},
      Run};
}

}  // namespace acta::cli
