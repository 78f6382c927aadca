#pragma once

#include <string>
#include <vector>

#include "acta/v1/groups.pb.h"
#include "acta/v1/topics.pb.h"
#include "tools/acta/output/table.h"

namespace acta::cli {

// What more than one command prints of a topic or a group.
std::string TopicSettingsText(const v1::Topic& topic);
Table TopicTable(const std::vector<const v1::Topic*>& topics);
Table GroupTable(const std::vector<const v1::Group*>& groups);

}  // namespace acta::cli
