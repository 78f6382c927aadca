#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "acta/v1/subscriber.pb.h"
#include "server/core/queues/ledger.h"
#include "storage/base/bytes.h"
#include "storage/base/crc32c.h"
#include "storage/layout/batch_header.h"
#include "storage/layout/index_block.h"
#include "storage/log/producer_snapshot.h"
#include "storage/log/witness.h"
#include "storage/rocks/write_group.h"

namespace acta {
namespace {

void Save(const std::string& path, const std::string& bytes) {
  const std::filesystem::path file = ACTA_SOURCE_DIR "/tests/fuzz/corpus/" + path;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

std::string Framed(const std::vector<std::string>& frames) {
  std::string out;
  for (const std::string& frame : frames) {
    REQUIRE(frame.size() < 1 << 14);
    if (frame.size() >= 128) out += static_cast<char>((frame.size() & 127) | 128);
    out += static_cast<char>(frame.size() >= 128 ? frame.size() >> 7 : frame.size());
    out += frame;
  }
  return out;
}

// Both as it is and with checksums to be made right.
void SaveRecord(const std::string& folder, const std::string& name, const std::string& record) {
  Save(folder + "/" + name, std::string(1, '\0') + record);
  Save(folder + "/" + name + "_repaired", "\x01" + record);
}

void SaveBatch(const std::string& name, BatchHeader header, const std::string& context,
               const std::string& payload) {
  header.context_len = static_cast<uint32_t>(context.size());
  header.payload_len = static_cast<uint32_t>(payload.size());
  header.payload_crc32c = Crc32c(payload);
  SaveRecord("stored_batch", name, EncodeBatchHeader(header, context) + context + payload);
}

TEST_CASE("corpus of stored batches", "[.corpus]") {
  BatchHeader header;
  header.partition = PartitionId(TopicId(3), 2);
  header.count = 1;
  SaveBatch("one", header, "",
            std::string("\x7a\x03\x32\x01"
                        "a",
                        5));
  header.count = 3;
  header.base_offset = Offset(40);
  header.producer_id = 7;
  header.sequence_count = 5;
  SaveBatch("three", header, "context", std::string("\x7a\x00\x7a\x02\x32\x00\x7a\x00", 8));
  header.base_offset = Offset(std::numeric_limits<int64_t>::max());
  SaveBatch("last_offset", header, "", "");
}

TEST_CASE("corpus of witness slots", "[.corpus]") {
  const auto save = [](const std::string& name, const WitnessRecord& record) {
    std::string slot = EncodeWitness(record, 9);
    slot.resize(16 + GetLittle<uint32_t>(slot.data() + 4));
    SaveRecord("witness", name, slot);
  };
  WitnessRecord record;
  save("empty", record);
  record.store_id = "0af7651916cd43dd";
  record.boot_id = "b7ad6b71";
  record.incarnation = Incarnation(3);
  record.synced_group = GroupNumber(1000);
  record.server_time_us = 1700000000000000;
  save("dirty", record);
  record.clean = true;
  record.live_wals = {4, 7, 9};
  save("clean", record);
}

TEST_CASE("corpus of rows of producers", "[.corpus]") {
  ProducerTable producers;
  Save("producers/none", EncodeProducers(producers, Offset(0)));
  for (uint32_t i = 0; i < 7; ++i) {
    producers.Record(7, 1, {i * 10, 10, 9, Offset(i * 9), Incarnation(1), 1700000000000000 + i});
    if (i == 0) Save("producers/one", EncodeProducers(producers, Offset(9)));
  }
  Save("producers/full", EncodeProducers(producers, Offset(63)));
  producers.Record(8, 2, {4294967290U, 10, 10, Offset(63), Incarnation(2), 1});
  Save("producers/wrapped", EncodeProducers(producers, Offset(73)));
  producers.Record(8, 3, {0, 1, 0, Offset(73), Incarnation(2), 2});
  Save("producers/new_epoch", EncodeProducers(producers, Offset(73)));
}

TEST_CASE("corpus of table extents", "[.corpus]") {
  std::string out(8, '\0');
  Save("table_extents/none", out);
  for (uint64_t partition : {1, 2, 9}) {
    for (uint64_t number : {partition << 16, partition * 10, partition * 20, partition,
                            partition * 100, partition * 1000, partition * 2000}) {
      PutBig64(&out, number);
    }
    Save("table_extents/spans_" + std::to_string(partition), out);
  }
  Save("table_extents/cut", out.substr(0, 70));
}

TEST_CASE("corpus of blocks of the index of journeys", "[.corpus]") {
  const uint64_t wanted = uint64_t{0x01020304} << (64 - kIndexHashBits);
  const std::string hash("\x04\x03\x02\x01", 4);
  Save("index_block/empty", hash);
  std::string block = hash;
  AppendToIndexBlock({wanted, PartitionId(TopicId(3), 2), Offset(40)}, &block);
  Save("index_block/one", block);
  for (uint64_t i = 0; i < 40; ++i) {
    AppendToIndexBlock({wanted + (i % 5 << (64 - kIndexHashBits)), PartitionId(TopicId(3), 1),
                        Offset(static_cast<int64_t>(i * i * i * i * i))},
                       &block);
  }
  Save("index_block/some", block);
  Save("index_block/cut", block.substr(0, block.size() - 3));
  AppendToIndexBlock({wanted + 1, PartitionId(std::numeric_limits<uint64_t>::max()),
                      Offset(std::numeric_limits<int64_t>::max())},
                     &block);
  Save("index_block/wide", block);
}

TEST_CASE("corpus of the ledger", "[.corpus]") {
  const auto save = [](const std::string& name, const storage::v1::LedgerRecord& record) {
    v1::Event event;
    event.set_data(record.SerializeAsString());
    Save("ledger/" + name, event.SerializeAsString());
  };
  constexpr int64_t kTime = 1'700'000'000'000'000;
  const PartitionId partition(TopicId(3), 2);
  save("passed", PassedRecord(GroupId(7), partition, {Offset(10), Offset(40)}, kTime));
  save("decided", DecisionRecord(GroupId(7), partition, kTime,
                                 LedgerEntryOf(storage::v1::LedgerEntry::SKIPPED,
                                               {Offset(4), Offset(5)}, {"ann", "a test"})));
  storage::v1::LedgerRecord record;
  record.add_members()->set_member_id("worker-1");
  PutProcessed({{Offset(3), 1, 1, kTime - 5'000}, {Offset(9), 100, 1, 0}}, kTime, &record);
  save("processed", record);
  record.add_processed(std::numeric_limits<uint64_t>::max());
  save("half_a_run", record);
  for (int i = 0; i < 3; ++i) record.add_processed(1);
  save("too_far", record);
}

TEST_CASE("corpus of log files", "[.corpus]") {
  const auto record = [](uint64_t group, uint32_t incarnation) {
    return std::string(12, '\0') + "\x03\x10" +
           EncodeGroupMark({GroupNumber(group), Incarnation(incarnation)}) + "operations";
  };
  const auto piece = [](char type, const std::string& bytes) {
    return std::string(1, type) + bytes;
  };
  Save("wal/empty", "");
  Save("wal/recovered", "\x03" + Framed({piece(1, record(4, 1)), piece(1, record(5, 1))}));
  Save("wal/unreached", "\x01" + Framed({piece(1, record(5, 1)), piece(1, record(6, 1))}));
  Save("wal/split", "\x03" + Framed({piece(2, record(9, 1)), piece(3, "m"), piece(4, "l")}));
  Save("wal/broken",
       "\x03" + Framed({piece(2, record(9, 1)), piece(1, record(4, 1)), piece(4, "l")}));
  Save("wal/other_life", "\x03" + Framed({piece(1, record(900, 0)), piece(1, record(6, 2))}));
  Save("wal/raw", std::string("\x02") + std::string("\x12\x34\x56\x78\x05\x00\x01"
                                                    "hello",
                                                    12));
}

v1::SubscribeControl Control(uint64_t id) {
  v1::SubscribeControl control;
  control.set_frame_id(id);
  return control;
}

v1::SubscribeControl Start(uint64_t id) {
  v1::SubscribeControl control = Control(id);
  v1::SubscribeStart* start = control.mutable_start();
  start->add_topics()->set_topic("t");
  return control;
}

TEST_CASE("corpus of control frames", "[.corpus]") {
  v1::SubscribeControl start = Start(1);
  v1::SubscribeControl credit = Control(2);
  credit.mutable_credit()->set_events(10);
  credit.mutable_credit()->set_bytes(1000);
  v1::SubscribeControl commit = Control(3);
  commit.mutable_commit()->set_assignment(1);
  commit.mutable_commit()->set_offset(2);
  v1::SubscribeControl released = Control(4);
  released.mutable_released()->set_assignment(1);
  v1::SubscribeControl tick = Control(5);
  tick.mutable_tick();
  const auto rest = [&](const v1::SubscribeControl& first) {
    return Framed({first.SerializeAsString(), credit.SerializeAsString(),
                   commit.SerializeAsString(), released.SerializeAsString(),
                   tick.SerializeAsString()});
  };
  Save("control/latest", rest(start));
  v1::TopicPosition* topic = start.mutable_start()->mutable_topics(0);
  topic->mutable_from()->set_earliest(true);
  topic->set_until_end(true);
  Save("control/to_the_end", rest(start));
  topic->clear_until_end();
  topic->set_only_listed(true);
  v1::PartitionPosition* listed = topic->add_partitions();
  listed->set_offset(3);
  listed->set_incarnation(1);
  start.mutable_start()->set_max_frame_bytes(65536);
  start.mutable_start()->add_wanted_features("x");
  Save("control/listed", rest(start));
  topic->clear_partitions();
  topic->clear_only_listed();
  topic->mutable_from()->set_time_us(1700000000000000);
  topic->set_until_time_us(1800000000000000);
  Save("control/by_time", rest(start));
  start = Start(1);
  start.mutable_start()->set_group("g");
  start.mutable_start()->set_member_id("m");
  start.mutable_start()->set_app("shop");
  start.mutable_start()->set_mode(v1::GROUP_MODE_STREAM);
  start.mutable_start()->mutable_create_at()->set_earliest(true);
  Save("control/member", rest(start));
  Save("control/not_started", Framed({tick.SerializeAsString()}));
}

TEST_CASE("corpus of delivery frames", "[.corpus]") {
  v1::DeliveryFrame assigned;
  v1::Assigned* one = assigned.add_assigned();
  one->set_assignment(3);
  one->set_topic("t");
  one->set_offset(40);
  one->set_incarnation(1);
  v1::DeliveryFrame events;
  events.set_acked_through(1);
  v1::DeliveredBatch* batch = events.add_batches();
  batch->set_assignment(3);
  batch->set_base_offset(40);
  batch->set_incarnation(1);
  batch->set_append_time_us(5);
  batch->add_events()->set_data("a");
  batch->add_events()->set_id("b");
  const std::string first = assigned.SerializeAsString();
  Save("delivery/assigned", Framed({first}));
  Save("delivery/events", Framed({first, events.SerializeAsString()}));
  batch->add_offset_deltas(0);
  batch->add_offset_deltas(5);
  Save("delivery/deltas", Framed({first, events.SerializeAsString()}));
  batch->set_offset_deltas(0, 7);
  Save("delivery/falling_deltas", Framed({first, events.SerializeAsString()}));
  batch->clear_offset_deltas();
  batch->set_base_offset(std::numeric_limits<int64_t>::max());
  Save("delivery/last_offset", Framed({first, events.SerializeAsString()}));
  v1::DeliveryFrame rest;
  rest.add_revoking()->set_assignment(3);
  rest.add_revoked()->set_assignment(3);
  rest.add_notice()->set_code("REACHED_END");
  rest.add_gap()->set_assignment(3);
  v1::ControlError* error = rest.add_errors();
  error->set_frame_id(1);
  error->mutable_status()->set_reason(v1::FENCED);
  Save("delivery/revoked", Framed({first, rest.SerializeAsString(), first}));
}

}  // namespace
}  // namespace acta
