// A small data folder as an earlier version left it, kept under version control: the present code
// has to open it and find everything in it. `acta_golden --make FILE.tar.gz` writes one with the
// present code, `acta_golden --check FILE.tar.gz` reads one. A new stored format gets a new file;
// files of released formats are never made again.
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "acta/v1/publisher.pb.h"
#include "proto/support/error.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/local_log_engine.h"
#include "tests/golden/golden_rows.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

constexpr PartitionId kOrders1(kOrders, 1);
constexpr PartitionId kClicks0(kClicks, 0);
constexpr int kFirstLife = 10;  // Batches of orders/0 before the power cut.
constexpr int kSecondLife = 5;  // After it.
constexpr int kClickBatches = 12;
constexpr int64_t kClickBytes = 4000;  // What retention keeps of clicks.
constexpr uint64_t kClicker = 77;
constexpr uint64_t kOrderer = 78;

TopicSettings SettingsOf(TopicId topic) {
  TopicSettings settings;
  if (topic == kClicks) {
    settings.visible_at = Level::kOs;
    settings.dedupe = Dedupe::kSequences;
    settings.retention = absl::Hours(24);
    settings.retention_bytes = kClickBytes;
  }
  return settings;
}

// The events of a batch: every field, text and other bytes.
v1::PartitionBatch EventsOf(PartitionId partition, int batch, int count) {
  v1::PartitionBatch events;
  for (int i = 0; i < count; ++i) {
    v1::Event* event = events.add_events();
    const std::string name = absl::StrCat(partition.value(), "-", batch, "-", i);
    if (partition.topic() == kOrders) event->set_id(name);
    event->set_source("/golden");
    event->set_type("OrderPlaced");
    event->set_subject(absl::StrCat("order ", i));
    event->set_key(std::string("\x00\xff", 2) + name);
    event->set_data(std::string(100 + static_cast<size_t>(batch), static_cast<char>(128 + i)));
    event->set_time_us(1'600'000'000'000'000 + batch);
    event->set_correlation_id("journey");
    event->set_content_type("application/octet-stream");
    (*event->mutable_attributes())["attribute"] = name;
    v1::Affected* affected = event->add_affected();
    affected->set_kind("customer");
    affected->set_id("7");
  }
  return events;
}

Append AppendOf(const LogEngine& engine, const v1::PartitionBatch& events, PartitionId partition,
                uint64_t producer = 0, uint32_t first_sequence = 0) {
  std::vector<std::string> elements;
  Append append;
  for (const v1::Event& event : events.events()) {
    v1::PartitionBatch one;
    *one.add_events() = event;
    elements.push_back(one.SerializeAsString());
  }
  append = MakeAppend(partition, elements);
  for (int i = 0; i < events.events_size(); ++i) {
    if (events.events(i).id().empty()) continue;
    append.ids.push_back({static_cast<uint32_t>(i),
                          engine.HashEventId(events.events(i).source(), events.events(i).id())});
  }
  append.context = SharedBytes::Copy(absl::StrCat("context of ", partition.value()));
  append.producer_id = producer;
  append.producer_epoch = producer == 0 ? 0 : 1;
  append.first_sequence = first_sequence;
  return append;
}

// An event that is in orders/1 already, and a new one: stored is the second.
v1::PartitionBatch HalfRepeated() {
  v1::PartitionBatch events = EventsOf(kOrders1, 0, 1);
  events.MergeFrom(EventsOf(kOrders1, 100, 1));
  return events;
}

LocalEngineOptions OptionsFor(const std::string& folder, const std::string& boot) {
  LocalEngineOptions options;
  options.data = folder;
  options.boot_id = boot;
  options.slice_age = absl::Seconds(1);
  options.write_buffer_bytes = 64 << 10;
  options.ballast_bytes = 0;
  options.watermarks = {{0, 0}, {0, 0}, {0, 0}};
  options.maintenance_interval = options.slice_interval = absl::Hours(1'000'000);
  return options;
}

absl::Status Store(LogEngine& engine, Append append) {
  const TransactionResult result = Commit(engine, std::move(append));
  RETURN_IF_ERROR(result.status);
  return result.appends.at(0).status;
}

// Commands that work on files, as a shell would.
absl::Status Shell(const std::string& command) {
  const int status = std::system(command.c_str());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("'", command, "' failed"));
}

class GoldenFolder {
 public:
  absl::StatusOr<std::unique_ptr<LocalLogEngine>> Open(const std::string& folder,
                                                       const std::string& boot) {
    return LocalLogEngine::Open(OptionsFor(folder, boot), sink_, clock_);
  }
  absl::Status OpenTopics(LogEngine& engine) {
    RETURN_IF_ERROR(engine.OpenTopic(kOrders, 2, SettingsOf(kOrders)));
    return engine.OpenTopic(kClicks, 1, SettingsOf(kClicks));
  }

  absl::Status Make(const std::string& file) {
    const std::string first = work_.File("first");
    const std::string second = work_.File("second");
    {
      ASSIGN_OR_RETURN(const auto engine, Open(first, "boot-1"));
      Transaction rows;
      rows.rows = DomainRows();
      RETURN_IF_ERROR(Commit(*engine, std::move(rows)).status);
      RETURN_IF_ERROR(OpenTopics(*engine));
      RETURN_IF_ERROR(FillFirst(*engine));
      RETURN_IF_ERROR(Shell(absl::StrCat("cp -r ", first, " ", second)));  // As a kill leaves it.
    }
    ASSIGN_OR_RETURN(const auto engine, Open(second, "boot-2"));
    RETURN_IF_ERROR(OpenTopics(*engine));
    for (int i = 0; i < kSecondLife; ++i) {
      RETURN_IF_ERROR(
          Store(*engine, AppendOf(*engine, EventsOf(kOrders0, kFirstLife + i, 3), kOrders0)));
    }
    const std::string packed = work_.File("packed");
    RETURN_IF_ERROR(Shell(absl::StrCat("cp -r ", second, " ", packed, " && rm -f ", packed,
                                       "/db/LOG* ", packed, "/acta.lock")));
    return Shell(absl::StrCat("tar --owner=0 --group=0 -C ", packed, " -czf ", file, " ."));
  }

  absl::Status Unpack(const std::string& file) {
    fs::create_directories(folder());
    return Shell(absl::StrCat("tar -C ", folder(), " -xzf ", file));
  }
  std::string folder() const { return work_.File("golden"); }
  FakeClock& clock() { return clock_; }

 private:
  // Slices that are closed, flushed and (of clicks) dropped, rows beside them.
  absl::Status FillFirst(LocalLogEngine& engine) {
    for (int i = 0; i < kFirstLife; ++i) {
      RETURN_IF_ERROR(Store(engine, AppendOf(engine, EventsOf(kOrders0, i, 3), kOrders0)));
      if (i % 4 != 3) continue;
      clock_.Advance(absl::Seconds(2));
      RETURN_IF_ERROR(engine.MaintainNow());
    }
    RETURN_IF_ERROR(Store(engine, AppendOf(engine, EventsOf(kOrders1, 0, 4), kOrders1)));
    RETURN_IF_ERROR(Store(engine, AppendOf(engine, HalfRepeated(), kOrders1, kOrderer, 0)));
    for (int i = 0; i < kClickBatches; ++i) {
      RETURN_IF_ERROR(Store(engine, AppendOf(engine, EventsOf(kClicks0, i, 4), kClicks0, kClicker,
                                             static_cast<uint32_t>(4 * i))));
      clock_.Advance(absl::Milliseconds(600));
      if (i % 3 == 2) RETURN_IF_ERROR(engine.MaintainNow());
    }
    return engine.MaintainNow();
  }

  TempDir work_;
  FakeClock clock_;
  RecordingFatalSink sink_;
};

class Check {
 public:
  explicit Check(const std::string& file) : file_(file) {}

  int Run() {
    Expect("unpacks", golden_.Unpack(file_));
    golden_.clock().Advance(absl::Minutes(1));
    if (problems_ == 0) CheckNewer();
    if (problems_ == 0) CheckAll();
    std::printf("%s: %d problems\n", file_.c_str(), problems_);
    return problems_ == 0 ? 0 : 1;
  }

 private:
  void Expect(absl::string_view what, bool holds, absl::string_view detail = "") {
    if (holds) return;
    ++problems_;
    std::printf("not so: %s %s\n", std::string(what).c_str(), std::string(detail).c_str());
  }
  void Expect(absl::string_view what, const absl::Status& status) {
    Expect(what, status.ok(), status.ToString());
  }

  // A folder of a newer format is not touched.
  void CheckNewer() {
    const std::string format = golden_.folder() + "/FORMAT";
    fs::copy_file(format, format + ".kept");
    std::ofstream(format) << "acta " << kFormatVersion + 1 << "\n";
    const auto newer = golden_.Open(golden_.folder(), "boot-2");
    Expect("a newer format is refused", ReasonOf(newer.status()) == v1::FORMAT_TOO_NEW,
           newer.status().ToString());
    Expect("the refusal names the format",
           DetailsOf(newer.status())["format"] == absl::StrCat(kFormatVersion + 1));
    fs::rename(format + ".kept", format);
  }

  void CheckAll() {
    auto opened = golden_.Open(golden_.folder(), "boot-2");
    Expect("opens", opened.status());
    if (!opened.ok()) return;
    engine_ = *std::move(opened);
    Expect("incarnation 2", engine_->incarnation() == Incarnation(2));
    Expect("store id", engine_->store_id().size() == 32, engine_->store_id());
    CheckRows();
    Expect("topics open", golden_.OpenTopics(*engine_));
    if (problems_ > 0) return;
    CheckOrders();
    CheckClicks();
    CheckRepetitions();
    const absl::Status cut =
        engine_->CheckPosition(kOrders0, Incarnation(1), Offset(3 * kFirstLife + 1));
    Expect("the cut between the incarnations", ReasonOf(cut) == v1::LOG_TRUNCATED);
    const TransactionResult next =
        Commit(*engine_, AppendOf(*engine_, EventsOf(kOrders0, 900, 1), kOrders0));
    Expect("goes on at the end", next.status.ok() && next.appends.at(0).base_offset ==
                                                         Offset(3 * (kFirstLife + kSecondLife)));
  }

  void CheckRows() {
    for (const RowWrite& row : DomainRows()) {
      const auto found = engine_->LoadRows(row.family, row.key);
      Expect(row.key, found.ok() && found->size() == 1 && found->front().second == *row.value);
    }
  }

  // Batches [from, to) of the partition, each `count` events, in the order they were stored.
  void CheckEvents(PartitionId partition, const std::vector<v1::PartitionBatch>& expected,
                   Offset first) {
    const auto extent = engine_->Extent(partition);
    Offset next = first;
    for (const v1::PartitionBatch& events : expected) {
      const auto batches = engine_->Read(partition, next, 1);
      const bool there = batches.ok() && !batches->empty();
      Expect(absl::StrCat("a batch at ", next.value()), there, batches.status().ToString());
      if (!there) return;
      const StoredBatch& batch = *batches->front();
      v1::PartitionBatch stored;
      Expect("whole events", stored.ParseFromString(std::string(batch.payload.view())));
      Expect(absl::StrCat("events from ", next.value(), " of ", partition.value()),
             batch.base_offset == next && Same(stored, events));
      Expect("context", batch.context.view() == absl::StrCat("context of ", partition.value()));
      next = next + events.events_size();
    }
    Expect("extent", extent.ok() && extent->first == first && extent->visible_end == next);
  }

  static bool Same(const v1::PartitionBatch& a, const v1::PartitionBatch& b) {
    if (a.events_size() != b.events_size()) return false;
    for (int i = 0; i < a.events_size(); ++i) {
      if (a.events(i).SerializeAsString() != b.events(i).SerializeAsString()) return false;
    }
    return true;
  }

  void CheckOrders() {
    std::vector<v1::PartitionBatch> batches;
    for (int i = 0; i < kFirstLife + kSecondLife; ++i) batches.push_back(EventsOf(kOrders0, i, 3));
    CheckEvents(kOrders0, batches, Offset(0));
    CheckEvents(kOrders1, {EventsOf(kOrders1, 0, 4), EventsOf(kOrders1, 100, 1)}, Offset(0));
  }

  // Retention by size has taken a prefix of whole batches.
  void CheckClicks() {
    std::vector<v1::PartitionBatch> kept;
    size_t bytes = 0;
    for (int i = kClickBatches - 1; i >= 0; --i) {
      kept.insert(kept.begin(), EventsOf(kClicks0, i, 4));
      bytes += kept.front().SerializeAsString().size();
      if (bytes <= kClickBytes) continue;
      kept.erase(kept.begin());
      break;
    }
    Expect("something was removed, something stays",
           !kept.empty() && kept.size() < static_cast<size_t>(kClickBatches));
    CheckEvents(kClicks0, kept, Offset(4 * (kClickBatches - static_cast<int64_t>(kept.size()))));
  }

  void ExpectRepeated(absl::string_view what, Append append, Offset first) {
    const uint32_t count = append.count;
    const TransactionResult result = Commit(*engine_, std::move(append));
    Expect(what, result.status.ok() && result.appends.at(0).status.ok() &&
                     result.appends[0].duplicates.size() == count &&
                     result.appends[0].duplicates[0].offset == first);
  }

  void CheckRepetitions() {
    ExpectRepeated("ids of a closed slice", AppendOf(*engine_, EventsOf(kOrders0, 2, 3), kOrders0),
                   Offset(6));
    ExpectRepeated("ids of the second life",
                   AppendOf(*engine_, EventsOf(kOrders0, kFirstLife, 3), kOrders0),
                   Offset(3 * kFirstLife));
    ExpectRepeated("a sequence, partly of duplicates",
                   AppendOf(*engine_, HalfRepeated(), kOrders1, kOrderer, 0), Offset(0));
    const auto last = static_cast<uint32_t>(4 * (kClickBatches - 1));
    ExpectRepeated(
        "a sequence",
        AppendOf(*engine_, EventsOf(kClicks0, kClickBatches - 1, 4), kClicks0, kClicker, last),
        Offset(last));
    const TransactionResult ahead = Commit(
        *engine_, AppendOf(*engine_, EventsOf(kClicks0, 50, 1), kClicks0, kClicker, last + 40));
    Expect("a gap in a sequence is refused",
           ahead.appends.size() == 1 && ReasonOf(ahead.appends[0].status) == v1::OUT_OF_SEQUENCE);
  }

  const std::string file_;
  GoldenFolder golden_;
  std::unique_ptr<LocalLogEngine> engine_;
  int problems_ = 0;
};

int Main(int argc, char** argv) {
  SetLogLevel(LogLevel::kError);
  const std::string mode = argc == 3 ? argv[1] : "";
  if (mode == "--check") return Check(argv[2]).Run();
  if (mode != "--make") {
    std::fputs("acta_golden --make FILE.tar.gz | --check FILE.tar.gz\n", stderr);
    return 2;
  }
  const absl::Status made = GoldenFolder().Make(argv[2]);
  if (!made.ok()) std::printf("%s\n", made.ToString().c_str());
  return made.ok() ? 0 : 1;
}

}  // namespace
}  // namespace acta

int main(int argc, char** argv) { return acta::Main(argc, argv); }
