#include "server/core/journeys/batch_entries.h"

#include "absl/container/flat_hash_set.h"
#include "proto/support/wire.h"
#include "server/core/journeys/event_links.h"
#include "server/core/queues/indexed_batch.h"

namespace acta {
namespace {

class Collector {
 public:
  Collector(const LogEngine& engine, const StoredBatch& batch, std::vector<IndexEntry>* out)
      : engine_(engine), batch_(batch), out_(out) {}

  void Put(uint64_t hash, Offset offset) { out_->push_back({hash, batch_.partition, offset}); }
  // The first of the batch only.
  void PutFirst(LinkKind kind, absl::string_view text, Offset offset) {
    if (text.empty()) return;
    // Neighbours mostly have the same.
    absl::string_view& last = kind == LinkKind::kCorrelation ? last_correlation_ : last_cause_;
    if (kind != LinkKind::kAffected && text == last) return;
    if (kind != LinkKind::kAffected) last = text;
    const uint64_t hash = LinkHash(engine_, kind, text);
    if (seen_.insert(hash).second) Put(hash, offset);
  }

 private:
  const LogEngine& engine_;
  const StoredBatch& batch_;
  std::vector<IndexEntry>* const out_;
  absl::flat_hash_set<uint64_t> seen_;
  absl::string_view last_correlation_;
  absl::string_view last_cause_;
};

}  // namespace

void CollectEntries(const LogEngine& engine, const StoredBatch& batch, v1::JourneyMode mode,
                    std::vector<IndexEntry>* out) {
  if (mode == v1::JOURNEY_MODE_OFF) return;
  const bool full = mode != v1::JOURNEY_MODE_CORRELATION;
  const v1::BatchContext context = ContextOfBatch(batch);
  Collector collector(engine, batch, out);
  EventElements elements(batch.payload.view());
  EventLinks links;
  absl::string_view event;
  for (Offset offset = batch.base_offset; elements.Next(&event); offset = offset + 1) {
    ReadEventLinks(event, &links);
    collector.PutFirst(LinkKind::kCorrelation,
                       OwnOr(links.correlation_id, context.correlation_id()), offset);
    if (!full) continue;
    if (!links.id.empty()) collector.Put(LinkHash(engine, LinkKind::kId, links.id), offset);
    collector.PutFirst(LinkKind::kCause, OwnOr(links.causation_id, context.causation_id()), offset);
    for (const absl::string_view affected : links.affected) {
      const auto [kind, id] = ReadAffected(affected);
      collector.PutFirst(LinkKind::kAffected, AffectedText(kind, id), offset);
    }
  }
}

}  // namespace acta
