#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "tests/oracle/load.h"

namespace acta::oracle {

// Each runs until told to stop and writes a history of its own, named after the process. Errors:
// what no retry mended.

// By the client's publisher: sequences, many events in flight, retries that keep the order.
absl::Status RunStreamPublisher(const LoadContext& load, int32_t process, bool os, bool with_ids);
// One call at a time. With ids a call is repeated until it is answered; without, an outcome that is
// unknown stays so.
absl::Status RunUnaryPublisher(const LoadContext& load, int32_t process, bool with_ids);

}  // namespace acta::oracle
