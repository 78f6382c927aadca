#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "proto/support/wire.h"

namespace acta {

// What the broker needs to know of an event; views of its bytes.
struct ScannedEvent {
  absl::string_view id;
  absl::string_view source;
  absl::string_view type;
  absl::string_view key;
  int64_t time_us = 0;
  uint32_t attributes = 0;       // Entries; one that is there twice counts twice.
  uint32_t attribute_bytes = 0;  // Of their keys and values.
  uint32_t affected = 0;         // Entries.
  uint32_t longest_text = 0;     // Bytes of the longest string, those of `affected` too; not
                                 // those of attributes.
  uint32_t longest_field = 0;    // The number of its field in Event; 0: there is none.
};

// Validates one encoded acta.v1.Event in place, as a generated parser would, without building
// objects. What it accepts every protobuf parser accepts, with equal fields. `event` means
// something only after kNone.
//
// The closed list of what it refuses although the C++ parser takes it (Event, Affected and
// attribute entries alike). Each is something no encoder writes, and parsers disagree about most:
//   a known singular field twice       the last one wins in some languages, others merge or refuse
//   a known field of a wrong wire type some keep it as unknown, others refuse
//   a group                            gone from proto3; not every language can skip one
//   a tag that is not the shortest     walkers by tag byte, ours too, would miss the field
//   a varint of more than 64 bits      the C++ parser drops the bits, others refuse
// Unknown fields are accepted and stay in the bytes, the reserved 17-31 too.
WireFault ScanEvent(absl::string_view bytes, ScannedEvent* event);

}  // namespace acta
