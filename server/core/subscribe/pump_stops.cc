// Where and why a partition of a stream stops.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/queues/offset_detail.h"
#include "server/core/subscribe/frame_bytes.h"
#include "server/core/subscribe/pump.h"

namespace acta {
namespace {

std::string NameOf(const ReadRange& range) {
  return absl::StrCat("partition ", range.partition, " of topic '", range.topic->name(), "'");
}

// The same error with topic and partition named.
absl::Status Named(const absl::Status& status, const ReadRange& range) {
  ErrorDetails details{{"topic", range.topic->name()},
                       {"partition", absl::StrCat(range.partition)}};
  for (const auto& [key, value] : DetailsOf(status)) details.emplace_back(key, value);
  return Error(ReasonOf(status), absl::StrCat(NameOf(range), ": ", status.message()),
               std::move(details));
}

}  // namespace

void Pump::ReachedEnd(Reader& reader) {
  deps_.outbox.Notice(
      "REACHED_END",
      absl::StrCat(NameOf(reader.range), " was read to offset ", reader.buffer.position().value()),
      reader.handle);
  Stop(reader);
}

void Pump::Fail(Reader& reader) {
  const absl::Status problem = std::exchange(reader.problem, absl::OkStatus());
  const ReadRange& range = reader.range;
  switch (ReasonOf(problem)) {
    case v1::GAP:
    case v1::LOG_TRUNCATED:
    case v1::DATA_CORRUPTED:
      TellGap(reader, problem);
      break;
    case v1::OFFSET_OUT_OF_RANGE: {
      // A position was inside once: what is missing now is a tail that was lost.
      const auto extent = deps_.engine.Extent(range.id());
      const Offset end = extent.ok() ? extent->visible_end : Offset(0);
      TellGap(reader,
              Error(v1::LOG_TRUNCATED,
                    absl::StrCat("the log ends at ", end.value(), " and the position is ",
                                 reader.buffer.position().value(), ": go back to ", end.value()),
                    {{"incarnation", absl::StrCat(deps_.engine.incarnation().value())},
                     {"offset", absl::StrCat(end.value())}}));
      break;
    }
    case v1::PARTITION_NOT_FOUND:
      // Of a group's partition the group tells.
      if (!deps_.grouped) deps_.outbox.Revoked(reader.handle);
      Stop(reader);
      if (deps_.grouped || !ended()) break;
      failure_ =
          Error(v1::TOPIC_NOT_FOUND, absl::StrCat("topic '", range.topic->name(), "' was deleted"),
                {{"topic", range.topic->name()}});
      break;
    default:
      failure_ = problem;
      Stop(reader);
  }
}

void Pump::TellGap(Reader& reader, const absl::Status& status) {
  const Offset position = reader.buffer.position();
  // A truncated log names where it was cut; what lay from there to the position is lost.
  const Offset cut = OffsetDetail(status, "offset", position);
  const Offset first = OffsetDetail(status, "first_lost", cut);
  const Offset last = OffsetDetail(status, "last_lost", position > first ? position + -1 : first);
  deps_.outbox.Gap(reader.handle, first, last, Named(status, reader.range));
  Stop(reader);
}

void Pump::TellDamaged(Reader& reader) {
  TellGap(reader, NotWholeEvents(reader.buffer.position(), reader.buffer.front().end()));
}

void Pump::TellTooLarge(Reader& reader, size_t event_bytes, size_t frame_bytes) {
  TellGap(reader, EventTooLargeForClient(reader.buffer.position(), event_bytes, frame_bytes,
                                         deps_.max_frame_bytes));
}

}  // namespace acta
