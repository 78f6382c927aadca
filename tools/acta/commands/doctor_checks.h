#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/admin.pb.h"
#include "acta/v1/groups.pb.h"

namespace acta::cli {

// One look of `acta doctor`, and what to do when it is not good.
struct Finding {
  enum class State { kGood, kWarn, kBad };

  std::string check;
  State state = State::kGood;
  std::string found;
  std::string advice;
};

// The broker's data folder, when it is on this machine and can be looked at.
struct FolderFacts {
  bool in_memory = false;  // Of a file system that a power cut takes.
  bool open_to_others = false;
};

// What was asked of a broker that answers.
struct Examination {
  std::string address;
  std::string from;  // ServerChoice::from.
  std::string own_version;
  absl::Duration round_trip;
  absl::Duration clock_ahead;  // The broker's clock, of this machine's.
  v1::GetServerResponse server;
  v1::GetStatusResponse status;
  v1::GetLimitsResponse limits;
  v1::GetConfigResponse config;
  v1::MeasureGroupsResponse groups;
  std::vector<std::string> unknown;  // Methods that this broker does not have.
  std::optional<FolderFacts> folder;
};

std::vector<Finding> Examine(const Examination& examination);
// Of one that does not.
Finding ExamineUnreachable(absl::string_view address, absl::string_view from,
                           const absl::Status& status);

// "ok", "warn", "BAD".
absl::string_view StateText(Finding::State state);
// For people: what to do below what was found, however narrow their terminal is.
std::string FindingsText(const std::vector<Finding>& findings);

// Of a property; empty: there is none.
std::string ValueOf(const v1::GetConfigResponse& config, absl::string_view name);

}  // namespace acta::cli
