#include "client/cpp/rerouting.h"

#include "proto/support/event_scanner.h"
#include "proto/support/partitioner.h"
#include "proto/support/wire.h"

namespace acta::client {

std::optional<std::vector<RoutedEvent>> RouteAgain(const PublishBatch& batch, int32_t partitions) {
  if (!batch.by_key || partitions <= 0) return std::nullopt;
  std::vector<RoutedEvent> routed;
  bool moves = false;
  const char* begin = batch.payload->data();
  EventElements elements(*batch.payload);
  absl::string_view bytes;
  while (elements.Next(&bytes)) {
    const char* const end = bytes.data() + bytes.size();
    ScannedEvent event;
    if (ScanEvent(bytes, &event) != WireFault::kNone) return std::nullopt;
    const absl::string_view key = event.key.empty() ? event.id : event.key;
    const int32_t partition = PartitionOfKey(key, partitions);
    routed.push_back({absl::string_view(begin, static_cast<size_t>(end - begin)), partition});
    moves = moves || partition != batch.partition();
    begin = end;
  }
  if (!moves) return std::nullopt;
  return routed;
}

}  // namespace acta::client
