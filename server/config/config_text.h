#pragma once

#include <string>

#include "acta/v1/admin.pb.h"
#include "server/config/property_table.h"

namespace acta {

// The properties as people and programs read them.

// Name, value, source, meaning; for --print-config.
std::string ConfigAsTable(const PropertyTable& table);
// An array of objects with those, default, range and type.
std::string ConfigAsJson(const PropertyTable& table);
// The reference page.
std::string ConfigAsMarkdown(const PropertyTable& table);
// A file with every property at its default, commented out.
std::string ConfigAsExample(const PropertyTable& table);
v1::GetConfigResponse ConfigAsProto(const PropertyTable& table);

}  // namespace acta
