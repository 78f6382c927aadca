#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"
#include "tools/acta/subscribe/interrupt.h"

namespace acta::cli {
namespace {

constexpr int32_t kPageLetters = 1000;
constexpr int64_t kMostAtOnce = 1000;
constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr absl::Duration kSlice = absl::Milliseconds(50);

// Redrives at a rate: a tenth of a second's worth a call. What dies again meanwhile is not taken a
// second time.
class PacedRedrive {
 public:
  PacedRedrive(CommandContext& context, const v1::RedriveDeadLettersRequest& request, int64_t rate,
               std::optional<double> stop_if)
      : context_(context),
        request_(request),
        rate_(rate),
        stop_if_(stop_if),
        refs_(request.selection().letters().begin(), request.selection().letters().end()),
        rest_(request.max() == 0 ? std::numeric_limits<int64_t>::max() : request.max()) {}

  // Whatever it returns, result() says how far it came.
  absl::Status Run() {
    StopOnSignals();
    RETURN_IF_ERROR(NoteWhatIsDead());
    absl::Time next = absl::Now();
    absl::Time look = next + kLookEvery;
    while (rest_ > 0) {
      if (Interrupted()) return Stopped("interrupted");
      const int64_t before = result_.redriven();
      RETURN_IF_ERROR(RedriveSome());
      ShowProgress();
      if (AllTried()) return DiedTooOften();
      if (refs_.empty() && result_.redriven() == before) {
        return Stopped("nothing more can be redriven now");
      }
      next += absl::Seconds(1) * (result_.redriven() - before) / rate_;
      SleepUntil(next);
      if (absl::Now() < look) continue;
      look = absl::Now() + kLookEvery;
      RETURN_IF_ERROR(DiedTooOften());
    }
    return DiedTooOften();
  }

  const v1::RedriveDeadLettersResponse& result() const { return result_; }

 private:
  // How often each was redriven, and when the newest of them died.
  absl::Status NoteWhatIsDead() {
    v1::ListDeadLettersRequest list;
    *list.mutable_selection() = request_.selection();
    absl::Time newest = absl::UnixEpoch();
    RETURN_IF_ERROR(ForEach(std::move(list), [&](const v1::DeadLetter& letter) {
      redrives_[RefText(letter.ref())] = letter.redrives();
      newest = std::max(newest, FromProtoTime(letter.dead_time()));
    }));
    since_ = newest + absl::Microseconds(1);
    if (refs_.empty()) *request_.mutable_selection()->mutable_before() = ToProtoTime(since_);
    result_.set_left(static_cast<int64_t>(refs_.empty() ? redrives_.size() : refs_.size()));
    return absl::OkStatus();
  }

  template <typename Take>
  absl::Status ForEach(v1::ListDeadLettersRequest list, Take take) {
    list.set_group(request_.group());
    list.set_page_size(kPageLetters);
    do {
      ASSIGN_OR_RETURN(const v1::ListDeadLettersResponse page,
                       context_.admin().ListDeadLetters(list));
      for (const v1::DeadLetter& letter : page.dead_letters()) take(letter);
      list.set_page_token(page.next_page_token());
    } while (!list.page_token().empty());
    return absl::OkStatus();
  }

  absl::Status RedriveSome() {
    const int64_t some = std::clamp<int64_t>(rate_ / 10, 1, std::min(rest_, kMostAtOnce));
    request_.set_max(some);
    const size_t named = std::min(refs_.size() - next_ref_, static_cast<size_t>(some));
    if (!refs_.empty()) NameNext(named);
    ASSIGN_OR_RETURN(const v1::RedriveDeadLettersResponse response,
                     context_.admin().RedriveDeadLetters(request_));
    next_ref_ += named;
    result_.set_redriven(result_.redriven() + response.redriven());
    if (refs_.empty()) {
      result_.set_too_often(response.too_often());
      result_.set_left(response.left());
    } else {
      result_.set_too_often(result_.too_often() + response.too_often());
      result_.set_left(result_.left() - response.redriven() - response.too_often());
    }
    rest_ -= response.redriven();
    return absl::OkStatus();
  }

  bool AllTried() const { return refs_.empty() ? result_.left() == 0 : next_ref_ == refs_.size(); }

  void NameNext(size_t count) {
    auto* letters = request_.mutable_selection()->mutable_letters();
    letters->Clear();
    for (size_t i = 0; i < count; ++i) *letters->Add() = refs_[next_ref_ + i];
  }

  // Aborted when more of what was redriven died again than may.
  absl::Status DiedTooOften() {
    if (!stop_if_ || result_.redriven() == 0) return absl::OkStatus();
    v1::ListDeadLettersRequest list;
    *list.mutable_selection()->mutable_after() = ToProtoTime(since_);
    int64_t again = 0;
    RETURN_IF_ERROR(ForEach(std::move(list), [&](const v1::DeadLetter& letter) {
      const auto was = redrives_.find(RefText(letter.ref()));
      if (was != redrives_.end() && letter.redrives() > was->second) ++again;
    }));
    const double share = static_cast<double>(again) / static_cast<double>(result_.redriven());
    if (share <= *stop_if_) return absl::OkStatus();
    return Stopped(absl::StrCat(again, " of them are dead letters again"));
  }

  static absl::Status Stopped(absl::string_view why) { return absl::AbortedError(why); }

  void SleepUntil(absl::Time time) {
    while (absl::Now() < time && !Interrupted()) {
      absl::SleepFor(std::min(kSlice, time - absl::Now()));
    }
  }

  void ShowProgress() {
    context_.terminal().Progress(
        absl::StrCat("redriven ", result_.redriven(), ", left ", result_.left()));
  }

  CommandContext& context_;
  v1::RedriveDeadLettersRequest request_;
  const int64_t rate_;
  const std::optional<double> stop_if_;
  const std::vector<v1::DeadLetterRef> refs_;  // As named; empty: another selection.
  size_t next_ref_ = 0;
  int64_t rest_;  // How many more may be redriven.
  std::map<std::string, int32_t> redrives_;
  absl::Time since_;  // What is dead since then died after the first look.
  v1::RedriveDeadLettersResponse result_;
};

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

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const std::optional<double> stop_if, ReadStopIf(args));
  int64_t rate = 0;
  if (args.Has("--rate")) {
    ASSIGN_OR_RETURN(rate, ParseRate(args.Get("--rate")));
  }
  ASSIGN_OR_RETURN(const v1::RedriveDeadLettersRequest request, ReadRequest(context));
  v1::RedriveDeadLettersResponse result;
  absl::Status status;
  if (rate > 0 && !request.dry_run()) {
    PacedRedrive paced(context, request, rate, stop_if);
    status = paced.Run();
    result = paced.result();
    context.terminal().EndProgress();
    const bool stopped = absl::IsAborted(status);
    if (!status.ok() && !stopped && result.redriven() == 0) return status;
  } else {
    ASSIGN_OR_RETURN(result, context.admin().RedriveDeadLetters(request));
  }
  RETURN_IF_ERROR(Show(context, result));
  if (result.dry_run()) {
    context.terminal().Hint("nothing was changed: --dry-run");
    return absl::OkStatus();
  }
  if (!status.ok()) {
    return PartlyUnless(
        false, result,
        absl::IsAborted(status) ? std::string(status.message()) : DescribeError(status));
  }
  const bool enough = request.max() > 0 && result.redriven() >= request.max();
  if (result.too_often() > 0 && !enough) {
    return PartlyUnless(false, result, "some were redriven as often as --max-redrives says");
  }
  return PartlyUnless(enough || result.left() == 0, result, "not all could be redriven");
}

}  // namespace

Command DeadletterRedriveCommand() {
  std::vector<Option> options = DeadLetterFilters();
  for (const Option& option :
       {Option{"--all", "", "every one"},
        Option{"--dry-run", "", "say how many and change nothing"},
        Option{"--max", "N", "at most so many, the oldest offsets first"},
        Option{"--rate", "N/s", "so many a second; Ctrl-C stops"},
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
      "REF is TOPIC/PARTITION/OFFSET; all conditions that are given hold. Exits 6 when some of\n"
      "what was selected stayed.",
      "acta deadletter redrive billing --all --rate 100/s --stop-if 0.2",
      options,
      Run};
}

}  // namespace acta::cli
