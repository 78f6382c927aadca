#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <vector>

#include "acta/v1/publisher.pb.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/subscribe/event_sink.h"
#include "storage/base/bytes.h"

namespace acta {

// The bytes of a message in one piece, as a copy: a message of any size comes in pieces of gRPC's
// read buffers, and a small one that was kept would keep a whole buffer.
SharedBytes ToSharedBytes(const grpc::ByteBuffer& buffer);

// A serialised message.
grpc::ByteBuffer ToByteBuffer(const google::protobuf::MessageLite& message);
// False when the bytes are not such a message.
bool ParseByteBuffer(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite* message);

// A v1::DeliveryFrame, respectively a v1::FetchResponse: `head` and, as its field 1, the batches.
// Payloads are shared, not copied, unless they are tiny.
grpc::ByteBuffer EncodeDelivery(const v1::DeliveryFrame& head,
                                const std::vector<OutgoingBatch>& batches);
grpc::ByteBuffer EncodeFetched(const v1::FetchResponse& head,
                               const std::vector<OutgoingBatch>& batches);

}  // namespace acta
