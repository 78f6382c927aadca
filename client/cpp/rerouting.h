#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cpp/publish_batch.h"

namespace acta::client {

// An event of a batch, and the partition of its key.
struct RoutedEvent {
  absl::string_view element;  // Of the batch's payload.
  int32_t partition = 0;
};

// Where the events of a batch belong in a topic of so many partitions, in their order. nullopt: all
// of them to where they are, or not all of them have a key.
std::optional<std::vector<RoutedEvent>> RouteAgain(const PublishBatch& batch, int32_t partitions);

}  // namespace acta::client
