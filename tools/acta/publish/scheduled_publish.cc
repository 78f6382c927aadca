#include "tools/acta/publish/scheduled_publish.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

// Of one call; a frame may have 1,000, of up to 17 MiB.
constexpr int kMostEvents = 500;
constexpr size_t kMostBytes = 1 << 20;

class LaterRun {
 public:
  LaterRun(CommandContext& context, v1::PublishFrame frame)
      : context_(context),
        frame_(std::move(frame)),
        batch_(*frame_.mutable_batches(0)),
        at_(TimeText(ToProtoTime(absl::FromUnixMicros(batch_.deliver_at_us())))) {}

  absl::Status Run(const NextEvent& next) {
    const absl::Status status = SendAll(next);
    context_.terminal().EndProgress();
    if (!status.ok() && table_.rows().empty()) return status;
    return FirstError(Verdict(status), context_.output().PrintRows(table_));
  }

 private:
  absl::Status Verdict(const absl::Status& status) const {
    if (status.ok()) return status;
    return PartlyDoneError(absl::StrCat(DescribeError(status), "; ",
                                        CountText(Scheduled(), "event"), " went through before"));
  }

  int64_t Scheduled() const { return static_cast<int64_t>(table_.rows().size()); }

  absl::Status SendAll(const NextEvent& next) {
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<v1::Event> event, next());
      if (!event.has_value()) break;
      *batch_.add_events() = *event;
      bytes_ += event->ByteSizeLong();
      if (batch_.events_size() >= kMostEvents || bytes_ >= kMostBytes) RETURN_IF_ERROR(Send());
    }
    return batch_.events_size() > 0 ? Send() : absl::OkStatus();
  }

  absl::Status Send() {
    ASSIGN_OR_RETURN(const v1::PublishResults results, context_.admin().Publish(frame_));
    for (const v1::FrameResult& frame : results.results()) {
      for (const v1::BatchResult& result : frame.batches()) {
        // With an error, too: of a batch for several partitions some may be stored.
        AddRows(result);
        if (result.has_error()) return FromProto(result.error());
      }
    }
    batch_.clear_events();
    bytes_ = 0;
    context_.terminal().Progress(absl::StrCat(CountText(Scheduled(), "event"), " scheduled"));
    return absl::OkStatus();
  }

  void AddRows(const v1::BatchResult& result) {
    for (const v1::ScheduledEvent& scheduled : result.scheduled()) {
      // One that waits already keeps its own time, which the answer does not say.
      table_.Row(scheduled.schedule_id(), scheduled.duplicate() ? "" : at_,
                 batch_.events(scheduled.event_index()).id(), scheduled.duplicate() ? "yes" : "no");
    }
    // A time that is over publishes now.
    for (const v1::PublishedPart& part : result.parts()) {
      for (int32_t i = 0; i < part.count(); ++i) {
        const int32_t index = part.event_indexes().empty() ? i : part.event_indexes(i);
        table_.Row("", "now", batch_.events(index).id(), "no");
      }
    }
    for (const v1::Duplicate& duplicate : result.duplicates()) {
      table_.Row("", "now", batch_.events(duplicate.event_index()).id(), "yes");
    }
  }

  CommandContext& context_;
  v1::PublishFrame frame_;
  v1::PartitionBatch& batch_;
  const std::string at_;
  size_t bytes_ = 0;
  Table table_{{"SCHEDULE_ID", "DELIVER_AT", "EVENT_ID", "DUPLICATE"}};
};

}  // namespace

absl::Status PublishLater(CommandContext& context, absl::Time at, std::optional<int32_t> partition,
                          const client::PublisherOptions& options,
                          const std::optional<v1::CausedBy>& cause, const NextEvent& next) {
  v1::PublishFrame frame;
  frame.set_level(options.level);
  frame.mutable_open()->set_app(options.app);
  frame.mutable_open()->set_app_version(options.app_version);
  v1::PartitionBatch* batch = frame.add_batches();
  batch->set_topic(context.args().Get("TOPIC"));
  if (partition.has_value()) batch->set_partition(*partition);
  batch->set_deliver_at_us(absl::ToUnixMicros(at));
  if (cause.has_value()) *batch->mutable_caused_by() = *cause;
  return LaterRun(context, std::move(frame)).Run(next);
}

}  // namespace acta::cli
