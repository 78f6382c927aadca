#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/cpp/publisher.h"
#include "proto/support/error.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/interrupt.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/deliver_at.h"
#include "tools/acta/commands/topic_options.h"
#include "tools/acta/events/cause_text.h"
#include "tools/acta/events/event_text.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"
#include "tools/acta/publish/event_builder.h"
#include "tools/acta/publish/latencies.h"
#include "tools/acta/publish/line_reader.h"
#include "tools/acta/publish/pacer.h"
#include "tools/acta/publish/scheduled_publish.h"

namespace acta::cli {
namespace {

constexpr absl::Duration kProgressEvery = absl::Milliseconds(200);
constexpr int64_t kMostWarnings = 10;

// Which event of its batch a refusal is about; -1: it is about none.
int64_t EventIndexOf(const absl::Status& refusal) {
  const auto details = DetailsOf(refusal);
  const auto at = details.find("event_index");
  int64_t index = 0;
  return at != details.end() && absl::SimpleAtoi(at->second, &index) ? index : -1;
}

// What became of the events. The answers come on the publisher's thread; everything is read after
// it has flushed, but for what is atomic.
struct Answers {
  // `latency`: since it was sent.
  void Add(const client::EventResult& result, absl::Duration latency, int64_t line) {
    if (!result.status.ok()) {
      // Of a batch that is refused all events fail, in their order.
      if (failed == 0) refusal = result.status;
      if (result.status == refusal && failed == EventIndexOf(refusal)) refused_line = line;
      ++failed;
      any_failed.store(true, std::memory_order_relaxed);
      return;
    }
    ++(result.duplicate ? duplicates : stored);
    latencies.Add(latency);
  }

  int64_t stored = 0;
  int64_t duplicates = 0;
  int64_t failed = 0;
  absl::Status refusal;      // The first one.
  int64_t refused_line = 0;  // That it is about; 0: none is known.
  std::atomic<bool> any_failed{false};
  Latencies latencies;
};

// One run of the command: lines become events, which are sent as fast as they are taken.
class PublishRun {
 public:
  PublishRun(CommandContext& context, LineReader reader, EventBuilder builder,
             std::optional<int32_t> partition, std::optional<int64_t> rate,
             std::optional<v1::CausedBy> cause)
      : context_(context),
        topic_(context.args().Get("TOPIC")),
        reader_(std::move(reader)),
        builder_(std::move(builder)),
        partition_(partition),
        cause_(std::move(cause)),
        start_(clock_.SinceBoot()) {
    if (rate) pacer_.emplace(*rate, start_);
  }

  // Shows what would be sent.
  absl::Status Show() {
    const absl::Status status = ShowAll();
    HintAtMissing();
    return FirstError(status, Whole("what was read is shown"));
  }

  absl::Status Schedule(absl::Time at, const client::PublisherOptions& options) {
    if (pacer_) return UsageError("--rate: events that are scheduled have no rate");
    const absl::Status status =
        PublishLater(context_, at, partition_, options, cause_, [this] { return NextEvent(); });
    HintAtMissing();
    return FirstError(status, Whole("what was read is scheduled"));
  }

  absl::Status Send(const client::PublisherOptions& options) {
    client::Publisher publisher(context_.channel(), options);
    absl::Status status = SendAll(publisher);
    const absl::Status closed = publisher.Close();
    context_.terminal().EndProgress();
    HintAtMissing();
    status.Update(closed);
    return Report(WithLine(status));
  }

 private:
  // Nothing at the end, or when it is interrupted. Errors name the line.
  absl::StatusOr<std::optional<v1::Event>> NextEvent() {
    absl::string_view line;
    while (!Interrupted()) {
      ASSIGN_OR_RETURN(const bool more, reader_.Next(&line));
      at_end_ = !more && !Interrupted();
      if (!more) return std::nullopt;
      if (builder_.Skips(line)) continue;
      absl::StatusOr<v1::Event> event = builder_.Build(line);
      if (event.ok()) return *std::move(event);
      const std::string where = absl::StrCat(reader_.name(), ", line ", reader_.line_number(), ": ",
                                             event.status().message());
      if (!context_.args().Has("--skip-bad")) return absl::InvalidArgumentError(where);
      if (skipped_++ == kMostWarnings)
        context_.terminal().Warn("further bad lines are only counted");
      if (skipped_ <= kMostWarnings) context_.terminal().Warn(where);
    }
    return std::nullopt;
  }

  // Not when lines were skipped, or not read: what became of the others, in words.
  absl::Status Whole(absl::string_view others) const {
    if (Interrupted() && !at_end_) {
      return PartlyDoneError(absl::StrCat("interrupted before the end of the input; ", others));
    }
    if (skipped_ == 0) return absl::OkStatus();
    return PartlyDoneError(absl::StrCat(skipped_, skipped_ == 1 ? " line is" : " lines are",
                                        " no event and skipped; ", others));
  }

  absl::Status ShowAll() {
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<v1::Event> event, NextEvent());
      if (!event.has_value()) return absl::OkStatus();
      RETURN_IF_ERROR(WriteAll(stdout, UnstoredEventText(*event, topic_)));
    }
  }

  absl::Status SendAll(client::Publisher& publisher) {
    while (!answers_.any_failed.load(std::memory_order_relaxed)) {
      ASSIGN_OR_RETURN(const std::optional<v1::Event> event, NextEvent());
      if (!event.has_value()) return absl::OkStatus();
      if (pacer_) absl::SleepFor(pacer_->Wait(clock_.SinceBoot()));
      const absl::Duration now = clock_.SinceBoot();
      auto done = [this, now, line = reader_.line_number()](const client::EventResult& result) {
        answers_.Add(result, clock_.SinceBoot() - now, line);
      };
      RETURN_IF_ERROR(Publish(publisher, *event, std::move(done)));
      ++sent_;
      bytes_ += static_cast<int64_t>(event->ByteSizeLong());
      ShowProgress(now);
    }
    return absl::OkStatus();
  }

  absl::Status Publish(client::Publisher& publisher, const v1::Event& event,
                       client::Publisher::EventDone done) const {
    if (cause_.has_value()) {
      return publisher.PublishCausedBy(*cause_, topic_, partition_, event, std::move(done));
    }
    if (partition_.has_value()) {
      return publisher.PublishTo(topic_, *partition_, event, std::move(done));
    }
    return publisher.Publish(topic_, event, std::move(done));
  }

  void ShowProgress(absl::Duration now) {
    if (now < next_progress_) return;
    next_progress_ = now + kProgressEvery;
    context_.terminal().Progress(absl::StrCat(CountText(sent_, "event"), ", ", BytesText(bytes_)));
  }

  void HintAtMissing() {
    for (const auto& [option, count] : builder_.mapping().missing()) {
      const std::string text =
          absl::StrCat(CountText(count, "event"), " had nothing where ", option, " points to");
      // Without an id an event that is sent again is stored again.
      option == "--id" ? context_.terminal().Warn(text) : context_.terminal().Hint(text);
    }
  }

  // People know lines of their file, and no batches.
  absl::Status WithLine(const absl::Status& status) const {
    const int64_t line = answers_.refused_line;
    if (line == 0 || status != answers_.refusal || context_.args().Has("DATA")) return status;
    absl::Status named(status.code(),
                       absl::StrCat(reader_.name(), ", line ", line, ": ", status.message()));
    status.ForEachPayload([&named](absl::string_view type, const absl::Cord& payload) {
      named.SetPayload(type, payload);
    });
    return named;
  }

  absl::Status Report(const absl::Status& status) {
    const int64_t answered = answers_.stored + answers_.duplicates;
    if (!status.ok() && answered == 0) return status;
    const absl::Duration took = clock_.SinceBoot() - start_;
    Table table({"EVENTS", "STORED", "DUPLICATES", "FAILED", "BYTES", "SECONDS", "EVENTS_PER_S",
                 "ACK_P50", "ACK_P99"});
    const double seconds = absl::ToDoubleSeconds(took);
    table.Row(sent_, answers_.stored, answers_.duplicates, answers_.failed, bytes_,
              absl::StrFormat("%.3f", seconds),
              static_cast<int64_t>(static_cast<double>(answered) / std::max(seconds, 1e-6)),
              LatencyText(0.5), LatencyText(0.99));
    return FirstError(Verdict(status, answered), context_.output().PrintRows(table));
  }

  absl::Status Verdict(const absl::Status& status, int64_t answered) const {
    const std::string through = absl::StrCat(CountText(answered, "event"), " went through");
    if (status.ok()) return Whole(through);
    return PartlyDoneError(absl::StrCat(DescribeError(status), "; ", through));
  }

  // Quantiles are exact to 6 %.
  std::string LatencyText(double fraction) const {
    const absl::Duration latency = answers_.latencies.Quantile(fraction);
    return DurationText(
        latency < absl::Milliseconds(10) ? latency : absl::Trunc(latency, absl::Milliseconds(1)));
  }

  CommandContext& context_;
  const std::string topic_;
  LineReader reader_;
  EventBuilder builder_;
  const std::optional<int32_t> partition_;
  const std::optional<v1::CausedBy> cause_;
  const SystemClock clock_;
  const absl::Duration start_;  // Since boot.
  std::optional<Pacer> pacer_;  // None: as fast as it goes.
  absl::Duration next_progress_ = start_ + kProgressEvery;
  int64_t sent_ = 0;
  int64_t skipped_ = 0;  // Lines.
  bool at_end_ = false;  // Of the input.
  int64_t bytes_ = 0;
  Answers answers_;
};

absl::StatusOr<LineReader> OpenInput(const Args& args) {
  if (!args.Has("DATA")) return LineReader::OpenFile(args.GetOr("--file", "-"));
  if (args.Has("--file")) return UsageError("DATA and --file exclude each other");
  return LineReader::OfText(args.Get("DATA"));
}

absl::StatusOr<client::PublisherOptions> ReadOptions(CommandContext& context) {
  client::PublisherOptions options;
  options.app = context.args().GetOr("--app", "acta");
  options.app_version =
      context.args().GetOr("--app-version", context.args().Has("--app") ? "" : ACTA_VERSION);
  options.retry_for = context.channel()->options().deadline;
  ASSIGN_OR_RETURN(options.level, ReadLevel(context.args(), "--ack"));
  ASSIGN_OR_RETURN(const auto batch, context.args().Size("--batch"));
  if (batch.value_or(1) < 1 || batch.value_or(1) > 1 << 20) {
    return UsageError("--batch: a batch has from 1 byte to 1MiB");
  }
  options.batch_bytes = static_cast<int32_t>(batch.value_or(options.batch_bytes));
  return options;
}

// Of the option, or else of the event whose command this runs in, if that is of the same broker.
absl::StatusOr<std::optional<v1::CausedBy>> ReadCause(CommandContext& context) {
  const Args& args = context.args();
  const char* const inherited = std::getenv("ACTA_CAUSED_BY");
  const std::string text = args.Has("--caused-by") ? args.Get("--caused-by")
                           : inherited == nullptr  ? ""
                                                   : inherited;
  if (text.empty() || text == "none") return std::nullopt;
  const absl::StatusOr<Cause> cause = ParseCause(text);
  if (!cause.ok()) return UsageError(absl::StrCat("--caused-by: ", cause.status().message()));
  if (cause->server == context.channel()->address()) return cause->event;
  if (!args.Has("--caused-by")) return std::nullopt;
  return UsageError(absl::StrCat("--caused-by: it is of a delivery of ", cause->server,
                                 ", and means nothing to ", context.channel()->address()));
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(EventBuilder builder, EventBuilder::Make(args, context.now()));
  ASSIGN_OR_RETURN(const client::PublisherOptions options, ReadOptions(context));
  ASSIGN_OR_RETURN(const auto at, ReadDeliverAt(args, context.now()));
  ASSIGN_OR_RETURN(const auto rate, args.Integer("--rate", 1));
  ASSIGN_OR_RETURN(const auto number, args.Integer("--partition", 0, 65'535));
  ASSIGN_OR_RETURN(const auto cause, ReadCause(context));
  ASSIGN_OR_RETURN(LineReader reader, OpenInput(args));
  if (!args.Has("DATA") && args.GetOr("--file", "-") == "-" && isatty(STDIN_FILENO) == 1) {
    context.terminal().Hint("each line that you type is an event; Ctrl-D ends");
  }
  StopOnSignals();
  std::optional<int32_t> partition;
  if (number) partition = static_cast<int32_t>(*number);
  PublishRun run(context, std::move(reader), std::move(builder), partition, rate, cause);
  if (args.Has("--dry-run")) return run.Show();
  return at.has_value() ? run.Schedule(*at, options) : run.Send(options);
}

}  // namespace

Command PublishCommand() {
  return {
      "publish",
      {"TOPIC", "[DATA]"},
      "publishes DATA, or each line of a file or of standard input",
      "A field is a text, or with --format jsonl or cloudevents a place in the event's JSON:\n"
      "@/properties/net is a JSON pointer, @@ a literal @. A time is RFC 3339 or -15m; a place\n"
      "with a number says its unit: @/when:ms, :s or :us. Stops at the first event that is\n"
      "refused. Events that carry an id may be sent again: the broker stores them once. Data of\n"
      "CloudEvents that is JSON is stored without the blanks between its parts. Ctrl-C ends it\n"
      "in good order: what was read is stored, and counted.",
      R"(echo '{"id": "o-1", "customer": "ann"}' | )"
      "acta publish orders --format jsonl --id @/id --key @/customer",
      {{"--file", "FILE", "lines of this file, also gzip; - is standard input (-)"},
       {"--format", "FORMAT", "text, jsonl or cloudevents (text)"},
       {"--id", "FIELD", "the event's id, unique for its producer"},
       {"--key", "FIELD", "events of one key keep their order"},
       {"--type", "FIELD", "what happened (acta.cli)"},
       {"--source", "FIELD", "who says so (/acta/cli)"},
       {"--time", "TIME", "when it happened"},
       {"--subject", "FIELD", "what it is about"},
       {"--correlation", "FIELD", "the journey it belongs to"},
       {"--causation", "FIELD", "the id of the event that caused it"},
       {"--affected", "KIND:FIELD", "whom it is about, as customer:ann", true},
       {"--process", "FIELD", "the business process it is part of"},
       {"--schema", "FIELD", "the schema of its data"},
       {"--traceparent", "FIELD", "the trace it belongs to (W3C trace context)"},
       {"--app", "NAME", "which application publishes (acta)"},
       {"--app-version", "VERSION", "and its version"},
       {"--caused-by", "EVENT",
        "a delivered event that caused it; none: nothing ($ACTA_CAUSED_BY)"},
       {"--attribute", "NAME=VALUE", "an attribute of every event", true},
       {"--partition", "N", "to this partition, instead of the key's"},
       {"--ack", "LEVEL", "fsync or os (the topic's)"},
       {"--batch", "SIZE", "a batch is closed above this (64KiB)"},
       {"--rate", "N", "at most so many events a second"},
       {"--deliver-at", "TIME", "publishes then, up to 400 days ahead; prints schedules"},
       {"--delay", "TIME", "publishes after so long; prints schedules"},
       {"--skip-bad", "", "passes over lines that are no event, and exits with 6"},
       {"--dry-run", "", "shows the events as JSON and sends nothing"}},
      Run};
}

}  // namespace acta::cli
