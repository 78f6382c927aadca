#include "server/core/subscribe/batch_buffer.h"
#include "tests/unit/subscribe/recording_sink.h"

namespace acta {
namespace {

constexpr size_t kAll = size_t{1} << 40;

BatchPtr Batch(int64_t base, const std::vector<std::string>& events) {
  auto batch = std::make_shared<StoredBatch>();
  batch->base_offset = Offset(base);
  batch->count = static_cast<uint32_t>(events.size());
  std::string payload;
  for (const std::string& event : events) payload += Element(event);
  batch->payload = SharedBytes(std::move(payload));
  return batch;
}

TEST_CASE("events are taken in order across batches", "[batch_buffer]") {
  BatchBuffer buffer(Offset(4));
  buffer.Append({Batch(2, {"2", "3", "4", "5"}), Batch(6, {"6"})});
  CHECK(buffer.position() == Offset(4));
  CHECK(buffer.end() == Offset(7));
  CHECK(buffer.bytes() == 3 * Element("4").size());
  OutgoingBatch batch = buffer.Take(100, kAll);
  CHECK(batch.base_offset == Offset(4));
  CHECK(DataOf(batch.payload) == std::vector<std::string>{"4", "5"});
  batch = buffer.Take(100, kAll);
  CHECK(batch.base_offset == Offset(6));
  CHECK(batch.count == 1);
  CHECK(buffer.empty());
  CHECK(buffer.bytes() == 0);
  CHECK(buffer.position() == Offset(7));
}

TEST_CASE("a batch is cut at the bounds between events", "[batch_buffer]") {
  BatchBuffer buffer(Offset(0));
  buffer.Append({Batch(0, {"aaaa", "b", "cc"})});
  const size_t first = Element("aaaa").size();
  CHECK(buffer.next_event_bytes() == first);
  CHECK(buffer.Take(3, first - 1).count == 0);
  CHECK(buffer.position() == Offset(0));
  CHECK(DataOf(buffer.Take(1, kAll).payload) == std::vector<std::string>{"aaaa"});
  CHECK(buffer.front_events() == 2);
  CHECK(buffer.next_event_bytes() == Element("b").size());
  const OutgoingBatch rest = buffer.Take(3, Element("b").size() + Element("cc").size());
  CHECK(rest.base_offset == Offset(1));
  CHECK(DataOf(rest.payload) == std::vector<std::string>{"b", "cc"});
}

TEST_CASE("what was read twice is kept once", "[batch_buffer]") {
  BatchBuffer buffer(Offset(0));
  buffer.Append({Batch(0, {"a", "b"})});
  buffer.Append({Batch(0, {"a", "b"}), Batch(2, {"c"})});
  CHECK(buffer.end() == Offset(3));
  CHECK(buffer.Take(9, kAll).count == 2);
  CHECK(buffer.Take(9, kAll).count == 1);
  CHECK(buffer.empty());
}

TEST_CASE("a cleared buffer goes on from where it was", "[batch_buffer]") {
  BatchBuffer buffer(Offset(0));
  buffer.Append({Batch(0, {"a", "b", "c"})});
  buffer.Take(1, kAll);
  buffer.Clear();
  CHECK(buffer.empty());
  CHECK(buffer.bytes() == 0);
  CHECK(buffer.end() == Offset(1));
}

}  // namespace
}  // namespace acta
