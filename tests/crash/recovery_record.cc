#include "tests/crash/recovery_record.h"

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "acta/storage/v1/records.pb.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/log/local_log_engine.h"
#include "tests/crash/crash_load.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

absl::Status OpenTopics(const History& history, LocalLogEngine* engine) {
  ASSIGN_OR_RETURN(const auto rows, engine->LoadRows(Family::kMeta, kTopicRows));
  for (const auto& [key, value] : rows) {
    storage::v1::TopicRecord record;
    if (!record.ParseFromString(value)) return absl::InternalError("a topic record");
    const HistoryTopic* topic = history.FindTopic(TopicId(record.topic_id()));
    if (topic == nullptr) return absl::InternalError("a topic nobody made");
    RETURN_IF_ERROR(engine->OpenTopic(topic->id, topic->partitions, topic->settings));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RecordRecovery(const History& history, const ImageCut& cut, const std::string& image,
                            const std::string& record, bool stop, size_t* start) {
  std::vector<DiskOperation> before;
  if (!std::filesystem::exists(record)) {
    before = OperationsThatMake(image);
  } else if (!LoadOperations(record, &before)) {
    return absl::InternalError("the record cannot be read");
  }
  *start = before.size();
  const auto disk = std::make_shared<FaultyDisk>();
  disk->Record(std::move(before));
  LocalEngineOptions options = SmallEngineOptions(image);
  options.boot_id = cut.boot;
  options.file_system = disk;
  // Leaked with the engine that uses them.
  FakeClock& clock = *new FakeClock;
  RecordingFatalSink& sink = *new RecordingFatalSink;
  clock.Jump(absl::FromUnixMicros(TimeOf(history, cut.operations)) - clock.Wall());
  ASSIGN_OR_RETURN(auto opened, LocalLogEngine::Open(options, sink, clock));
  LocalLogEngine* const engine = opened.release();
  RETURN_IF_ERROR(OpenTopics(history, engine));
  if (stop) engine->Stop();
  if (!sink.causes().empty()) return absl::InternalError(sink.causes().front());
  return SaveOperations(disk->record(disk->operations()), record)
             ? absl::OkStatus()
             : absl::InternalError("the record cannot be written");
}

}  // namespace acta
