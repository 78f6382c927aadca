#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/base/ids.h"
#include "storage/state/producer_table.h"

namespace acta {

// The producer sequences of a partition as a row (ProducerSnapshot): true for every batch below
// `as_of`.
std::string EncodeProducers(const ProducerTable& producers, Offset as_of);
// Fills an empty table. Returns `as_of`. Errors: DATA_CORRUPTED.
absl::StatusOr<Offset> DecodeProducers(absl::string_view row, ProducerTable* producers);

}  // namespace acta
