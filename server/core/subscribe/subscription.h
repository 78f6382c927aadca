#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "server/core/access/authorizer.h"
#include "server/core/subscribe/event_sink.h"

namespace acta {

class SubscriptionHub;

// One Subscribe stream: control frames come in, delivery frames go out, within the client's
// credit, one write in flight. Made by SubscriptionHub::Open().
//
// Threads:   any; it serialises itself and never blocks: cold reads run on the pool.
// Ownership: shared; the sink must live until Finish() was called or OnDisconnect() returned.
class Subscription {
 public:
  virtual ~Subscription() = default;
  // An encoded acta.v1.SubscribeControl. By one thread at a time.
  virtual void OnControl(absl::string_view frame) = 0;
  // The frame given to Send() is on its way; the next one may be sent.
  virtual void OnWritten() = 0;
  // The client will send no more: settles everything outstanding, then Finish(OK).
  virtual void OnHalfClose() = 0;
  // The stream is gone: nothing is sent or finished any more.
  virtual void OnDisconnect() = 0;
};

}  // namespace acta
