#pragma once

#include <vector>

#include "acta/v1/groups.pb.h"
#include "acta/v1/topics.pb.h"
#include "tools/acta/output/table.h"

namespace acta::cli {

// Tables that more than one command prints.
Table TopicTable(const std::vector<const v1::Topic*>& topics);
Table GroupTable(const std::vector<const v1::Group*>& groups);

}  // namespace acta::cli
