#pragma once

#include <string>

#include "acta/v1/admin.pb.h"
#include "tools/acta/output/output.h"

namespace acta::cli {

// ID, TIME, BYTES, ADDED, FILES, PATH, PROBLEM; a row each.
Table BackupTable(const google::protobuf::RepeatedPtrField<v1::Backup>& backups);

// "1.2 GiB of 4.0 GiB copied".
std::string CopiedText(const v1::BackupRun& run);

}  // namespace acta::cli
