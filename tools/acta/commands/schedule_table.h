#pragma once

#include <vector>

#include "acta/v1/schedules.pb.h"
#include "tools/acta/output/table.h"

namespace acta::cli {

Table ScheduleTable(const std::vector<const v1::Schedule*>& schedules);

}  // namespace acta::cli
