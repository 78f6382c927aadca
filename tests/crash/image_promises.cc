#include "tests/crash/image_promises.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/event_scanner.h"
#include "proto/support/wire.h"

namespace acta {
namespace {

// A reader saw that of the partition before the fault.
bool IsBefore(const ImageCut& cut, PartitionId partition, const HistorySeen& seen) {
  return seen.partition == partition && seen.operations <= cut.operations;
}

}  // namespace

std::string FindUntrimmed(const History& history, const ImageCut& cut, PartitionId partition,
                          const PartitionExtent& extent) {
  for (const HistorySeen& seen : history.seen) {
    if (!IsBefore(cut, partition, seen) || seen.first <= extent.first) continue;
    return absl::StrCat("first offset ", extent.first.value(), " after ", seen.first.value(),
                        " of partition ", partition.value());
  }
  return "";
}

std::string FindVanished(const History& history, const ImageCut& cut, PartitionId partition,
                         const PartitionExtent& extent) {
  const bool may =
      cut.power && history.FindTopic(partition.topic())->settings.visible_at == Level::kOs;
  if (may) return "";
  for (const HistorySeen& seen : history.seen) {
    if (!IsBefore(cut, partition, seen) || seen.end <= extent.visible_end) continue;
    return absl::StrCat("visible up to ", extent.visible_end.value(), ", and ", seen.end.value(),
                        " were shown of partition ", partition.value());
  }
  return "";
}

std::string FindStoredTwice(const TopicSettings& settings, const std::vector<BatchPtr>& batches) {
  if (settings.dedupe != Dedupe::kIds) return "";
  const int64_t window_us = absl::ToInt64Microseconds(settings.dedupe_window);
  std::map<std::pair<std::string, std::string>, int64_t> stored_us;  // By source and id.
  for (const BatchPtr& batch : batches) {
    EventElements elements(batch->payload.view());
    for (absl::string_view bytes; elements.Next(&bytes);) {
      ScannedEvent event;
      if (ScanEvent(bytes, &event) != WireFault::kNone || event.id.empty()) continue;
      const auto [at, added] = stored_us.try_emplace(
          {std::string(event.source), std::string(event.id)}, batch->append_time_us);
      if (added) continue;
      const int64_t before_us = std::exchange(at->second, batch->append_time_us);
      if (batch->append_time_us - before_us >= window_us) continue;
      return absl::StrCat("id '", event.id, "' again in batch ", batch->base_offset.value(),
                          " of partition ", batch->partition.value());
    }
  }
  return "";
}

std::map<uint64_t, HistoryPart> NewestOfProducers(const std::vector<HistoryPart>& parts) {
  std::map<uint64_t, HistoryPart> newest;
  for (const HistoryPart& part : parts) {
    if (part.producer != 0) newest[part.producer] = part;
  }
  return newest;
}

}  // namespace acta
