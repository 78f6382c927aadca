#include "server/core/subscribe/frame_bytes.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta {

absl::Status CheckMaxFrameBytes(const SubscribeLimits& limits, int32_t bytes) {
  if (bytes == 0) return absl::OkStatus();
  if (bytes >= limits.min_max_frame_bytes && bytes <= limits.max_max_frame_bytes) {
    return absl::OkStatus();
  }
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("max_frame_bytes: ", bytes, " is not between ",
                            limits.min_max_frame_bytes, " and ", limits.max_max_frame_bytes),
               {{"field", "max_frame_bytes"}});
}

absl::Status EventTooLargeForClient(Offset offset, size_t event_bytes, size_t frame_bytes,
                                    size_t max_frame_bytes) {
  const std::string at = absl::StrCat(offset.value());
  const std::string needed = absl::StrCat(frame_bytes);
  const std::string most = absl::StrCat(max_frame_bytes);
  return Error(v1::EVENT_TOO_LARGE_FOR_CLIENT,
               absl::StrCat("event ", at, " of ", event_bytes, " bytes needs a frame of ", needed,
                            " and max_frame_bytes is ", most,
                            ": raise it, and what the client's gRPC receives (4 MiB by default)"),
               {{"first_lost", at},
                {"last_lost", at},
                {"event_bytes", absl::StrCat(event_bytes)},
                {"frame_bytes", needed},
                {"max_frame_bytes", most}});
}

absl::Status NotWholeEvents(Offset position, Offset end) {
  const std::string first = absl::StrCat(position.value());
  const std::string last = absl::StrCat(end.value() - 1);
  return Error(v1::DATA_CORRUPTED,
               absl::StrCat("events ", first, " to ", last, " are not whole events"),
               {{"first_lost", first}, {"last_lost", last}});
}

}  // namespace acta
