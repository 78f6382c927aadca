#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "acta/v1/groups.pb.h"
#include "tools/acta/app/args.h"
#include "tools/acta/app/command.h"

namespace acta::cli {

// The mode of a group, and the settings of a QUEUE group, as options of create.
std::vector<Option> QueueOptions();
// The settings alone, as options of update.
std::vector<Option> QueueSettingOptions();

// Of --mode. Unspecified when the option is absent. Errors: usage.
absl::StatusOr<v1::GroupMode> ReadMode(const Args& args);

// Sets the mode (STREAM when there is no --mode) and what is given of the settings; the broker
// knows the defaults. Errors: usage, also for a setting without --mode queue.
absl::Status ReadQueueOptions(const Args& args, v1::Group* group);

// Sets what is given of the settings and adds their names to `fields` (an update mask). Errors:
// usage.
absl::Status ReadQueueChanges(const Args& args, v1::QueueSettings* settings,
                              std::vector<std::string>* fields);

// "order key, lease 30s, 10 attempts and then hold-key, ...".
std::string QueueText(const v1::QueueSettings& settings);

}  // namespace acta::cli
