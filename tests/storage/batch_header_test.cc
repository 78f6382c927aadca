#include "storage/layout/batch_header.h"

#include <catch2/catch.hpp>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

BatchHeader Sample(absl::string_view context, absl::string_view payload) {
  BatchHeader header;
  header.partition = PartitionId(TopicId(7), 3);
  header.base_offset = Offset(1000);
  header.count = 5;
  header.incarnation = Incarnation(2);
  header.append_time_us = 1'700'000'000'000'001;
  header.end_bytes = 123456789;
  header.group = GroupNumber(42);
  header.producer_id = 0xdeadbeefcafef00d;
  header.producer_epoch = 9;
  header.first_sequence = 0xffffffff;
  header.context_len = static_cast<uint32_t>(context.size());
  header.payload_len = static_cast<uint32_t>(payload.size());
  header.payload_crc32c = 17;
  header.sequence_count = 6;
  return header;
}

TEST_CASE("a batch header reads back as it was written") {
  const std::string context = "who";
  const std::string payload = "what";
  const std::string value =
      EncodeBatchHeader(Sample(context, payload), context) + context + payload;
  const auto header = DecodeBatchHeader(value);
  REQUIRE_OK(header);
  CHECK(header->partition == PartitionId(TopicId(7), 3));
  CHECK(header->last() == Offset(1004));
  CHECK(header->group == GroupNumber(42));
  CHECK(header->producer_id == 0xdeadbeefcafef00d);
  CHECK(header->first_sequence == 0xffffffff);
  CHECK(header->sequences() == 6);
  CHECK(ContextOf(*header, value) == context);
  CHECK(PayloadOf(*header, value) == payload);
}

TEST_CASE("a flipped bit in header or context is found, wherever it is") {
  const std::string context = "who";
  const std::string payload = "what";
  const std::string good = EncodeBatchHeader(Sample(context, payload), context) + context + payload;
  for (size_t bit = 0; bit < (BatchHeader::kSize + context.size()) * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const auto header = DecodeBatchHeader(bad);
    INFO("bit " << bit);
    CHECK(ReasonOf(header.status()) == v1::DATA_CORRUPTED);
  }
}

TEST_CASE("a truncated or extended batch is refused") {
  const std::string value = EncodeBatchHeader(Sample("", "payload"), "") + "payload";
  for (size_t size = 0; size < value.size(); ++size) {
    CHECK_FALSE(DecodeBatchHeader(absl::string_view(value).substr(0, size)).ok());
  }
  CHECK_FALSE(DecodeBatchHeader(value + "x").ok());
  CHECK_OK(DecodeBatchHeader(value));
}

TEST_CASE("log keys sort by partition and last offset") {
  const PartitionId a(TopicId(1), 255);
  const PartitionId b(TopicId(2), 0);
  CHECK(LogKey(a, Offset(256)) > LogKey(a, Offset(255)));
  CHECK(LogKey(b, Offset(0)) > LogKey(a, Offset(INT64_MAX)));
  CHECK(DecodeLogKey(LogKey(a, Offset(77)))->last == Offset(77));
}

}  // namespace
}  // namespace acta
