#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace acta::cli {

// Whether `text` can be where a broker is: HOST:PORT, HOST, [IPV6]:PORT or IPV6. Names are not
// looked up. Errors: a usage error that shows the form.
absl::Status CheckAddress(absl::string_view text);

}  // namespace acta::cli
