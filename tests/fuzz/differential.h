#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace acta {

// Both compare what our reading of some bytes says with what the generated parser says. Empty when
// they agree, else what they disagree about, for people.

// ScanEvent() against acta.v1.Event.
std::string CompareEvent(absl::string_view bytes);
// ParsePublishFrame() and ScanEvent() of each event against acta.v1.PublishFrame.
std::string ComparePublishFrame(absl::string_view bytes);

}  // namespace acta
