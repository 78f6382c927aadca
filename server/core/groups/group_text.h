#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "server/core/access/names.h"

namespace acta {

// `what` needs a reason of 1 to 1,000 characters, as people count them. Errors: INVALID_ARGUMENT.
inline absl::Status CheckReason(absl::string_view what, absl::string_view reason) {
  constexpr size_t kMaxCharacters = 1000;
  size_t characters = 0;
  for (const char c : reason) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  if (characters >= 1 && characters <= kMaxCharacters) return absl::OkStatus();
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("reason: ", what, " needs a reason of 1 to ", kMaxCharacters,
                            " characters, not ", characters),
               {{"field", "reason"}});
}

inline absl::Status NotAQueue(absl::string_view name) {
  return Error(v1::WRONG_GROUP_MODE,
               absl::StrCat("group '", name,
                            "' is of mode STREAM, and only groups of mode QUEUE "
                            "have this"),
               {{"group", std::string(name)}});
}

inline absl::Status GroupNotFound(absl::string_view name) {
  const std::string shown = ShownName(name);
  return Error(v1::GROUP_NOT_FOUND,
               absl::StrCat("there is no group '", shown,
                            "': create it with `acta group create`, or correct the name"),
               {{"group", shown}});
}

// Of a partition that the group does not read.
inline absl::Status NotReadByGroup(absl::string_view group, absl::string_view topic,
                                   int32_t partition) {
  const std::string shown = ShownName(topic);
  return Error(
      v1::PARTITION_NOT_FOUND,
      absl::StrCat("group '", group, "' reads no partition ", partition, " of topic '", shown, "'"),
      {{"group", std::string(group)}, {"topic", shown}, {"partition", absl::StrCat(partition)}});
}

// The same of a whole topic.
inline absl::Status TopicNotReadByGroup(absl::string_view group, absl::string_view topic) {
  const std::string shown = ShownName(topic);
  return Error(
      v1::TOPIC_NOT_FOUND,
      absl::StrCat("group '", group, "' does not read topic '", shown, "': correct the name"),
      {{"group", std::string(group)}, {"topic", shown}});
}

}  // namespace acta
