// Goal: whatever happens to a file of a data folder, a start or a reader tells; nothing is lost in
// silence. Method: the folder that kill -9 leaves of a scripted life of a store; each file in turn
// is deleted, cut short, and has a bit flipped at several places; each time a process of its own
// opens the folder and holds it against what was acknowledged. Who refuses says what to do.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/base/log.h"
#include "tests/crash/child_program.h"
#include "tests/crash/fault_script.h"
#include "tests/support/table_damage.h"
#include "tests/support/temp_dir.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

constexpr char kUsage[] =
    "acta_damage_every [--steps=40] [--places=4] [--verbose]\n"
    "  Deletes, cuts and flips a bit of each file of a data folder in turn; of the flips so many\n"
    "  over each file, as many in its last 512 bytes, and as many in the index of a table file.\n";

struct Arguments {
  int steps = 40;
  int places = 4;
  bool verbose = false;
  // A child's.
  std::string run;
  std::string check;
  std::string acks;
};

bool ParseArgument(absl::string_view word, Arguments* out) {
  const auto text = [&word](std::string* value) {
    *value = std::string(word);
    return true;
  };
  if (absl::ConsumePrefix(&word, "--steps=")) return absl::SimpleAtoi(word, &out->steps);
  if (absl::ConsumePrefix(&word, "--places=")) return absl::SimpleAtoi(word, &out->places);
  if (absl::ConsumePrefix(&word, "--run=")) return text(&out->run);
  if (absl::ConsumePrefix(&word, "--check=")) return text(&out->check);
  if (absl::ConsumePrefix(&word, "--acks=")) return text(&out->acks);
  return out->verbose = word == "--verbose";
}

[[noreturn]] void RunOnce(const Arguments& arguments) {
  const auto disk = std::make_shared<FaultyDisk>();
  const ScriptOutcome outcome =
      RunFaultScript({arguments.run, arguments.steps, /*stop=*/false, disk, disk, arguments.acks});
  if (!outcome.refused.ok()) LeaveChild(outcome.refused.ToString(), false);
  const std::string idle = RetentionProblem(outcome);
  LeaveChild(idle.empty() ? "ran\n" : idle + "\n", idle.empty());
}

[[noreturn]] void CheckOnce(const Arguments& arguments) {
  const std::string problem =
      CheckScriptFolder(arguments.check, LoadAcks(arguments.acks), false, arguments.steps);
  LeaveChild(problem.empty() ? "sound\n" : problem + "\n", problem.empty());
}

// One thing done to one file.
struct Damage {
  enum class Kind : uint8_t { kDelete, kCut, kFlip } kind = Kind::kDelete;
  uint64_t at = 0;

  std::string Describe() const {
    return kind == Kind::kDelete ? "deleted"
                                 : absl::StrCat(kind == Kind::kCut ? "cut" : "flipped", " at ", at);
  }
  void Do(const fs::path& file) const {
    if (kind == Kind::kDelete) {
      fs::remove(file);
    } else if (kind == Kind::kCut) {
      fs::resize_file(file, at);
    } else {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(static_cast<std::streamoff>(at));
      const char flipped = static_cast<char>(stream.get() ^ 0x10);
      stream.seekp(static_cast<std::streamoff>(at));
      stream.put(flipped);
    }
  }
};

// Where a small table file says what it is and how to read it.
constexpr uint64_t kTailBytes = 512;

// What a folder must have had for this to mean something: files, and in tables the index.
constexpr char kIndex[] = ".sst index";
constexpr const char* kKinds[] = {"CURRENT", "FORMAT", "IDENTITY", "MANIFEST", "OPTIONS",
                                  "witness", ".log",   ".sst",     kIndex};

std::string KindOf(const fs::path& file) {
  for (const char* kind : kKinds) {
    if (file.extension() == kind || absl::StartsWith(file.filename().string(), kind)) return kind;
  }
  return "others";
}

// What a person who cannot start the broker is to do.
constexpr const char* kAdvice[] = {"acta-inspect verify", "restore", "use a newer"};

bool SaysWhatToDo(const std::string& printed) {
  return std::any_of(std::begin(kAdvice), std::end(kAdvice),
                     [&](const char* advice) { return absl::StrContains(printed, advice); });
}

class DamageEvery {
 public:
  explicit DamageEvery(const Arguments& arguments) : arguments_(arguments) {}

  bool Run() {
    const std::string ran = RunChild({"acta_damage_every", "--run=" + good_, "--acks=" + acks_,
                                      absl::StrCat("--steps=", arguments_.steps)},
                                     output_);
    if (ran != "ran\n") {
      std::printf("the run failed: %s", ran.c_str());
      return false;
    }
    for (const auto& entry : fs::recursive_directory_iterator(good_)) {
      if (entry.is_regular_file()) Each(fs::relative(entry.path(), good_));
    }
    int refused = 0;
    int unreadable = 0;
    int aborted = 0;
    for (auto& [kind, outcomes] : outcomes_) {
      std::printf("%-8s", kind.c_str());
      for (const auto& [outcome, count] : outcomes) std::printf(" %4d %s", count, outcome.c_str());
      std::printf("\n");
      refused += outcomes["refused"];
      unreadable += outcomes["unreadable"];
      aborted += outcomes["aborted"];
    }
    std::printf("%d damages, %d failed, %d ended by an assertion of RocksDB\n", damages_, failed_,
                aborted);
    return failed_ == 0 && aborted == 0 && refused > 0 && unreadable > 0 && HadAllKinds() &&
           ToldOfIndexes();
  }

 private:
  bool HadAllKinds() const {
    return std::all_of(std::begin(kKinds), std::end(kKinds), [this](const char* kind) {
      const bool had = outcomes_.contains(kind);
      if (!had) std::printf("there was no file of kind %s\n", kind);
      return had;
    });
  }

  // Its checksum covers every bit of it.
  bool ToldOfIndexes() {
    auto& outcomes = outcomes_[kIndex];
    const bool told = outcomes["refused"] + outcomes["unreadable"] > 0;
    if (!told) std::printf("no damage of an index was told\n");
    return told;
  }

  void Each(const fs::path& file) {
    const uint64_t size = WrittenBytes(fs::path(good_) / file);
    One(file, {Damage::Kind::kDelete, 0});
    if (size == 0) return;
    One(file, {Damage::Kind::kCut, 0});
    One(file, {Damage::Kind::kCut, size / 2});
    const uint64_t tail = size - std::min(size, kTailBytes);
    for (int i = 0; i < arguments_.places; ++i) {
      One(file, {Damage::Kind::kFlip, Place(i, 0, tail)});
      One(file, {Damage::Kind::kFlip, Place(i, tail, size)});
    }
    if (file.extension() == ".sst") EachOfIndex(file);
  }

  void EachOfIndex(const fs::path& table) {
    const auto index = IndexOf(fs::path(good_) / table);
    if (!index.has_value()) {
      ++failed_;
      std::printf("%s has no index\n", table.c_str());
      return;
    }
    for (int i = 0; i < arguments_.places; ++i) {
      One(table, {Damage::Kind::kFlip, Place(i, index->begin, index->end)}, kIndex);
    }
  }

  // The middle of the i-th part of [from, to).
  uint64_t Place(int i, uint64_t from, uint64_t to) const {
    const auto parts = static_cast<uint64_t>(arguments_.places);
    return from + (to - from) * (2 * static_cast<uint64_t>(i) + 1) / (2 * parts);
  }

  void One(const fs::path& file, const Damage& damage) { One(file, damage, KindOf(file)); }

  void One(const fs::path& file, const Damage& damage, const std::string& kind) {
    const std::string folder = folder_.File("damaged");
    fs::remove_all(folder);
    fs::copy(good_, folder, fs::copy_options::recursive);
    damage.Do(fs::path(folder) / file);
    const std::string printed =
        RunChild({"acta_damage_every", "--check=" + folder, "--acks=" + acks_,
                  absl::StrCat("--steps=", arguments_.steps)},
                 output_);
    ++damages_;
    const std::string outcome = OutcomeOf(printed);
    if (outcome.empty()) {
      ++failed_;
    } else {
      ++outcomes_[kind][outcome];
    }
    if (!outcome.empty() && outcome != "aborted" && !arguments_.verbose) return;
    std::printf("%s %s: %s", file.c_str(), damage.Describe().c_str(), printed.c_str());
  }

  // Empty: something that must not be.
  static std::string OutcomeOf(const std::string& printed) {
    const std::string lines = absl::StrCat("\n", printed);  // The engine's log may come first.
    for (const char* told : {"sound", "refused", "unreadable"}) {
      if (!absl::StrContains(lines, absl::StrCat("\n", told))) continue;
      return told == std::string("refused") && !SaysWhatToDo(lines) ? "" : told;
    }
    return absl::StartsWith(printed, "crashed: status 6\n") ? "aborted" : "";
  }

  const Arguments& arguments_;
  TempDir folder_{MemoryFolder()};
  const std::string good_ = folder_.File("good");
  const std::string acks_ = folder_.File("acks");
  const std::string output_ = folder_.File("output");
  std::map<std::string, std::map<std::string, int>> outcomes_;  // By kind of file.
  int damages_ = 0;
  int failed_ = 0;
};

int Main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    if (ParseArgument(argv[i], &arguments)) continue;
    std::fputs(kUsage, stderr);
    return 2;
  }
  SetLogLevel(LogLevel::kError);
  const bool child = !arguments.run.empty() || !arguments.check.empty();
  alarm(child ? 60 : 0);  // What hangs has failed.
  if (!arguments.run.empty()) RunOnce(arguments);
  if (!arguments.check.empty()) CheckOnce(arguments);
  return DamageEvery(arguments).Run() ? 0 : 1;
}

}  // namespace
}  // namespace acta

int main(int argc, char** argv) { return acta::Main(argc, argv); }
