#include "tools/acta/commands/queue_options.h"

#include <limits>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

// An option, and the field of acta.v1.QueueSettings that it sets.
struct Setting {
  const char* option;
  const char* value_name;
  const char* help;
  const char* field;
};
constexpr Setting kSettings[] = {
    {"--order", "ORDER", "unordered, key or key-relaxed (unordered)", "order"},
    {"--lease", "TIME", "how long a member has an event, 1s to 12h (30s)", "lease"},
    {"--max-attempts", "N", "until --on-exhausted, 1 to 1000 (10)", "max_attempts"},
    {"--on-exhausted", "HOW", "dead-letter or hold-key (dead-letter; of order key: hold-key)",
     "on_exhausted"},
    {"--backoff", "TIME", "until the first retry, 10ms to 24h (1s)", "backoff_initial"},
    {"--backoff-factor", "X", "how much longer each further wait is, 1 to 100 (2)",
     "backoff_factor"},
    {"--backoff-max", "TIME", "longest wait, 10ms to 30d (10m)", "backoff_max"},
    {"--backoff-jitter", "X", "plus or minus this part of a wait, 0 to 1 (0.2)", "backoff_jitter"},
    {"--dead-letter-retention", "TIME", "dead letters are kept so long, 1m to 400d (30d)",
     "dead_letter_retention"},
    {"--max-dead-letters", "N", "with so many nothing more is delivered (100000)",
     "max_dead_letters"},
};

absl::StatusOr<std::optional<double>> ReadFraction(const Args& args, absl::string_view option,
                                                   double least, double most) {
  if (!args.Has(option)) return std::nullopt;
  double value = 0;
  // Not a number is neither below nor above.
  if (!absl::SimpleAtod(args.Get(option), &value) || !(value >= least && value <= most)) {
    return UsageError(absl::StrCat(option, ": '", args.Get(option), "' is not a number from ",
                                   least, " to ", most));
  }
  return value;
}

absl::Status ReadOrder(const Args& args, v1::QueueSettings* settings) {
  if (!args.Has("--order")) return absl::OkStatus();
  const std::string& text = args.Get("--order");
  for (const auto order :
       {v1::QUEUE_ORDER_UNORDERED, v1::QUEUE_ORDER_KEY, v1::QUEUE_ORDER_KEY_RELAXED}) {
    if (text == OrderText(order)) settings->set_order(order);
  }
  if (settings->order() != v1::QUEUE_ORDER_UNSPECIFIED) return absl::OkStatus();
  return UsageError(absl::StrCat("--order: '", text, "' is not unordered, key or key-relaxed"));
}

absl::Status ReadOnExhausted(const Args& args, v1::QueueSettings* settings) {
  if (!args.Has("--on-exhausted")) return absl::OkStatus();
  const std::string& text = args.Get("--on-exhausted");
  for (const auto how : {v1::ON_EXHAUSTED_DEAD_LETTER, v1::ON_EXHAUSTED_HOLD_KEY}) {
    if (text == OnExhaustedText(how)) settings->set_on_exhausted(how);
  }
  if (settings->on_exhausted() != v1::ON_EXHAUSTED_UNSPECIFIED) return absl::OkStatus();
  return UsageError(absl::StrCat("--on-exhausted: '", text, "' is not dead-letter or hold-key"));
}

absl::Status ReadBackoff(const Args& args, v1::QueueSettings* settings) {
  ASSIGN_OR_RETURN(const auto initial, args.Duration("--backoff"));
  if (initial) *settings->mutable_backoff_initial() = ToProtoDuration(*initial);
  ASSIGN_OR_RETURN(const auto factor, ReadFraction(args, "--backoff-factor", 1, 100));
  if (factor) settings->set_backoff_factor(*factor);
  ASSIGN_OR_RETURN(const auto max, args.Duration("--backoff-max"));
  if (max) *settings->mutable_backoff_max() = ToProtoDuration(*max);
  ASSIGN_OR_RETURN(const auto jitter, ReadFraction(args, "--backoff-jitter", 0, 1));
  if (jitter) settings->set_backoff_jitter(*jitter);
  return absl::OkStatus();
}

absl::Status ReadDeadLetters(const Args& args, v1::QueueSettings* settings) {
  ASSIGN_OR_RETURN(const auto retention, args.Duration("--dead-letter-retention"));
  if (retention) *settings->mutable_dead_letter_retention() = ToProtoDuration(*retention);
  ASSIGN_OR_RETURN(const auto most, args.Integer("--max-dead-letters", 1, 1'000'000));
  if (most) settings->set_max_dead_letters(*most);
  return absl::OkStatus();
}

absl::Status ReadSettings(const Args& args, v1::QueueSettings* settings) {
  RETURN_IF_ERROR(ReadOrder(args, settings));
  ASSIGN_OR_RETURN(const auto lease, args.Duration("--lease"));
  if (lease) *settings->mutable_lease() = ToProtoDuration(*lease);
  ASSIGN_OR_RETURN(const auto attempts, args.Integer("--max-attempts", 1, 1000));
  if (attempts) settings->set_max_attempts(static_cast<int32_t>(*attempts));
  RETURN_IF_ERROR(ReadOnExhausted(args, settings));
  RETURN_IF_ERROR(ReadBackoff(args, settings));
  return ReadDeadLetters(args, settings);
}

}  // namespace

std::vector<Option> QueueSettingOptions() {
  std::vector<Option> options;
  for (const Setting& setting : kSettings) {
    options.push_back({setting.option, setting.value_name, absl::StrCat("queue: ", setting.help)});
  }
  return options;
}

std::vector<Option> QueueOptions() {
  std::vector<Option> options = {{"--mode", "MODE", "stream or queue (stream)"}};
  for (Option& option : QueueSettingOptions()) options.push_back(std::move(option));
  return options;
}

absl::Status ReadQueueChanges(const Args& args, v1::QueueSettings* settings,
                              std::vector<std::string>* fields) {
  for (const Setting& setting : kSettings) {
    if (args.Has(setting.option)) fields->push_back(absl::StrCat("queue.", setting.field));
  }
  return ReadSettings(args, settings);
}

absl::StatusOr<v1::GroupMode> ReadMode(const Args& args) {
  if (!args.Has("--mode")) return v1::GROUP_MODE_UNSPECIFIED;
  const std::string& text = args.Get("--mode");
  if (text == "stream") return v1::GROUP_MODE_STREAM;
  if (text == "queue") return v1::GROUP_MODE_QUEUE;
  return UsageError(absl::StrCat("--mode: '", text, "' is not stream or queue"));
}

absl::Status ReadQueueOptions(const Args& args, v1::Group* group) {
  ASSIGN_OR_RETURN(const v1::GroupMode mode, ReadMode(args));
  if (mode != v1::GROUP_MODE_QUEUE) {
    for (const Setting& setting : kSettings) {
      if (!args.Has(setting.option)) continue;
      return UsageError(absl::StrCat(setting.option, " is a setting of queues: say --mode queue"));
    }
    group->set_mode(v1::GROUP_MODE_STREAM);
    return absl::OkStatus();
  }
  group->set_mode(mode);
  return ReadSettings(args, group->mutable_queue());
}

std::string QueueText(const v1::QueueSettings& settings) {
  return absl::StrCat(
      "order ", OrderText(settings.order()), ", lease ", DurationText(settings.lease()), ", ",
      settings.max_attempts(), " attempts and then ", OnExhaustedText(settings.on_exhausted()),
      ", backoff ", DurationText(settings.backoff_initial()), " x", settings.backoff_factor(),
      " up to ", DurationText(settings.backoff_max()), " +-", settings.backoff_jitter() * 100,
      "%, dead letters kept ", DurationText(settings.dead_letter_retention()), ", at most ",
      settings.max_dead_letters());
}

}  // namespace acta::cli
