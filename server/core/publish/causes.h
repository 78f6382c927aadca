#pragma once

#include "absl/status/statusor.h"
#include "acta/v1/context.pb.h"
#include "proto/support/publish_frame.h"
#include "server/core/access/authorizer.h"

namespace acta {

// Causes finds the event that caused a batch.
//
// Threads: any.
class Causes {
 public:
  virtual ~Causes() = default;
  // The causation fields of what it caused. Blocks. Errors: as PartitionBatch.caused_by says.
  virtual absl::StatusOr<v1::BatchContext> Find(const Caller& caller,
                                                const CausedByView& cause) const = 0;
};

}  // namespace acta
