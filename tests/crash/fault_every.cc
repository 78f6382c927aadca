// Goal: whichever write, sync (of a file or a folder), opening or change of a name fails, nothing
// is acknowledged afterwards, and nothing that was acknowledged is lost; nor when a read fails.
// Method: a scripted life of a store is run once for every operation it makes, with that one and
// all after it failing (of reads, and with --once, that one: who tries a sync again is told that it
// succeeded, and does not know what the kernel has dropped); then the folder is opened as after a
// crash, and the image of a power cut at the moment of the failure is, too. Each run and each check
// is a process of its own.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "storage/base/log.h"
#include "tests/crash/child_program.h"
#include "tests/crash/fault_script.h"
#include "tests/crash/lying_disk.h"
#include "tests/support/temp_dir.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

constexpr char kUsage[] =
    "acta_fault_every [--steps=16] [--only=write|sync|folder|open|name|read] [--from=1] [--to=N]\n"
    "                 [--once] [--keep]\n"
    "  Fails every write, sync of a file, sync of a folder, opening, change of a name and read of "
    "a\n"
    "  scripted life of a store in turn, and checks what is left. --once: all after it\n"
    "  succeed. --keep: a folder that fails stays.\n";

// By FaultyDisk::Fault.
constexpr const char* kKinds[FaultyDisk::kFaults] = {"write", "sync", "folder",
                                                     "open",  "name", "read"};

struct Arguments {
  int steps = 16;
  std::string only;
  int64_t from = 1;
  int64_t to = 0;  // 0: as many as there are.
  bool keep = false;
  // A child's.
  std::string run;
  std::string check;
  std::string kind;
  int64_t at = 0;
  bool power_cut = false;
  bool lying = false;
  bool once = false;
};

bool ParseArgument(absl::string_view word, Arguments* out) {
  const auto text = [&word](std::string* value) {
    *value = std::string(word);
    return true;
  };
  if (absl::ConsumePrefix(&word, "--steps=")) return absl::SimpleAtoi(word, &out->steps);
  if (absl::ConsumePrefix(&word, "--from=")) return absl::SimpleAtoi(word, &out->from);
  if (absl::ConsumePrefix(&word, "--to=")) return absl::SimpleAtoi(word, &out->to);
  if (absl::ConsumePrefix(&word, "--at=")) return absl::SimpleAtoi(word, &out->at);
  if (absl::ConsumePrefix(&word, "--only=")) return text(&out->only);
  if (absl::ConsumePrefix(&word, "--run=")) return text(&out->run);
  if (absl::ConsumePrefix(&word, "--check=")) return text(&out->check);
  if (absl::ConsumePrefix(&word, "--kind=")) return text(&out->kind);
  bool* const flag = word == "--keep"        ? &out->keep
                     : word == "--power-cut" ? &out->power_cut
                     : word == "--lying"     ? &out->lying
                     : word == "--once"      ? &out->once
                                             : nullptr;
  if (flag == nullptr) return false;
  *flag = true;
  return true;
}

std::string StoreOf(const std::string& folder) { return folder + "/store"; }
std::string ImageOf(const std::string& folder) { return folder + "/image"; }
std::string AcksOf(const std::string& folder) { return folder + "/acks"; }

// What was written or synced may be lost, if it is not known to be.
bool MustEnd(const Arguments& arguments) {
  return arguments.kind == "write" || arguments.kind == "sync" || arguments.kind == "folder";
}

// A child: one run, with the `at`-th operation failing, or none.
[[noreturn]] void RunOnce(const Arguments& arguments) {
  const auto disk = std::make_shared<FaultyDisk>();
  disk->Record();
  for (size_t i = 0; i < FaultyDisk::kFaults; ++i) {
    if (arguments.at > 0 && arguments.kind == kKinds[i]) {
      disk->Fail(static_cast<FaultyDisk::Fault>(i), arguments.at, arguments.once);
    }
  }
  const std::string store = StoreOf(arguments.run);
  // One who stops in good order may leave nothing in the log file alone.
  const bool stop = !arguments.lying;
  FaultScript script{store, arguments.steps, stop, disk, disk, AcksOf(arguments.run)};
  script.must_end = MustEnd(arguments);
  if (arguments.lying) script.file_system = std::make_shared<LyingDisk>(disk);
  const ScriptOutcome outcome = RunFaultScript(script);
  // What is not synced when the failure has been noticed is in nobody's hands.
  const std::string image = ImageOf(arguments.run);
  fs::create_directories(image);
  disk->Materialize(disk->operations(), static_cast<uint64_t>(arguments.at), store, image,
                    FaultyDisk::Loss::kTorn);
  if (!outcome.problem.empty()) LeaveChild(outcome.problem + "\n", false);
  const std::string idle = arguments.at == 0 ? RetentionProblem(outcome) : "";
  if (!idle.empty()) LeaveChild(idle + "\n", false);
  if (arguments.at > 0 && outcome.refused.ok() && !outcome.fatal) LeaveChild("unnoticed\n", true);
  std::string printed = "operations";
  for (size_t i = 0; i < FaultyDisk::kFaults; ++i) {
    absl::StrAppend(&printed, " ", disk->count(static_cast<FaultyDisk::Fault>(i)));
  }
  LeaveChild(printed + "\n", true);
}

// A child: one check.
[[noreturn]] void CheckOnce(const Arguments& arguments) {
  std::string problem =
      CheckScriptFolder(arguments.power_cut ? ImageOf(arguments.check) : StoreOf(arguments.check),
                        LoadAcks(AcksOf(arguments.check)), arguments.power_cut, arguments.steps);
  // Retention that cannot read keeps more, by a slice at most, until it can.
  const bool keeps_more = arguments.kind == "read" && absl::StartsWith(problem, "there again");
  if (keeps_more) problem.clear();
  LeaveChild(problem.empty() ? "sound\n" : problem + "\n", problem.empty());
}

int Main(int argc, char** argv);

class FaultEvery {
 public:
  explicit FaultEvery(const Arguments& arguments) : arguments_(arguments) {}

  bool Run() {
    const std::string printed = Child("run", "", 0);
    absl::string_view rest = absl::StripSuffix(printed, "\n");
    const bool ran = absl::ConsumePrefix(&rest, "operations ");
    const std::vector<std::string> counts = absl::StrSplit(rest, ' ');
    if (!ran || counts.size() != FaultyDisk::kFaults) {
      std::printf("the run without a fault failed: %s", printed.c_str());
      return false;
    }
    if (!NoticesALyingDisk()) return false;
    for (size_t i = 0; i < FaultyDisk::kFaults; ++i) {
      int64_t count = 0;
      if (!absl::SimpleAtoi(counts[i], &count)) return false;
      Each(kKinds[i], count);
    }
    std::printf(
        "%d runs, %d failed; %d faults touched no promise, %d met an assertion of RocksDB\n", runs_,
        failed_, unnoticed_, aborted_);
    return failed_ == 0;
  }

 private:
  void Each(const std::string& kind, int64_t count) {
    if (!arguments_.only.empty() && arguments_.only != kind) return;
    const int64_t to = arguments_.to > 0 ? arguments_.to : count;
    const int failed = failed_, unnoticed = unnoticed_;
    for (int64_t at = arguments_.from; at <= to; ++at) One(kind, at);
    // A disk that fails nothing proves nothing. A read is tried again.
    if (kind != "read" && arguments_.from == 1 && unnoticed_ - unnoticed == to) {
      ++failed_;
      std::printf("no %s that failed was noticed\n", kind.c_str());
    }
    std::printf("each %s of %lld: %d failed\n", kind.c_str(), static_cast<long long>(count),
                failed_ - failed);
    std::fflush(stdout);
  }

  // The test of the test: a disk that says "synced" and is not must not pass.
  bool NoticesALyingDisk() {
    std::string found;
    bool noticed = false;
    // How much of what was not synced is lost is chance, too.
    for (int64_t chance = 0; chance < 5 && !noticed; ++chance) {
      Child("run", "", chance, "--lying");
      found = Child("check-power-cut", "", 0);
      noticed = !found.empty() && found != "sound\n";
    }
    std::printf("%s a disk that forgets what it synced: %s", noticed ? "noticed" : "MISSED",
                found.c_str());
    return noticed;
  }

  void One(const std::string& kind, int64_t at) {
    ++runs_;
    const std::string run = Child("run", kind, at);
    std::string found;
    // Of a file whose sync fails while another thread writes to it: it ends the process, too.
    const bool aborted = absl::StartsWith(run, "crashed: status 6\n") &&
                         absl::StrContains(run, "sync_without_flush_called_");
    if (absl::StartsWith(run, "unnoticed")) {
      ++unnoticed_;
    } else if (aborted) {
      ++aborted_;  // Nobody can ask for an image.
      std::printf("%s %lld: %s", kind.c_str(), static_cast<long long>(at), run.c_str());
    } else if (!absl::StartsWith(run, "operations ")) {
      found = run;
    }
    if (found.empty()) found = Sound(Child("check", kind, at));
    if (found.empty() && !aborted) found = Sound(Child("check-power-cut", kind, at));
    if (found.empty()) return;
    ++failed_;
    std::printf("%s %lld: %s", kind.c_str(), static_cast<long long>(at), found.c_str());
    if (!arguments_.keep) return;
    const std::string kept = absl::StrCat("acta-fault-", kind, "-", at);
    fs::remove_all(kept);
    fs::copy(folder_.path(), kept, fs::copy_options::recursive);
    std::printf("  kept: %s\n", kept.c_str());
  }

  static std::string Sound(const std::string& printed) {
    return printed == "sound\n" ? "" : printed;
  }

  std::string Child(const std::string& what, const std::string& kind, int64_t at,
                    const std::string& more = "") {
    const std::string folder = folder_.File("one");
    std::vector<std::string> words = {"acta_fault_every"};
    if (what == "run") {
      fs::remove_all(folder);
      fs::create_directories(folder);
      words.push_back("--run=" + folder);
    } else {
      words.push_back("--check=" + folder);
      if (what == "check-power-cut") words.push_back("--power-cut");
    }
    words.push_back(absl::StrCat("--steps=", arguments_.steps));
    words.push_back(absl::StrCat("--kind=", kind));
    words.push_back(absl::StrCat("--at=", at));
    if (arguments_.once) words.push_back("--once");
    if (!more.empty()) words.push_back(more);
    return ForkChild(&Main, std::move(words), folder_.File("output"));
  }

  const Arguments& arguments_;
  TempDir folder_{MemoryFolder()};
  int runs_ = 0;
  int failed_ = 0;
  int unnoticed_ = 0;
  int aborted_ = 0;
};

int Main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    if (ParseArgument(argv[i], &arguments)) continue;
    std::fputs(kUsage, stderr);
    return 2;
  }
  SetLogLevel(LogLevel::kError);
  alarm(arguments.run.empty() && arguments.check.empty() ? 0 : 60);  // What hangs has failed.
  if (!arguments.run.empty()) RunOnce(arguments);
  if (!arguments.check.empty()) CheckOnce(arguments);
  return FaultEvery(arguments).Run() ? 0 : 1;
}

}  // namespace
}  // namespace acta

int main(int argc, char** argv) { return acta::Main(argc, argv); }
