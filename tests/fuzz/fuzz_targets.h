#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace acta {

// One target for each reader of bytes from outside. A target takes any bytes, ends the process by
// ACTA_CHECK where a property does not hold, and returns 0. libFuzzer and the smoke test run the
// same ones.

int FuzzEvent(absl::string_view bytes);
int FuzzPublishFrame(absl::string_view bytes);
// Control frames of a Subscribe stream, each behind its length as a varint, on a broker in memory.
int FuzzControl(absl::string_view bytes);
// What a broker sends to the C++ client: delivery frames, each behind its length.
int FuzzDelivery(absl::string_view bytes);
// Stored records. An odd first byte means that sizes and checksums are made right first, so that
// what is behind them is reached.
int FuzzStoredBatch(absl::string_view bytes);
int FuzzWitness(absl::string_view bytes);
int FuzzProducers(absl::string_view bytes);
int FuzzTableExtents(absl::string_view bytes);
int FuzzWal(absl::string_view bytes);
// Four bytes of a hash, and a block of the index of journeys.
int FuzzIndexBlock(absl::string_view bytes);
// An event of the ledger.
int FuzzLedger(absl::string_view bytes);
// A traceparent, and an event that may have one.
int FuzzTraceparent(absl::string_view bytes);
// What a broker gives clients to bring back, and names of places. The first byte says which.
int FuzzTokens(absl::string_view bytes);
// The first byte says from where: a file, the environment, flags, or one value.
int FuzzConfig(absl::string_view bytes);
// Positions, times and quantities of `acta`.
int FuzzSyntax(absl::string_view bytes);
// A JSON pointer, a zero byte, a document.
int FuzzPointer(absl::string_view bytes);
// One line of `acta publish`.
int FuzzCloudEvent(absl::string_view bytes);

struct FuzzTarget {
  std::string name;  // Of its corpus.
  int (*run)(absl::string_view bytes);
};
const std::vector<FuzzTarget>& FuzzTargets();

}  // namespace acta
