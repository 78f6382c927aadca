#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "storage/log_engine.h"
#include "tests/oracle/mutant_engine.h"

namespace acta::oracle {

// The rows of a transaction, of which those that the mutation drops get a key that nobody reads.
// `written`: rows of positions before these in this life of the broker, which is counted on;
// kForgetPositions drops those behind the first `every`.
void BreakWrittenRows(Mutation mutation, int64_t every, int64_t* written, Transaction* transaction);

// Rows that were loaded at a start.
void BreakLoadedRows(Mutation mutation, std::vector<std::pair<std::string, std::string>>* rows);

}  // namespace acta::oracle
