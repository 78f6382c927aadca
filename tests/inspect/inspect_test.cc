#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "acta/storage/v1/records.pb.h"
#include "storage/layout/rows.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Outcome {
  int status = -1;
  std::string out;  // Both streams: what a command prints goes to one of them only.
  Json json() const { return Json::parse(out, nullptr, false); }
  std::vector<Json> lines() const {
    std::vector<Json> lines;
    for (absl::string_view line : absl::StrSplit(out, '\n', absl::SkipEmpty())) {
      lines.push_back(Json::parse(std::string(line), nullptr, false));
    }
    return lines;
  }
};

Outcome Inspect(const std::string& arguments, const char* streams = "2>&1") {
  const std::string command = absl::StrCat(ACTA_BIN_DIR, "/acta-inspect ", arguments, " ", streams);
  Outcome outcome;
  FILE* const pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  for (size_t size; (size = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    outcome.out.append(buffer, size);
  }
  outcome.status = WEXITSTATUS(pclose(pipe));
  return outcome;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// Every file of a folder with its bytes and the time it was changed.
std::map<std::string, std::pair<std::string, fs::file_time_type>> Snapshot(
    const std::string& folder) {
  std::map<std::string, std::pair<std::string, fs::file_time_type>> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[entry.path()] = {ReadFile(entry.path()), entry.last_write_time()};
    } else {
      files[entry.path()] = {"", entry.last_write_time()};
    }
  }
  return files;
}

constexpr GroupId kGroup{9};

void WriteRow(TestStore& store, Family family, std::string key, std::string value) {
  Transaction transaction;
  transaction.rows.push_back({family, std::move(key), std::move(value)});
  REQUIRE_OK(Commit(store.engine(), std::move(transaction)).status);
}

void CommitPosition(TestStore& store, int64_t offset) {
  storage::v1::GroupRecord group;
  group.set_group_id(kGroup.value());
  WriteRow(store, Family::kMeta, GroupRow("default", "readers"), group.SerializeAsString());
  storage::v1::PositionRecord position;
  position.set_offset(offset);
  position.set_incarnation(1);
  WriteRow(store, Family::kState, PositionRow(kGroup, TestStore::Partition()),
           position.SerializeAsString());
}

// 10 batches of 3 events in partition 0, one of them with bytes that are no text; a group at 6.
void Fill(TestStore& store) {
  for (int i = 0; i < 10; ++i) {
    const std::vector<std::string> events = {EventElement(absl::StrCat("a", i), "id"),
                                             EventElement(absl::StrCat("b", i)),
                                             EventElement(i == 9 ? "\xff" : "c")};
    REQUIRE_OK(Commit(store.engine(), MakeAppend(TestStore::Partition(), events)).status);
  }
  CommitPosition(store, 6);
}

std::string Data(TestStore& store) { return absl::StrCat("--data ", store.path()); }

TEST_CASE("list shows store, topics and groups of a stopped broker") {
  TestStore store;
  Fill(store);
  const std::string id = store.engine().store_id();
  store.Close();
  const Outcome listed = Inspect(absl::StrCat("list ", Data(store), " -o json"));
  REQUIRE(listed.status == 0);
  const Json json = listed.json();
  CHECK(json["store"]["store_id"] == id);
  CHECK(json["store"]["format"] == 1);
  CHECK(json["store"]["incarnation"] == 1);
  CHECK(json["store"]["clean_stop"] == true);
  CHECK(json["store"]["last_group"] == json["store"]["witnessed_group"]);
  const Json partition = json["topics"][0]["partitions"][0];
  CHECK(json["topics"][0]["name"] == "test");
  CHECK(partition["first_offset"] == 0);
  CHECK(partition["end_offset"] == 30);
  CHECK(partition["batches"] == 10);
  CHECK(partition["slices"] == 1);
  CHECK(json["groups"][0]["name"] == "readers");
  CHECK(json["groups"][0]["positions"][0]["offset"] == 6);
  const Outcome text = Inspect(absl::StrCat("list ", Data(store)));
  CHECK(text.status == 0);
  CHECK(text.out.find("default/test/0") != std::string::npos);
  CHECK(text.out.find("default/readers") != std::string::npos);
}

LocalEngineOptions WithLedger() {
  LocalEngineOptions options;
  options.ledger_retention = absl::Hours(1);
  return options;
}

storage::v1::LedgerRecord RecordAt(int64_t time_us) {
  storage::v1::LedgerRecord record;
  record.set_group_id(kGroup.value());
  record.set_partition_id(TestStore::Partition().value());
  record.set_time_us(time_us);
  return record;
}

// Events 0 to 2 and 4 were processed, 3 failed; 3 to 5 were skipped; an event of a topic was
// redriven that is gone, for a group that is.
void FillLedger(TestStore& store) {
  constexpr int64_t kTime = 1'700'000'000'000'000;
  storage::v1::LedgerRecord worked = RecordAt(kTime);
  storage::v1::LedgerMember* const member = worked.add_members();
  member->set_member_id("worker-1");
  member->set_app("shop");
  member->set_app_version("7");
  for (const uint64_t number : {0, 3, 1, 1'000'000, 1, 1, 0, 0}) worked.add_processed(number);
  storage::v1::LedgerEntry* const failed = worked.add_entries();
  failed->set_kind(storage::v1::LedgerEntry::FAILED);
  failed->set_offset(3);
  failed->set_attempt_number(2);
  failed->mutable_attempt()->set_end(storage::v1::AttemptRecord::NACK);
  failed->mutable_attempt()->set_member_id("worker-1");
  failed->mutable_attempt()->set_reason("late");
  failed->mutable_attempt()->set_text("no\nbank");
  storage::v1::LedgerRecord decided = RecordAt(kTime + 1'000'000);
  storage::v1::LedgerEntry* const skipped = decided.add_entries();
  skipped->set_kind(storage::v1::LedgerEntry::SKIPPED);
  skipped->set_offset(3);
  skipped->set_count(3);
  skipped->set_by("ann");
  skipped->set_why("a test");
  storage::v1::LedgerRecord gone = RecordAt(kTime + 2'000'000);
  gone.set_group_id(77);
  gone.set_partition_id(PartitionId(TopicId(88), 1).value());
  gone.add_entries()->set_kind(storage::v1::LedgerEntry::REDRIVEN);
  gone.mutable_entries(0)->set_redrives(1);
  gone.mutable_entries(0)->set_by("ann");
  for (const storage::v1::LedgerRecord& record : {worked, decided, gone}) {
    WriteRow(store, Family::kLedger, "", EventElement(record.SerializeAsString()));
  }
}

TEST_CASE("ledger shows what groups did with events, as text") {
  TestStore store(WithLedger());
  Fill(store);
  FillLedger(store);
  store.Close();
  const Outcome text = Inspect(absl::StrCat("ledger ", Data(store)));
  CHECK(text.status == 0);
  CHECK(text.out ==
        "0  2023-11-14T22:13:20Z  default/readers (9)  default/test/0\n"
        "  PROCESSED 0-2 by worker-1 (shop 7), delivered 2023-11-14T22:13:19Z\n"
        "  PROCESSED 4\n"
        "  FAILED 3, attempt 2: NACK by worker-1: late: no\\nbank\n"
        "1  2023-11-14T22:13:21Z  default/readers (9)  default/test/0\n"
        "  SKIPPED 3-5 by ann: a test\n"
        "2  2023-11-14T22:13:22Z  (group 77) (77)  (topic 88)/1\n"
        "  REDRIVEN 0, redrive 1 by ann\n");
  const Outcome part = Inspect(absl::StrCat("ledger ", Data(store), " --from 1 --to 2"));
  CHECK(part.status == 0);
  CHECK(part.out ==
        "1  2023-11-14T22:13:21Z  default/readers (9)  default/test/0\n"
        "  SKIPPED 3-5 by ann: a test\n");
  CHECK(Inspect(absl::StrCat("list ", Data(store))).out.find("(ledger)/0") != std::string::npos);
}

TEST_CASE("ledger shows what groups did with events, as JSON lines") {
  TestStore store(WithLedger());
  Fill(store);
  FillLedger(store);
  store.Close();
  const Outcome outcome = Inspect(absl::StrCat("ledger ", Data(store), " -o json"));
  CHECK(outcome.status == 0);
  const std::vector<Json> lines = outcome.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["offset"] == 0);
  CHECK(lines[0]["crc_ok"] == true);
  CHECK(lines[0]["time"] == "2023-11-14T22:13:20Z");
  CHECK(lines[0]["group_id"] == 9);
  CHECK(lines[0]["group"] == "default/readers");
  CHECK(lines[0]["partition"] == "default/test/0");
  REQUIRE(lines[0]["processed"].size() == 2);
  const Json run = lines[0]["processed"][0];
  CHECK(run["first_offset"] == 0);
  CHECK(run["last_offset"] == 2);
  CHECK(run["member_id"] == "worker-1");
  CHECK(run["app"] == "shop");
  CHECK(run["app_version"] == "7");
  CHECK(run["deliver_time"] == "2023-11-14T22:13:19Z");
  CHECK(lines[0]["processed"][1] == Json({{"first_offset", 4}, {"last_offset", 4}}));
  REQUIRE(lines[0]["entries"].size() == 1);
  const Json failed = lines[0]["entries"][0];
  CHECK(failed["kind"] == "FAILED");
  CHECK(failed["attempt"] == 2);
  CHECK(failed["end"] == "NACK");
  CHECK(failed["reason"] == "late");
  CHECK(failed["text"] == "no\nbank");
  CHECK(lines[1]["processed"].empty());
  CHECK(lines[1]["entries"][0] == Json({{"kind", "SKIPPED"},
                                        {"first_offset", 3},
                                        {"last_offset", 5},
                                        {"by", "ann"},
                                        {"why", "a test"}}));
  CHECK(lines[2]["group"] == "(group 77)");
  CHECK(lines[2]["partition"] == "(topic 88)/1");
  CHECK(lines[2]["entries"][0]["redrives"] == 1);
  const Json listed = Inspect(absl::StrCat("list ", Data(store), " -o json")).json();
  CHECK(listed["ledger"]["end_offset"] == 3);
  CHECK(Inspect(absl::StrCat("verify ", Data(store))).status == 0);
}

TEST_CASE("a record of the ledger that cannot be parsed is damage, and those around it are shown") {
  TestStore store(WithLedger());
  FillLedger(store);
  WriteRow(store, Family::kLedger, "", EventElement("\xff"));
  FillLedger(store);
  store.Close();
  const Outcome outcome = Inspect(absl::StrCat("ledger ", Data(store), " --from 2 --to 5"));
  CHECK(outcome.status == 1);
  CHECK(outcome.out.find("3  the record cannot be parsed\n4  2023-11-14T22:13:20Z") !=
        std::string::npos);
  TestStore none;
  none.Close();
  CHECK(Inspect(absl::StrCat("ledger ", Data(none))).status == 0);
}

TEST_CASE("dump prints a range of events, and bytes that are no text as base64") {
  TestStore store;
  Fill(store);
  store.Close();
  const Outcome part = Inspect(absl::StrCat("dump ", Data(store), " test/0 --from 4 --to 7"));
  REQUIRE(part.status == 0);
  const std::vector<Json> lines = part.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["offset"] == 4);
  CHECK(lines[0]["data"] == "b1");
  CHECK(lines[2]["offset"] == 6);
  CHECK(lines[2]["id"] == "id");
  CHECK(lines[2]["crc_ok"] == true);
  CHECK(lines[2]["append_time"] == "2023-11-14T22:13:20Z");
  const std::vector<Json> all = Inspect(absl::StrCat("dump ", Data(store), " test")).lines();
  REQUIRE(all.size() == 30);
  CHECK(all.back()["data_base64"] == "/w==");
  CHECK(Inspect(absl::StrCat("dump ", Data(store), " other")).status == 1);
  CHECK(Inspect(absl::StrCat("dump ", Data(store), " test/3")).status == 0);
  for (const char* partition : {"4", "99", "65536"}) {
    INFO(partition);
    const Outcome none = Inspect(absl::StrCat("dump ", Data(store), " test/", partition));
    CHECK(none.status == 1);
    CHECK(none.out.find("PARTITION_NOT_FOUND") != std::string::npos);
    CHECK(none.out.find("a0") == std::string::npos);
  }
}

TEST_CASE("output that cannot be written is told, and is no success") {
  TestStore store;
  Fill(store);
  store.Close();
  for (const char* command : {"dump test ", "list ", "verify "}) {
    INFO(command);
    const Outcome full = Inspect(absl::StrCat(command, Data(store)), "2>&1 >/dev/full");
    CHECK(full.status == 1);
    CHECK(full.out.find("cannot be written") != std::string::npos);
  }
}

TEST_CASE("dump and list follow a partition over its slices") {
  TestStore store;
  store.options().slice_age = absl::Seconds(1);
  store.Reopen();
  for (int i = 0; i < 4; ++i) {
    Fill(store);
    store.clock().Advance(absl::Seconds(2));
    REQUIRE_OK(store.engine().MaintainNow());
  }
  store.Close();
  const std::vector<Json> all = Inspect(absl::StrCat("dump ", Data(store), " test/0")).lines();
  REQUIRE(all.size() == 120);
  for (size_t i = 0; i < all.size(); ++i) CHECK(all[i]["offset"] == i);
  const Json json = Inspect(absl::StrCat("list ", Data(store), " -o json")).json();
  CHECK(json["topics"][0]["partitions"][0]["slices"] == 4);
  CHECK(Inspect(absl::StrCat("verify ", Data(store))).status == 0);
}

TEST_CASE("a folder with a running broker is refused") {
  TestStore store;
  for (const char* command : {"list ", "ledger ", "verify ", "dump test "}) {
    const Outcome refused = Inspect(absl::StrCat(command, Data(store)));
    CHECK(refused.status == 1);
    CHECK(refused.out.find("a broker is running") != std::string::npos);
    CHECK(refused.out.find("FOLDER_IN_USE") != std::string::npos);
  }
}

TEST_CASE("nothing in the folder changes, also when the broker was killed") {
  TestStore store;
  Fill(store);
  TempDir copies;
  const std::string copy = copies.File("copy");
  fs::copy(store.path(), copy, fs::copy_options::recursive);  // As kill -9 would leave it.
  const auto before = Snapshot(copy);
  for (const char* command : {"list", "ledger", "dump test", "verify"}) {
    const Outcome outcome = Inspect(absl::StrCat(command, " --data ", copy));
    INFO(outcome.out);
    CHECK(outcome.status == 0);
    CHECK(Snapshot(copy) == before);
  }
}

TEST_CASE("verify finds a payload that fails its checksum") {
  TestStore store;
  Fill(store);
  Append append = MakeAppend(TestStore::Partition(), {EventElement("damaged")});
  append.payload_crc32c ^= 1;
  REQUIRE_OK(Commit(store.engine(), std::move(append)).status);
  store.Close();
  const Outcome verified = Inspect(absl::StrCat("verify ", Data(store), " -o json"));
  CHECK(verified.status == 1);
  const Json findings = verified.json()["findings"];
  REQUIRE(findings.size() == 1);
  CHECK(findings[0]["where"] == "default/test/0");
  CHECK(findings[0]["first_offset"] == 30);
  CHECK(findings[0]["problem"] == "payload checksum differs");
  const Outcome dumped = Inspect(absl::StrCat("dump ", Data(store), " test/0 --from 30"));
  CHECK(dumped.status == 1);
  CHECK(dumped.lines().back()["crc_ok"] == false);
}

TEST_CASE("verify finds a position beyond the end") {
  TestStore store;
  Fill(store);
  CommitPosition(store, 31);
  store.Close();
  const Outcome verified = Inspect(absl::StrCat("verify ", Data(store)));
  CHECK(verified.status == 1);
  CHECK(verified.out.find("group default/readers: position 31 of default/test/0, which ends at "
                          "30") != std::string::npos);
}

TEST_CASE("verify finds a damaged row and a damaged table") {
  TestStore store;
  Fill(store);
  WriteRow(store, Family::kMeta, GroupRow("default", "broken"), "\xff\xff");
  store.options().slice_age = absl::Seconds(1);
  store.Reopen();
  store.clock().Advance(absl::Seconds(2));
  REQUIRE_OK(store.engine().MaintainNow());
  store.Close();
  CHECK(Inspect(absl::StrCat("verify ", Data(store))).out.find("group/default/broken") !=
        std::string::npos);
  for (const auto& entry : fs::directory_iterator(store.path() + "/db")) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(40);
    file.put('X');
  }
  const Outcome verified = Inspect(absl::StrCat("verify ", Data(store)));
  CHECK(verified.status == 1);
  CHECK(verified.out.find("cannot be read") != std::string::npos);
}

TEST_CASE("verify finds what a start would refuse: a lost witness, a lost log file") {
  TestStore store;
  Fill(store);
  TempDir copies;
  const std::string copy = copies.File("copy");
  store.Close();
  fs::copy(store.path(), copy, fs::copy_options::recursive);
  fs::remove(copy + "/witness");
  CHECK(Inspect(absl::StrCat("verify --data ", copy)).out.find("witness: the file is missing") !=
        std::string::npos);
  for (const auto& entry : fs::directory_iterator(store.path() + "/db")) {
    if (entry.path().extension() == ".log") fs::remove(entry.path());
  }
  const Outcome verified = Inspect(absl::StrCat("verify ", Data(store)));
  CHECK(verified.status == 1);
  CHECK(verified.out.find("is missing") != std::string::npos);
  CHECK(verified.out.find("was synced, but the log ends with group") != std::string::npos);
}

TEST_CASE("verify finds commit groups behind damage of which the witness does not know") {
  LocalEngineOptions options;
  options.witness_interval = absl::Hours(1000);
  TestStore store(options);
  Fill(store);
  TempDir copies;
  const std::string killed = copies.File("killed");
  fs::copy(store.path(), killed, fs::copy_options::recursive);
  CHECK(Inspect(absl::StrCat("verify --data ", killed)).status == 0);
  for (const auto& entry : fs::directory_iterator(killed + "/db")) {
    if (entry.path().extension() != ".log") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<long>(WrittenBytes(entry.path()) / 2));
    file.put('X');
  }
  const Outcome verified = Inspect(absl::StrCat("verify --data ", killed));
  CHECK(verified.status == 1);
  CHECK(verified.out.find(".log, but recovery ends with group") != std::string::npos);
}

TEST_CASE("what is no data folder, or a newer one, is refused by name") {
  TestStore store;
  store.Close();
  std::ofstream(store.path() + "/FORMAT") << "acta 2\n";
  const Outcome newer = Inspect(absl::StrCat("list ", Data(store)));
  CHECK(newer.status == 1);
  CHECK(newer.out.find("FORMAT_TOO_NEW") != std::string::npos);
  TempDir empty;
  const Outcome other = Inspect(absl::StrCat("list --data ", empty.path()));
  CHECK(other.status == 1);
  CHECK(other.out.find("is not a data folder") != std::string::npos);
  CHECK(fs::is_empty(empty.path()));
}

TEST_CASE("a folder that cannot be looked at is told, with the reason") {
  // A longer name than a file may have: the system refuses it to root, too.
  const std::string folder(300, 'x');
  for (const char* command : {"list", "verify", "ledger", "dump test"}) {
    INFO(command);
    const Outcome refused = Inspect(absl::StrCat(command, " --data ", folder));
    CHECK(refused.status == 1);
    CHECK(refused.out.find("cannot be read: File name too long") != std::string::npos);
    CHECK(refused.out.find("FOLDER_UNUSABLE") != std::string::npos);
  }
}

TEST_CASE("wrong usage ends with 2 and says how") {
  for (const char* arguments :
       {"", "look --data x", "list", "dump --data x", "list --data x -o xml", "list --data",
        "dump --data x topic/minus", "dump --data x a b", "list --data x --from 3",
        "ledger --data x topic", "ledger --data x --tenant t"}) {
    const Outcome outcome = Inspect(arguments);
    INFO(arguments);
    CHECK(outcome.status == 2);
    CHECK(outcome.out.find("acta-inspect verify --data DIR") != std::string::npos);
  }
  CHECK(Inspect("--help").status == 0);
}

TEST_CASE("help and the version are told, and that they cannot be written") {
  const Outcome version = Inspect("--version");
  CHECK(version.status == 0);
  CHECK(version.out.find("acta-inspect ") == 0);
  CHECK(Inspect("--help").out.find("--version") != std::string::npos);
  for (const char* word : {"--help", "--version"}) {
    INFO(word);
    CHECK(Inspect(word, "2>&1 >/dev/full").status == 1);
  }
}

TEST_CASE("each command has a help of its own") {
  for (const std::string command : {"list", "ledger", "dump", "verify", "restore"}) {
    const std::string help = Inspect(command + " --help").out;
    INFO(command);
    CHECK(help.find("  acta-inspect " + command + " ") == 0);
    CHECK(help.find("acta-inspect", 20) == std::string::npos);
    CHECK(Inspect("help " + command).out == help);
  }
  CHECK(Inspect("dump --data x -h").status == 0);
  CHECK(Inspect("help look").status == 2);
}

}  // namespace
}  // namespace acta
