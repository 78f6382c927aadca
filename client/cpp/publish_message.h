#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>

#include "acta/v1/publisher.pb.h"
#include "client/cpp/publish_queue.h"

namespace acta::client {

// An encoded acta.v1.PublishFrame. Payloads are shared, not copied. `open` is null but for the
// first frame of a stream.
grpc::ByteBuffer EncodeFrame(const PublishQueue::Frame& frame, uint64_t producer_id,
                             const v1::PublishOpen* open);

}  // namespace acta::client
