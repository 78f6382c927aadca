#include "storage/state/producer_table.h"

#include <catch2/catch.hpp>

#include "tests/support/heap_bytes.h"

namespace acta {
namespace {

constexpr uint64_t kMost = ProducerTable::kMaxProducers;

void Send(ProducerTable& table, uint64_t producer, int64_t time_us) {
  const auto before = table.Find(producer);
  SequencedBatch batch;
  batch.first_sequence = before.has_value() ? before->next_sequence() : 0;
  batch.sequences = batch.stored = 1;
  batch.append_time_us = time_us;
  table.Record(producer, 1, batch);
}

TEST_CASE("of more producers than are remembered the one silent longest is forgotten") {
  ProducerTable table;
  int64_t now_us = 0;
  for (uint64_t producer = 1; producer <= kMost; ++producer) Send(table, producer, ++now_us);
  SECTION("when they take turns") {
    for (int round = 0; round < 3; ++round) {
      for (uint64_t producer = 0; producer <= kMost; ++producer) {
        const uint64_t next = (producer + 1) % (kMost + 1);
        REQUIRE_FALSE(table.Find(producer).has_value());
        REQUIRE(table.Find(next).has_value());
        Send(table, producer, ++now_us);
        REQUIRE_FALSE(table.Find(next).has_value());
        REQUIRE(table.producers().size() == kMost);
      }
    }
  }
  SECTION("and not one that sent since") {
    Send(table, 1, ++now_us);
    Send(table, kMost + 1, ++now_us);
    CHECK_FALSE(table.Find(2).has_value());
    REQUIRE(table.Find(1).has_value());
    CHECK(table.Find(1)->next_sequence() == 2);
  }
  SECTION("also when what it sent since was undone") {
    const auto before = table.Find(1);
    Send(table, 1, ++now_us);
    table.Restore(1, before);
    Send(table, kMost + 1, ++now_us);
    CHECK_FALSE(table.Find(1).has_value());
    CHECK(table.Find(2).has_value());
  }
  SECTION("but for one that was undone altogether") {
    table.Restore(1, std::nullopt);
    Send(table, kMost + 1, ++now_us);
    CHECK(table.Find(2).has_value());
    Send(table, kMost + 2, ++now_us);
    CHECK_FALSE(table.Find(2).has_value());
    CHECK(table.Find(3).has_value());
  }
}

// Goal: a broker has a table for each partition, and nothing else bounds them.
TEST_CASE("a producer takes less than 400 bytes of a table") {
  const int64_t before = HeapBytes();
  ProducerTable table;
  int64_t now_us = 0;
  for (int batch = 0; batch < 20; ++batch) {
    for (uint64_t producer = 1; producer <= kMost; ++producer) Send(table, producer, ++now_us);
  }
  const int64_t taken = HeapBytes() - before;
  CHECK(taken < static_cast<int64_t>(kMost) * 400);
  REQUIRE(table.producers().size() == kMost);
  for (const auto& [producer, state] : table.producers()) {
    REQUIRE(state.batches.size() == ProducerState::kKept);
    REQUIRE(state.batches.front().first_sequence == 15);
    REQUIRE(state.batches.back().first_sequence == 19);
  }
}

TEST_CASE("who was silent for longer than producers are remembered is forgotten") {
  ProducerTable table;
  const int64_t week_us = absl::ToInt64Microseconds(ProducerTable::kRemembered);
  Send(table, 1, 1);
  Send(table, 2, 2);
  Send(table, 3, 3);
  Send(table, 1, week_us);
  table.ForgetSilent(week_us + 2);
  CHECK(table.producers().size() == 3);
  table.ForgetSilent(week_us + 3);
  CHECK_FALSE(table.Find(2).has_value());
  CHECK(table.Find(3).has_value());
  REQUIRE(table.Find(1).has_value());
  CHECK(table.Find(1)->next_sequence() == 2);
  Send(table, 2, week_us + 4);
  table.ForgetSilent(3 * week_us);
  CHECK(table.producers().empty());
}

}  // namespace
}  // namespace acta
