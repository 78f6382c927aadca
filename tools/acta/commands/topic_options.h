#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "acta/v1/topics.pb.h"
#include "tools/acta/app/args.h"
#include "tools/acta/app/command.h"

namespace acta::cli {

// The settings of a topic that can be changed, as options of create and alter.
std::vector<Option> TopicOptions();

// Sets the fields whose options are given and adds their names to `fields` (an update mask).
// Errors: usage.
absl::Status ReadTopicOptions(const Args& args, v1::Topic* topic, std::vector<std::string>* fields);

// "fsync" or "os", of `option`. Unspecified when the option is absent. Errors: usage.
absl::StatusOr<v1::AckLevel> ReadLevel(const Args& args, absl::string_view option);

// "name=value" each. Errors: usage.
absl::Status ReadPairs(const Args& args, absl::string_view option,
                       google::protobuf::Map<std::string, std::string>* pairs);

}  // namespace acta::cli
