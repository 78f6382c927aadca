#include "server/core/queues/indexed_batch.h"

#include <algorithm>
#include <utility>

#include "acta/v1/event.pb.h"
#include "proto/support/wire.h"

namespace acta {
namespace {

constexpr uint32_t kKeyTag = WireTag(v1::Event::kKeyFieldNumber, kWireBytes);
constexpr uint32_t kExpiresTag = WireTag(v1::Event::kExpiresAtUsFieldNumber, kWireVarint);

// Never 0, which is "no key". Keyed per store, and the same in every life of it.
uint64_t HashOfKey(const LogEngine& engine, absl::string_view key) {
  if (key.empty()) return 0;
  return std::max<uint64_t>(1, engine.HashEventId("", key).low);
}

// The event was validated when it was published: what cannot be read any more ends the walk.
EventFacts FactsOfEvent(const LogEngine& engine, absl::string_view event) {
  EventFacts facts;
  WireReader reader(event);
  uint32_t tag = 0;
  while (!reader.AtEnd() && reader.ReadTag(&tag) == WireFault::kNone) {
    if (tag == kKeyTag) {
      absl::string_view key;
      if (reader.ReadBytes(&key) != WireFault::kNone) break;
      facts.key = HashOfKey(engine, key);
    } else if (tag == kExpiresTag) {
      uint64_t expires = 0;
      if (reader.ReadVarint(&expires) != WireFault::kNone) break;
      if (static_cast<int64_t>(expires) > 0) facts.expires_us = static_cast<int64_t>(expires);
    } else if (reader.SkipValue(tag) != WireFault::kNone) {
      break;
    }
  }
  return facts;
}

}  // namespace

absl::string_view IndexedBatch::EventAt(Offset offset) const {
  const auto index = static_cast<uint32_t>(Lag(batch->base_offset, offset));
  EventElements elements(batch->payload.view().substr(BeginOf(index)));
  absl::string_view event;
  (void)elements.Next(&event);
  return event;
}

IndexedBatchPtr IndexBatch(BatchPtr batch) {
  auto indexed = std::make_shared<IndexedBatch>();
  indexed->ends.reserve(batch->count);
  EventElements elements(batch->payload.view());
  absl::string_view event;
  while (elements.Next(&event)) indexed->ends.push_back(static_cast<uint32_t>(elements.offset()));
  if (!elements.ok() || indexed->ends.size() != batch->count) return nullptr;
  indexed->batch = std::move(batch);
  return indexed;
}

std::vector<EventFacts> FactsOf(const LogEngine& engine, const IndexedBatch& batch, uint32_t first,
                                uint32_t end) {
  std::vector<EventFacts> facts;
  facts.reserve(end - first);
  const absl::string_view payload = batch.batch->payload.view();
  EventElements elements(payload.substr(batch.BeginOf(first)));
  absl::string_view event;
  for (uint32_t i = first; i < end && elements.Next(&event); ++i) {
    facts.push_back(FactsOfEvent(engine, event));
    facts.back().bytes = static_cast<uint32_t>(batch.EndOf(i + 1) - batch.BeginOf(i));
  }
  return facts;
}

v1::BatchContext ContextOfBatch(const StoredBatch& batch) {
  v1::BatchContext context;
  const absl::string_view bytes = batch.context.view();
  (void)context.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return context;
}

}  // namespace acta
