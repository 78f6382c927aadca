#pragma once

#include "acta/v1/groups.pb.h"
#include "tools/acta/output/table.h"

namespace acta::cli {

// One row a partition: of a STREAM group its position and its member, of a QUEUE group what is
// outstanding by state.
Table LagTable(const v1::GetLagResponse& lag);

}  // namespace acta::cli
