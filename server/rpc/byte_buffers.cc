#include "server/rpc/byte_buffers.h"

#include <grpcpp/support/slice.h>

#include <string>
#include <utility>

#include "proto/support/wire.h"
#include "storage/base/handover.h"

namespace acta {
namespace {

// Below it a slice of its own costs more than the copy.
constexpr size_t kLeastShared = 1024;
constexpr uint32_t kBatchesField = 1;  // Of DeliveryFrame and of FetchResponse.

void AppendNumber(uint32_t field, uint64_t value, std::string* out) {
  if (value == 0) return;
  AppendVarint(WireTag(field, kWireVarint), out);
  AppendVarint(value, out);
}

void AppendBytes(uint32_t field, absl::string_view bytes, std::string* out) {
  if (bytes.empty()) return;
  AppendVarint(WireTag(field, kWireBytes), out);
  AppendVarint(bytes.size(), out);
  out->append(bytes.data(), bytes.size());
}

// A v1::DeliveredBatch without its events, which follow as they are stored.
std::string EncodeBatchHead(const OutgoingBatch& batch) {
  std::string head;
  AppendNumber(v1::DeliveredBatch::kAssignmentFieldNumber, batch.assignment, &head);
  AppendNumber(v1::DeliveredBatch::kBaseOffsetFieldNumber,
               static_cast<uint64_t>(batch.base_offset.value()), &head);
  AppendNumber(v1::DeliveredBatch::kIncarnationFieldNumber,
               static_cast<uint64_t>(batch.incarnation.value()), &head);
  AppendNumber(v1::DeliveredBatch::kAppendTimeUsFieldNumber,
               static_cast<uint64_t>(batch.append_time_us), &head);
  AppendBytes(v1::DeliveredBatch::kContextFieldNumber, batch.context.view(), &head);
  AppendNumber(v1::DeliveredBatch::kLeaseUntilUsFieldNumber,
               static_cast<uint64_t>(batch.lease_until_us), &head);
  AppendNumber(v1::DeliveredBatch::kAttemptFieldNumber, static_cast<uint64_t>(batch.attempt),
               &head);
  AppendBytes(v1::DeliveredBatch::kDeliveryTokenFieldNumber, batch.delivery_token, &head);
  AppendNumber(v1::DeliveredBatch::kRedrivesFieldNumber, static_cast<uint64_t>(batch.redrives),
               &head);
  AppendBytes(v1::DeliveredBatch::kRedriveIdFieldNumber, batch.redrive_id, &head);
  return head;
}

void ReleaseBytes(void* bytes) {
  TakeOver(bytes);
  delete static_cast<SharedBytes*>(bytes);
}

grpc::Slice ShareAsSlice(const SharedBytes& bytes) {
  auto* const shared = new SharedBytes(bytes);
  HandOver(shared);
  // gRPC reads the bytes only.
  return grpc::Slice(const_cast<char*>(bytes.view().data()), bytes.size(), ReleaseBytes, shared);
}

grpc::ByteBuffer Encode(const google::protobuf::MessageLite& head,
                        const std::vector<OutgoingBatch>& batches) {
  std::vector<grpc::Slice> slices;
  std::string text = head.SerializeAsString();
  for (const OutgoingBatch& batch : batches) {
    const std::string batch_head = EncodeBatchHead(batch);
    AppendVarint(WireTag(kBatchesField, kWireBytes), &text);
    AppendVarint(batch_head.size() + batch.payload.size(), &text);
    text += batch_head;
    if (batch.payload.size() < kLeastShared) {
      text.append(batch.payload.view().data(), batch.payload.size());
      continue;
    }
    slices.emplace_back(text);
    text.clear();
    slices.push_back(ShareAsSlice(batch.payload));
  }
  if (!text.empty() || slices.empty()) slices.emplace_back(text);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace

SharedBytes ToSharedBytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Valid() || !buffer.Dump(&slices).ok()) return SharedBytes();
  std::string bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return SharedBytes(std::move(bytes));
}

grpc::ByteBuffer ToByteBuffer(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

bool ParseByteBuffer(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite* message) {
  const SharedBytes bytes = ToSharedBytes(buffer);
  return message->ParseFromArray(bytes.view().data(), static_cast<int>(bytes.size()));
}

grpc::ByteBuffer EncodeDelivery(const v1::DeliveryFrame& head,
                                const std::vector<OutgoingBatch>& batches) {
  return Encode(head, batches);
}

grpc::ByteBuffer EncodeFetched(const v1::FetchResponse& head,
                               const std::vector<OutgoingBatch>& batches) {
  return Encode(head, batches);
}

}  // namespace acta
