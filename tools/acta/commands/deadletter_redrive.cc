#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/admin.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/interrupt.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(200);
constexpr absl::Duration kSlice = absl::Milliseconds(50);

void Pause(absl::Duration length) {
  const SystemClock clock;
  const absl::Duration end = clock.SinceBoot() + length;
  while (clock.SinceBoot() < end && !Interrupted()) absl::SleepFor(kSlice);
}

absl::StatusOr<v1::Redrive> FindRedrive(CommandContext& context, const std::string& group,
                                        const std::string& id) {
  v1::ListRedrivesRequest list;
  list.set_group(group);
  ASSIGN_OR_RETURN(const v1::ListRedrivesResponse response, context.admin().ListRedrives(list));
  for (const v1::Redrive& redrive : response.redrives()) {
    if (redrive.redrive_id() == id) return redrive;
  }
  return absl::AbortedError(absl::StrCat("the broker forgot redrive ", id));
}

// Until it has ended; Ctrl-C cancels it.
absl::StatusOr<v1::Redrive> Follow(CommandContext& context, const std::string& group,
                                   v1::Redrive redrive) {
  while (redrive.state() == v1::REDRIVE_STATE_RUNNING) {
    if (Interrupted()) {
      v1::CancelRedriveRequest cancel;
      cancel.set_group(group);
      cancel.set_redrive_id(redrive.redrive_id());
      ASSIGN_OR_RETURN(const v1::CancelRedriveResponse response,
                       context.admin().CancelRedrive(cancel));
      return response.redrive();
    }
    Pause(kLookEvery);
    ASSIGN_OR_RETURN(redrive, FindRedrive(context, group, redrive.redrive_id()));
    context.terminal().Progress(
        absl::StrCat("redriven ", redrive.redriven(), " of ", redrive.selected(), ", dead again ",
                     redrive.died_again(), redrive.text().empty() ? "" : ", ", redrive.text()));
  }
  return redrive;
}

absl::StatusOr<std::optional<double>> ReadStopIf(const Args& args) {
  if (!args.Has("--stop-if")) return std::nullopt;
  if (!args.Has("--rate")) return UsageError("--stop-if needs --rate: without it all go at once");
  double ratio = 0;
  if (!absl::SimpleAtod(args.Get("--stop-if"), &ratio) || !(ratio >= 0 && ratio <= 1)) {
    return UsageError(
        absl::StrCat("--stop-if: '", args.Get("--stop-if"), "' is not a number from 0 to 1"));
  }
  return ratio;
}

absl::StatusOr<v1::RedriveDeadLettersRequest> ReadRequest(CommandContext& context) {
  const Args& args = context.args();
  v1::RedriveDeadLettersRequest request;
  request.set_group(args.Get("GROUP"));
  ASSIGN_OR_RETURN(*request.mutable_selection(), ReadRequiredSelection(args, context.now()));
  ASSIGN_OR_RETURN(const auto max, args.Integer("--max", 1));
  ASSIGN_OR_RETURN(const auto redrives, args.Integer("--max-redrives", 1, 1000));
  request.set_dry_run(args.Has("--dry-run"));
  request.set_max(max.value_or(0));
  request.set_accept_order(args.Has("--accept-order"));
  request.set_max_redrives(static_cast<int32_t>(redrives.value_or(0)));
  return request;
}

absl::Status Show(CommandContext& context, const v1::RedriveDeadLettersResponse& result) {
  Table table({"REDRIVEN", "TOO_OFTEN", "LEFT"});
  table.Row(result.redriven(), result.too_often(), result.left());
  return context.output().Print({&result}, table);
}

// Those that --max left were not asked for.
absl::Status PartlyUnless(bool as_asked, const v1::RedriveDeadLettersResponse& result,
                          absl::string_view why) {
  if (as_asked) return absl::OkStatus();
  return PartlyDoneError(absl::StrCat(why, ": ", result.redriven(), " were redriven, ",
                                      result.left() + result.too_often(), " are left"));
}

absl::Status Judge(const v1::RedriveDeadLettersRequest& request,
                   const v1::RedriveDeadLettersResponse& result) {
  const bool enough = request.max() > 0 && result.redriven() >= request.max();
  if (result.too_often() > 0 && !enough) {
    return PartlyUnless(false, result, "some were redriven as often as --max-redrives says");
  }
  return PartlyUnless(enough || result.left() == 0, result, "not all could be redriven");
}

absl::Status Judge(const v1::Redrive& redrive) {
  const int64_t stayed = redrive.too_often() + redrive.left();
  const bool enough = redrive.max() > 0 && redrive.redriven() >= redrive.max();
  if (redrive.state() == v1::REDRIVE_STATE_DONE && (enough || stayed == 0)) {
    return absl::OkStatus();
  }
  const bool done = redrive.state() == v1::REDRIVE_STATE_DONE;
  return PartlyDoneError(absl::StrCat(done ? "not all could be redriven" : redrive.text(), ": ",
                                      redrive.redriven(), " of ", redrive.selected(),
                                      " were redriven"));
}

absl::Status RunAtRate(CommandContext& context, const v1::RedriveDeadLettersRequest& request,
                       int64_t rate, std::optional<double> stop_if) {
  v1::StartRedriveRequest start;
  start.set_group(request.group());
  *start.mutable_selection() = request.selection();
  start.set_max(request.max());
  start.set_accept_order(request.accept_order());
  start.set_max_redrives(request.max_redrives());
  start.set_rate(rate);
  if (stop_if.has_value()) start.set_stop_if(*stop_if);
  const bool follows = !context.args().Has("--detach");
  if (follows) StopOnCtrlC();
  ASSIGN_OR_RETURN(const v1::StartRedriveResponse started, context.admin().StartRedrive(start));
  const std::string& id = started.redrive().redrive_id();
  if (!follows) {
    RETURN_IF_ERROR(
        context.output().Print({&started.redrive()}, RedriveTable({&started.redrive()})));
    context.terminal().Hint(absl::StrCat("look: acta deadletter redrives ", request.group()));
    return absl::OkStatus();
  }
  context.terminal().Hint(
      absl::StrCat("redrive ", id, " goes on without this command, but not ", "after Ctrl-C"));
  absl::StatusOr<v1::Redrive> redrive = Follow(context, request.group(), started.redrive());
  context.terminal().EndProgress();
  if (absl::IsUnavailable(redrive.status()) || absl::IsDeadlineExceeded(redrive.status())) {
    context.terminal().Hint(
        absl::StrCat("it may go on: acta deadletter redrives ", request.group()));
  }
  RETURN_IF_ERROR(redrive.status());
  return FirstError(Judge(*redrive),
                    context.output().Print({&*redrive}, RedriveTable({&*redrive})));
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const std::optional<double> stop_if, ReadStopIf(args));
  if (args.Has("--detach") && !args.Has("--rate")) {
    return UsageError("--detach needs --rate: without it all go at once");
  }
  int64_t rate = 0;
  if (args.Has("--rate")) {
    ASSIGN_OR_RETURN(rate, ParseRate(args.Get("--rate")));
  }
  ASSIGN_OR_RETURN(const v1::RedriveDeadLettersRequest request, ReadRequest(context));
  if (rate > 0 && !request.dry_run()) return RunAtRate(context, request, rate, stop_if);
  ASSIGN_OR_RETURN(const v1::RedriveDeadLettersResponse result,
                   context.admin().RedriveDeadLetters(request));
  const absl::Status shown = Show(context, result);
  if (!result.dry_run()) return FirstError(Judge(request, result), shown);
  context.terminal().Hint("nothing was changed: --dry-run");
  return shown;
}

}  // namespace

Command DeadletterRedriveCommand() {
  std::vector<Option> options = DeadLetterFilters();
  for (const Option& option :
       {Option{"--all", "", "every one"},
        Option{"--dry-run", "", "say how many and change nothing"},
        Option{"--max", "N", "at most so many, the oldest offsets first"},
        Option{"--rate", "N/s", "so many a second, by the broker; Ctrl-C cancels"},
        Option{"--detach", "", "with --rate: do not wait for the end"},
        Option{"--stop-if", "RATIO",
               "with --rate: stop when more than this share, 0 to 1, dies again"},
        Option{"--accept-order", "", "also those whose key went on without them"},
        Option{"--max-redrives", "N", "those redriven so often already stay, 1 to 1000 (10)"}}) {
    options.push_back(option);
  }
  return {
      "deadletter redrive",
      {"GROUP", "[REF...]"},
      "offers dead letters to their group again, with new attempts",
      "REF is TOPIC/PARTITION/OFFSET; all conditions that are given hold. What is HELD is "
      "redriven\n"
      "as dead letters are. Exits 6 when some of\n"
      "what was selected stayed. With --rate the broker does it, also when this command is gone\n"
      "or the broker was restarted: `acta deadletter redrives`, `acta deadletter cancel`.",
      "acta deadletter redrive billing --all --rate 100/s --stop-if 0.2",
      options,
      Run};
}

}  // namespace acta::cli
