#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/cpp/admin.h"
#include "client/cpp/steady_time.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(2);
constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);

// What is known at one moment.
struct Look {
  absl::Time time;  // Of the steady clock.
  v1::GetStatusResponse status;
  v1::MeasureGroupsResponse groups;
};

absl::StatusOr<Look> LookNow(CommandContext& context) {
  Look look;
  ASSIGN_OR_RETURN(look.status, context.admin().GetStatus({}));
  ASSIGN_OR_RETURN(look.groups, context.admin().MeasureGroups({}));
  look.time = client::SteadyNow();
  return look;
}

// A second, between two looks. A counter that fell began anew with the broker.
double Rate(int64_t before, int64_t now, absl::Duration between) {
  return static_cast<double>(std::max<int64_t>(0, now - before)) /
         std::max(absl::ToDoubleSeconds(between), 1e-3);
}

std::string RateText(double rate) {
  if (rate >= 1e6) return absl::StrFormat("%.2fM", rate / 1e6);
  if (rate >= 1e4) return absl::StrFormat("%.0fk", rate / 1e3);
  return rate > 0 && rate < 10 ? absl::StrFormat("%.1f", rate) : absl::StrFormat("%.0f", rate);
}

// What changes with each look needs no microseconds.
std::string RoughText(const google::protobuf::Duration& duration) {
  const absl::Duration time = FromProtoDuration(duration);
  return DurationText(
      absl::Trunc(time, time < absl::Seconds(1) ? absl::Milliseconds(1) : absl::Seconds(1)));
}

std::string StateOf(const v1::GroupFigures& group) {
  if (group.paused()) return "paused";
  const bool full = group.has_queue() && group.queue().dead_letters() >= group.max_dead_letters();
  if (full) return "full of dead letters";
  if (group.lost_events() > 0) return absl::StrCat("lost ", group.lost_events());
  if (group.lag_events() > 0 && group.members() == 0) return "no members";
  if (group.queue().held() > 0) return absl::StrCat("holds ", group.queue().held());
  return "";
}

// The one that needs a look first.
bool IsWorse(const v1::GroupFigures& a, const v1::GroupFigures& b) {
  const auto key = [](const v1::GroupFigures& group) {
    return std::make_tuple(-group.lost_events(), -group.lag_events(), group.group());
  };
  return key(a) < key(b);
}

Table GroupTable(const Look& before, const Look& now, size_t most) {
  absl::flat_hash_map<std::string, const v1::GroupFigures*> old;
  for (const v1::GroupFigures& group : before.groups.groups()) old[group.group()] = &group;
  std::vector<v1::GroupFigures> groups(now.groups.groups().begin(), now.groups.groups().end());
  std::sort(groups.begin(), groups.end(), IsWorse);
  if (groups.size() > most) groups.resize(most);
  const absl::Duration between = now.time - before.time;
  Table table({"GROUP", "MODE", "MEMBERS", "LAG", "BEHIND", "DONE/S", "FAILED/S", "RETRY/S", "DEAD",
               "DRAIN", "HEADROOM", "STATE"});
  for (const v1::GroupFigures& group : groups) {
    const auto known = old.find(group.group());
    const v1::GroupFigures& was = known == old.end() ? group : *known->second;
    const auto rate = [&](int64_t then, int64_t since) {
      return RateText(Rate(then, since, between));
    };
    const bool queue = group.has_queue();
    table.Row(group.group(), queue ? "queue" : "stream", group.members(), group.lag_events(),
              group.has_behind() ? RoughText(group.behind()) : "?",
              rate(was.processed_events(), group.processed_events()),
              queue ? rate(was.failed_attempts(), group.failed_attempts()) : "",
              queue ? rate(was.redelivered_events(), group.redelivered_events()) : "",
              queue ? absl::StrCat(group.queue().dead_letters()) : "",
              group.has_drain() ? RoughText(group.drain()) : "",
              group.has_headroom() ? RoughText(group.headroom()) : "", StateOf(group));
  }
  return table;
}

std::string Heading(const Look& before, const Look& now) {
  const absl::Duration between = now.time - before.time;
  const v1::GetStatusResponse& was = before.status;
  const v1::GetStatusResponse& is = now.status;
  std::string text = absl::StrCat(
      "published ", RateText(Rate(was.events_published(), is.events_published(), between)),
      "/s, delivered ", RateText(Rate(was.events_delivered(), is.events_delivered(), between)),
      "/s; ", CountText(is.connections(), "connection"), ", ",
      CountText(is.subscriptions(), "subscription"), "; log ", BytesText(is.log_bytes()),
      ", disk free ", BytesText(is.disk_free_bytes()), " of ", BytesText(is.disk_total_bytes()),
      "\n");
  for (const v1::Alarm& alarm : is.alarms()) {
    absl::StrAppend(&text, "alarm ", Plain(alarm.code()), ": ", Plain(alarm.text()), "\n");
  }
  return text;
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const auto interval, args.Duration("--interval"));
  ASSIGN_OR_RETURN(const auto looks, args.Integer("--looks", 1));
  ASSIGN_OR_RETURN(const auto most, args.Integer("--max", 1));
  const absl::Duration pause = interval.value_or(kInterval);
  if (pause < kShortestInterval) return UsageError("--interval: at least 100ms");
  ASSIGN_OR_RETURN(Look before, LookNow(context));
  for (int64_t count = 0; !looks.has_value() || count < *looks; ++count) {
    absl::SleepFor(pause);
    ASSIGN_OR_RETURN(Look now, LookNow(context));
    const Table table = GroupTable(before, now, static_cast<size_t>(most.value_or(30)));
    RETURN_IF_ERROR(context.ClearScreen());
    RETURN_IF_ERROR(context.PrintHeading(Heading(before, now)));
    RETURN_IF_ERROR(context.output().Print({&now.status, &now.groups}, table));
    before = std::move(now);
  }
  return absl::OkStatus();
}

}  // namespace

Command TopCommand() {
  return {"top",
          {},
          "what goes on: rates, and of each group lag, retries, dead letters and headroom",
          "The groups that are furthest behind come first. DONE/S are events processed, FAILED/S\n"
          "attempts that failed, RETRY/S events leased again; DRAIN is how long until nothing\n"
          "waits at the pace of the last minute, HEADROOM how long until retention takes the\n"
          "oldest event that waits. With -o json a document for each look has the counters.",
          "acta top --looks 1",
          {{"--interval", "TIME", "between two looks (2s)"},
           {"--looks", "N", "ends after so many (until Ctrl-C)"},
           {"--max", "N", "groups shown (30)"}},
          Run};
}

}  // namespace acta::cli
