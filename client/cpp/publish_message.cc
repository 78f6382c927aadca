#include "client/cpp/publish_message.h"

#include <grpcpp/support/slice.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "storage/base/handover.h"

namespace acta::client {
namespace {

constexpr char kBatchesTag = static_cast<char>(WireTag(4, kWireBytes));

grpc::Slice Share(std::shared_ptr<const std::string> bytes) {
  using Owner = std::shared_ptr<const std::string>;
  auto* const owner = new Owner(std::move(bytes));
  // gRPC wants writable memory and never writes to it.
  char* const data = const_cast<char*>((*owner)->data());
  const size_t size = (*owner)->size();
  HandOver(owner);
  return grpc::Slice(
      data, size,
      [](void* held) {
        TakeOver(held);
        delete static_cast<Owner*>(held);
      },
      owner);
}

}  // namespace

void AppendElement(const v1::Event& event, std::string* payload) {
  const size_t size = event.ByteSizeLong();
  payload->push_back(static_cast<char>(EventElements::kTag));
  AppendVarint(size, payload);
  const size_t begin = payload->size();
  payload->resize(begin + size);
  event.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(payload->data() + begin));
}

grpc::ByteBuffer EncodeFrame(const PublishQueue::Frame& frame, uint64_t producer_id,
                             const v1::PublishOpen* open) {
  v1::PublishFrame head;
  head.set_frame_id(frame.id);
  if (open != nullptr) *head.mutable_open() = *open;
  std::string bytes = head.SerializeAsString();
  std::vector<grpc::Slice> slices;
  v1::PartitionBatch header;
  std::string header_bytes;
  for (const PublishBatch* batch : frame.batches) {
    header.set_topic(batch->topic());
    header.set_partition(batch->partition());
    header.set_producer_id(producer_id);
    header.set_producer_epoch(batch->epoch);
    header.set_first_sequence(batch->first_sequence);
    header.set_payload_crc32c(Crc32c(*batch->payload));
    header.clear_caused_by();
    if (batch->cause.has_value()) *header.mutable_caused_by() = *batch->cause;
    header.SerializeToString(&header_bytes);
    bytes.push_back(kBatchesTag);
    AppendVarint(header_bytes.size() + batch->payload->size(), &bytes);
    bytes += header_bytes;
    slices.emplace_back(bytes);
    slices.push_back(Share(batch->payload));
    bytes.clear();
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace acta::client
