#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace acta::oracle {

// The data of an event says whose it is: the publishing process, its counter from 1, and a checksum
// over all of it, so that any changed byte is noticed.
struct Value {
  int32_t process = 0;
  int64_t counter = 0;

  friend bool operator==(const Value&, const Value&) = default;
  friend auto operator<=>(const Value&, const Value&) = default;
  // Unique below 2^24 processes and 2^40 events of each.
  uint64_t number() const {
    return static_cast<uint64_t>(process) << 40 | static_cast<uint64_t>(counter);
  }
};

// The keys of events begin with it, and no id does.
inline constexpr char kKeyMark[] = "k";

// Text, `padding` bytes longer than the least. The padding is a run of kPad.
inline constexpr char kPad = '~';
std::string EncodeValue(const Value& value, size_t padding);
// Nothing when a byte of it was changed.
std::optional<Value> DecodeValue(absl::string_view data);

}  // namespace acta::oracle
