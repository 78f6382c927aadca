#pragma once

#include <utility>

#include "server/core/publish/publish_session.h"
#include "storage/base/status_macros.h"

namespace acta {

// Begins and takes a frame on this thread.
inline absl::Status PublishWhole(PublishSession& session, SharedBytes frame,
                                 PublishSession::Done done) {
  RETURN_IF_ERROR(session.Begin(std::move(frame)));
  return session.Take(std::move(done));
}

}  // namespace acta
