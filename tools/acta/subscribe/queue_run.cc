#include "tools/acta/subscribe/queue_run.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/interrupt.h"
#include "tools/acta/events/cause_text.h"
#include "tools/acta/events/json_line.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/output.h"
#include "tools/acta/output/words.h"
#include "tools/acta/subscribe/command_verdict.h"

namespace acta::cli {
namespace {

// How long an interrupt may go unnoticed.
constexpr absl::Duration kNoticeEvery = absl::Milliseconds(50);

}  // namespace

QueueRun::QueueRun(CommandContext& context, SubscribeOptions options)
    : context_(context),
      options_(std::move(options)),
      printer_([](const std::string&, int32_t, int64_t) {}),
      running_(clock_, options_.lease),
      worker_(context_.channel(), Listening(options_.subscriber)) {
  if (options_.exec.empty()) return;
  pool_.emplace(
      options_.concurrency,
      [this](const EventPlace& place, const absl::StatusOr<CommandEnd>& end) {
        CommandEnded(place, end);
      },
      clock_);
}

client::WorkerOptions QueueRun::Listening(const client::SubscriberOptions& from) {
  client::WorkerOptions options;
  options.group = from.group;
  options.create_mode = from.create_mode;
  options.create_at = from.create_at;
  for (const v1::TopicPosition& topic : from.topics) options.topics.push_back(topic.topic());
  options.member_id = from.member_id;
  options.max_frame_bytes = from.max_frame_bytes;
  options.app = from.app;
  options.app_version = from.app_version;
  options.retry_for = from.retry_for;
  // What waits here for a command is leased, and its lease runs.
  if (!options_.exec.empty()) options.credit_events = options_.concurrency;
  options.delivery_tokens = from.delivery_tokens;
  options.credit_events = std::min(options.credit_events, options_.max);
  options.on_notice = [this](const v1::Notice& notice) {
    TellOfGroup(notice, options_.subscriber.group, context_.terminal());
    if (notice.code() == "EVENT_TOO_LARGE") context_.terminal().Warn(notice.text());
    if (notice.code() == "GROUP_RESET") ForgetBefore();
  };
  options.on_settle_error = [this](const client::SettleError& error) { OnSettleError(error); };
  return options;
}

void QueueRun::ForgetBefore() {
  written_.clear();
  while (pool_.has_value() && !pool_->WaitUntilIdle(kNoticeEvery)) continue;
}

absl::Status QueueRun::Run() { return Finish(pool_.has_value() ? RunCommands() : PrintAll()); }

absl::Status QueueRun::PrintAll() {
  RETURN_IF_ERROR(WriteAll(stdout, EventHeading(options_.format)));
  while (begun_ < options_.max && !Interrupted()) {
    // What is collected is written as soon as nothing more is at hand.
    const absl::Time deadline =
        printer_.empty() ? absl::Now() + kNoticeEvery : absl::InfinitePast();
    ASSIGN_OR_RETURN(const std::optional<client::WorkItem> item, worker_.Next(deadline));
    if (item.has_value()) {
      RETURN_IF_ERROR(Print(*item));
    } else if (!printer_.empty()) {
      RETURN_IF_ERROR(printer_.Flush());
    } else if (OutputIsClosed()) {
      break;
    }
    AckWritten();
  }
  return absl::OkStatus();
}

absl::Status QueueRun::Print(const client::WorkItem& item) {
  EventPlace place = {item.topic(), item.partition(), 0, item.append_time_us()};
  std::string text;
  EventElements elements(item.payload());
  absl::string_view bytes;
  v1::Event event;
  const int64_t before = begun_;
  while (begun_ < options_.max && elements.Next(&bytes)) {
    place.offset = item.OffsetOf(begun_ - before);
    RETURN_IF_ERROR(client::ParseEvent(bytes, &event));
    client::FillFromContext(item.context(), &event);
    text += EventText(options_.format, event, place);
    ++begun_;
  }
  int64_t left = begun_ - before;
  for (const auto& [first, end] : item.Runs()) {
    const int64_t count = std::min(left, end - first);
    if (count > 0) written_.push_back({place.topic, place.partition, first, count});
    left -= count;
  }
  return printer_.Add(text, place.topic, place.partition, place.offset + 1);
}

void QueueRun::AckWritten() {
  if (!printer_.empty()) return;
  for (const Written& one : std::exchange(written_, {})) {
    worker_.Ack(one.topic, one.partition, one.offset, one.count);
  }
}

absl::Status QueueRun::RunCommands() {
  while (begun_ < options_.max && !Interrupted()) {
    Extend();
    if (!pool_->WaitForRoom(kNoticeEvery)) continue;
    {
      MutexLock lock(mu_);
      RETURN_IF_ERROR(command_status_);
    }
    if (item_.has_value()) {
      RETURN_IF_ERROR(BeginNext());
      continue;
    }
    ASSIGN_OR_RETURN(item_, worker_.Next(absl::Now() + kNoticeEvery));
    if (!item_.has_value()) continue;
    // Once: the wall clock may be set while events of the item wait for a command.
    leased_until_ = clock_.SinceBoot() + (item_->lease_until() - clock_.Wall());
    elements_ = EventElements(item_->payload());
    index_ = 0;
  }
  return absl::OkStatus();
}

absl::Status QueueRun::BeginNext() {
  absl::string_view bytes;
  if (!elements_.Next(&bytes)) {
    item_.reset();
    return absl::OkStatus();
  }
  v1::Event event;
  RETURN_IF_ERROR(client::ParseEvent(bytes, &event));
  client::FillFromContext(item_->context(), &event);
  const EventPlace place = {item_->topic(), item_->partition(), item_->OffsetOf(index_),
                            item_->append_time_us(),
                            CauseText({item_->CauseOf(index_), context_.channel()->address()})};
  ++index_;
  ShellCommand command = {options_.exec, EventText(options_.format, event, place),
                          EventVariables(event, place)};
  command.variables.emplace_back("ACTA_ATTEMPT", absl::StrCat(item_->attempt()));
  command.variables.emplace_back("ACTA_REDRIVES", absl::StrCat(item_->redrives()));
  command.variables.emplace_back("ACTA_LEASE_UNTIL",
                                 TimeText(absl::ToUnixMicros(item_->lease_until())));
  command.keep_last_line = command.own_group = true;
  {
    MutexLock lock(mu_);
    running_.Begin({place.topic, place.partition, place.offset},
                   leased_until_ - clock_.SinceBoot());
  }
  pool_->Run(place, std::move(command));
  ++begun_;
  return absl::OkStatus();
}

void QueueRun::CommandEnded(const EventPlace& place, const absl::StatusOr<CommandEnd>& end) {
  v1::Settlement verdict;
  verdict.set_kind(v1::SETTLE_KIND_RELEASE);
  if (end.ok()) verdict = VerdictOf(*end);
  // It could not write, and would fail with every event: that says nothing of this one. But 75,
  // which has no reason, is what the command says.
  const bool failed = verdict.kind() == v1::SETTLE_KIND_NACK && !verdict.reason().empty();
  const bool nobody_reads = failed && OutputIsClosed();
  if (nobody_reads) {
    verdict.Clear();
    verdict.set_kind(v1::SETTLE_KIND_RELEASE);
  }
  {
    MutexLock lock(mu_);
    running_.End({place.topic, place.partition, place.offset});
    ++ended_[verdict.kind()];
    command_status_.Update(nobody_reads ? OutputClosedError() : end.status());
    if (end.ok() && CannotBeRun(*end)) {
      command_status_.Update(
          absl::UnknownError(absl::StrCat("the command cannot be run: exit code ", end->exit_code,
                                          end->last_line.empty() ? "" : ", ", end->last_line)));
    }
  }
  Settle(place, verdict);
}

void QueueRun::Settle(const EventPlace& place, const v1::Settlement& verdict) {
  switch (verdict.kind()) {
    case v1::SETTLE_KIND_ACK:
      return worker_.Ack(place.topic, place.partition, place.offset);
    case v1::SETTLE_KIND_REJECT:
      return worker_.Reject(place.topic, place.partition, place.offset, 1,
                            {verdict.reason(), verdict.text()});
    case v1::SETTLE_KIND_RELEASE:
      return worker_.Release(place.topic, place.partition, place.offset);
    default:
      return worker_.Nack(place.topic, place.partition, place.offset, 1,
                          {std::nullopt, verdict.reason(), verdict.text()});
  }
}

void QueueRun::Extend() {
  std::vector<RunningLeases::Place> due;
  {
    MutexLock lock(mu_);
    due = running_.TakeDue();
  }
  // By what is known here: the group's lease may be another one by now.
  for (const auto& [topic, partition, offset] : due) {
    worker_.Extend(topic, partition, offset, 1, options_.lease);
  }
}

bool QueueRun::IsRunning(const client::SettleError& error) {
  MutexLock lock(mu_);
  return running_.Contains({error.topic, error.partition, error.offset});
}

void QueueRun::OnSettleError(const client::SettleError& error) {
  const bool extension = error.kind == v1::SETTLE_KIND_EXTEND;
  // The command has ended before its lease was extended.
  if (extension && !IsRunning(error)) return;
  if (!extension) lost_ += error.count;
  context_.terminal().Warn(
      absl::StrCat(error.topic, "/", error.partition, " offset ", error.offset,
                   error.count > 1 ? absl::StrCat(" and ", error.count - 1, " behind it") : "",
                   ": ", DescribeError(error.status)));
}

absl::Status QueueRun::Finish(absl::Status status) {
  const absl::Status written = printer_.Flush();
  status.Update(written);
  if (written.ok()) AckWritten();
  while (pool_.has_value() && !pool_->WaitUntilIdle(kNoticeEvery)) Extend();
  const absl::Status flushed = worker_.Flush(context_.channel()->options().deadline);
  const absl::Status closed = worker_.Close();
  if (pool_.has_value() || Interrupted()) {
    MutexLock lock(mu_);
    const int64_t processed = pool_.has_value() ? ended_[v1::SETTLE_KIND_ACK] : begun_;
    context_.terminal().Report(absl::StrCat("processed ", processed, ", failed ",
                                            ended_[v1::SETTLE_KIND_NACK], ", rejected ",
                                            ended_[v1::SETTLE_KIND_REJECT]));
    status = FirstError(status, command_status_);
  }
  // What did not count was told one by one.
  if (absl::IsDeadlineExceeded(flushed)) status = FirstError(status, flushed);
  status = FirstError(status, closed);
  if (lost_ == 0) return status;
  return FirstError(status, PartlyDoneError(absl::StrCat(
                                "what became of ", CountText(lost_, "event"), " did not count: ",
                                lost_ == 1 ? "it comes again" : "they come again")));
}

}  // namespace acta::cli
