#include "tests/support/test_store.h"

#include <filesystem>
#include <future>
#include <optional>

#include "acta/storage/v1/records.pb.h"
#include "acta/v1/event.pb.h"
#include "acta/v1/publisher.pb.h"
#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "storage/layout/engine_rows.h"

namespace acta {

std::string EventElement(absl::string_view data, absl::string_view id) {
  v1::PartitionBatch batch;
  v1::Event* event = batch.add_events();
  event->set_data(std::string(data));
  event->set_id(std::string(id));
  return batch.SerializeAsString();
}

Append MakeAppend(PartitionId partition, const std::vector<std::string>& elements) {
  std::string payload;
  for (const std::string& element : elements) payload += element;
  Append append;
  append.partition = partition;
  append.count = static_cast<uint32_t>(elements.size());
  append.payload_crc32c = Crc32c(payload);
  append.payload = SharedBytes(std::move(payload));
  return append;
}

TransactionResult Commit(LogEngine& engine, Transaction transaction) {
  auto settled = std::make_shared<std::promise<TransactionResult>>();
  std::future<TransactionResult> result = settled->get_future();
  transaction.done = [settled](TransactionResult value) { settled->set_value(std::move(value)); };
  const absl::Status submitted = engine.Submit(std::move(transaction));
  if (!submitted.ok()) return {submitted, Level::kOs, {}, {}};
  return result.get();
}

TransactionResult Commit(LogEngine& engine, Append append, Level level) {
  Transaction transaction;
  transaction.level = level;
  transaction.appends.push_back(std::move(append));
  return Commit(engine, std::move(transaction));
}

absl::StatusOr<std::vector<std::string>> ReadData(const LogEngine& engine, PartitionId partition,
                                                  Offset from) {
  std::vector<std::string> data;
  for (Offset next = from;;) {
    auto batches = engine.Read(partition, next, 1 << 20);
    if (!batches.ok()) return batches.status();
    if (batches->empty()) return data;
    for (const BatchPtr& batch : *batches) {
      EventElements elements(batch->payload.view());
      absl::string_view bytes;
      for (Offset at = batch->base_offset; elements.Next(&bytes); at = at + 1) {
        v1::Event event;
        event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
        if (at >= next) data.push_back(event.data());
      }
      next = batch->end();
    }
  }
}

TestStore::TestStore(LocalEngineOptions options) : options_(std::move(options)) {
  if (options_.data.empty()) options_.data = folder_.path() + "/data";
  options_.memtable_bytes = 4 << 20;
  options_.write_buffer_bytes = 64 << 10;
  options_.ballast_bytes = 0;
  options_.watermarks = {{0, 0}, {0, 0}, {0, 0}};
  // Tests say themselves when maintenance runs.
  options_.maintenance_interval = options_.slice_interval = absl::Hours(1000000);
  const absl::Status opened = Open();
  if (!opened.ok()) CheckFailed(__FILE__, __LINE__, std::string(opened.message()));
}

TestStore::~TestStore() = default;

void TestStore::Close() { engine_.reset(); }

absl::Status TestStore::Open() {
  auto engine = LocalLogEngine::Open(options_, sink_, clock_);
  if (!engine.ok()) return engine.status();
  engine_ = *std::move(engine);
  // The engine keeps only events of topics that have a record.
  storage::v1::TopicRecord record;
  record.set_topic_id(kTopic.value());
  record.mutable_topic()->set_partitions(4);
  Transaction transaction;
  transaction.rows.push_back(
      {Family::kMeta, std::string(kTopicRows) + "default/test", record.SerializeAsString()});
  const TransactionResult stored = Commit(*engine_, std::move(transaction));
  if (!stored.status.ok()) return stored.status;
  return engine_->OpenTopic(kTopic, 4, settings_);
}

void TestStore::Crash() {
  const std::string image = options_.data + "-crashed";
  // A copy from which a file went meanwhile, as old ones do, is not the folder of one moment.
  std::error_code failed;
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::filesystem::remove_all(image);
    std::filesystem::copy(options_.data, image, std::filesystem::copy_options::recursive, failed);
    if (!failed) break;
  }
  if (failed) CheckFailed(__FILE__, __LINE__, failed.message());
  options_.data = image;
  Reopen();
}

void TestStore::Reopen() {
  Close();
  const absl::Status opened = Open();
  if (!opened.ok()) CheckFailed(__FILE__, __LINE__, std::string(opened.message()));
}

}  // namespace acta
