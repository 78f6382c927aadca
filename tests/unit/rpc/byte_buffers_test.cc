#include "server/rpc/byte_buffers.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>

namespace acta {
namespace {

// `events` elements of a message, as they are stored.
std::string Payload(const std::string& data, int count) {
  v1::DeliveredBatch batch;
  for (int i = 0; i < count; ++i) batch.add_events()->set_data(data);
  return batch.SerializeAsString();
}

OutgoingBatch MakeBatch(SharedBytes payload) {
  OutgoingBatch batch;
  batch.assignment = 300;
  batch.base_offset = Offset(int64_t{1} << 40);
  batch.count = 2;
  batch.incarnation = Incarnation(7);
  batch.append_time_us = 1'700'000'000'000'000;
  batch.context = SharedBytes::Copy("context");
  batch.payload = std::move(payload);
  return batch;
}

TEST_CASE("a delivery reads as the message it stands for", "[rpc]") {
  v1::DeliveryFrame head;
  head.set_acked_through(9);
  head.add_notice()->set_code("REACHED_END");
  const std::string large(5000, 'x');
  v1::DeliveryFrame read;
  REQUIRE(ParseByteBuffer(EncodeDelivery(head, {MakeBatch(SharedBytes(Payload("small", 2))),
                                                MakeBatch(SharedBytes(Payload(large, 2))),
                                                MakeBatch(SharedBytes(Payload("last", 2)))}),
                          &read));
  CHECK(read.acked_through() == 9);
  CHECK(read.notice(0).code() == "REACHED_END");
  REQUIRE(read.batches_size() == 3);
  const std::string data[] = {"small", large, "last"};
  for (int i = 0; i < 3; ++i) {
    const v1::DeliveredBatch& batch = read.batches(i);
    CHECK(batch.assignment() == 300);
    CHECK(batch.base_offset() == int64_t{1} << 40);
    CHECK(batch.incarnation() == 7);
    CHECK(batch.append_time_us() == 1'700'000'000'000'000);
    CHECK(batch.context() == "context");
    REQUIRE(batch.events_size() == 2);
    CHECK(batch.events(1).data() == data[i]);
  }
}

TEST_CASE("a page reads as the message it stands for, also an empty one", "[rpc]") {
  v1::FetchResponse head;
  head.set_next_offset(5);
  v1::FetchResponse read;
  REQUIRE(ParseByteBuffer(EncodeFetched(head, {MakeBatch(SharedBytes(Payload("a", 1)))}), &read));
  CHECK(read.next_offset() == 5);
  CHECK(read.batches_size() == 1);
  REQUIRE(ParseByteBuffer(EncodeFetched(v1::FetchResponse(), {}), &read));
  CHECK(read.ByteSizeLong() == 0);
}

TEST_CASE("a large payload is shared with gRPC until it was sent", "[rpc]") {
  const auto stored = std::make_shared<const std::string>(Payload(std::string(100'000, 'x'), 1));
  {
    const grpc::ByteBuffer buffer =
        EncodeDelivery(v1::DeliveryFrame(), {MakeBatch(SharedBytes(stored, *stored))});
    CHECK(stored.use_count() == 2);
    std::vector<grpc::Slice> slices;
    REQUIRE(buffer.Dump(&slices).ok());
    REQUIRE(slices.size() == 2);
    CHECK(static_cast<const void*>(slices[1].begin()) == stored->data());
  }
  CHECK(stored.use_count() == 1);
}

TEST_CASE("bytes that came in pieces become one", "[rpc]") {
  const grpc::Slice pieces[] = {grpc::Slice("ab"), grpc::Slice("c"), grpc::Slice("")};
  CHECK(ToSharedBytes(grpc::ByteBuffer(pieces, 3)).view() == "abc");
  CHECK(ToSharedBytes(grpc::ByteBuffer()).empty());
}

}  // namespace
}  // namespace acta
