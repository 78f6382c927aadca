#include "tests/fuzz/fuzz_targets.h"

namespace acta {

const std::vector<FuzzTarget>& FuzzTargets() {
  static const auto& targets = *new std::vector<FuzzTarget>{
      {"event", FuzzEvent},
      {"publish_frame", FuzzPublishFrame},
      {"control", FuzzControl},
      {"delivery", FuzzDelivery},
      {"stored_batch", FuzzStoredBatch},
      {"witness", FuzzWitness},
      {"producers", FuzzProducers},
      {"table_extents", FuzzTableExtents},
      {"wal", FuzzWal},
      {"index_block", FuzzIndexBlock},
      {"ledger", FuzzLedger},
      {"traceparent", FuzzTraceparent},
      {"tokens", FuzzTokens},
      {"config", FuzzConfig},
      {"syntax", FuzzSyntax},
      {"pointer", FuzzPointer},
      {"cloud_event", FuzzCloudEvent},
  };
  return targets;
}

}  // namespace acta
