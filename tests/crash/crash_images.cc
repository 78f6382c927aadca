// Crash images: one recorded run of a load on the real engine, and of every moment of it the disk
// that a power cut or kill -9 would have left. Each image is opened and checked by a process of
// its own, because a broken database may end the process that opens it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "storage/base/log.h"
#include "storage/layout/engine_rows.h"
#include "tests/crash/child_program.h"
#include "tests/crash/crash_load.h"
#include "tests/crash/history.h"
#include "tests/crash/history_mutants.h"
#include "tests/crash/image_check.h"
#include "tests/crash/lying_disk.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/temp_dir.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

// Images are opened here: what is checked does not depend on the disk, the time it takes does.
constexpr char kMemoryFolder[] = "/dev/shm";

constexpr char kUsage[] =
    "acta_crash_images [--images=200] [--steps=600] [--seed=N] [--keep=FOLDER]\n"
    "                  [--failures=5] [--drop-synced] [--mutants]\n"
    "  Runs a load, cuts it at so many moments and checks what recovery makes of each. Images\n"
    "  that fail stay in the kept folder (default: acta-crash-SEED under the temporary folder);\n"
    "  it ends after so many failures.\n"
    "  --drop-synced: the disk forgets synced bytes; succeeds when that is noticed.\n"
    "  --mutants: holds one image against wrong histories; succeeds when each is noticed.\n"
    "acta_crash_images --check-image=FOLDER --history=FILE --cut=N [--kill] [--accept-loss]\n"
    "                  [--go-on]\n"
    "  Checks one image; prints its problems and its digest.\n";

struct Arguments {
  int images = 200;
  int steps = 600;
  int failures = 5;
  uint64_t seed = 0;
  std::string keep;
  bool drop_synced = false;
  bool mutants = false;
  std::string check_image;
  std::string history;
  uint64_t cut = 0;
  bool kill = false;
  bool accept_loss = false;
  bool go_on = false;
};

bool ParseArgument(absl::string_view word, Arguments* out) {
  const auto number = [&word](auto* value) { return absl::SimpleAtoi(word, value); };
  const auto text = [&word](std::string* value) {
    *value = std::string(word);
    return !value->empty();
  };
  if (absl::ConsumePrefix(&word, "--images=")) return number(&out->images);
  if (absl::ConsumePrefix(&word, "--steps=")) return number(&out->steps);
  if (absl::ConsumePrefix(&word, "--failures=")) return number(&out->failures);
  if (absl::ConsumePrefix(&word, "--seed=")) return number(&out->seed);
  if (absl::ConsumePrefix(&word, "--cut=")) return number(&out->cut);
  if (absl::ConsumePrefix(&word, "--keep=")) return text(&out->keep);
  if (absl::ConsumePrefix(&word, "--check-image=")) return text(&out->check_image);
  if (absl::ConsumePrefix(&word, "--history=")) return text(&out->history);
  bool* const flag = word == "--drop-synced"   ? &out->drop_synced
                     : word == "--mutants"     ? &out->mutants
                     : word == "--kill"        ? &out->kill
                     : word == "--accept-loss" ? &out->accept_loss
                     : word == "--go-on"       ? &out->go_on
                                               : nullptr;
  if (flag == nullptr) return false;
  *flag = true;
  return true;
}

// The child's part. It ends without destructors: the engine is left as by kill -9.
[[noreturn]] void CheckOne(const Arguments& arguments) {
  alarm(60);  // An image that hangs is one that failed.
  SetLogLevel(LogLevel::kError);
  const auto history = LoadHistory(arguments.history);
  if (!history.ok()) {
    std::printf("broken: %s\n", std::string(history.status().message()).c_str());
    std::fflush(stdout);
    _exit(2);
  }
  const ImageReport report =
      CheckImage(*history, {arguments.cut, !arguments.kill, arguments.accept_loss},
                 arguments.check_image, arguments.go_on);
  for (const std::string& problem : report.problems) std::printf("%s\n", problem.c_str());
  std::printf("digest %08x, %zu transactions\n", report.digest, report.present);
  std::fflush(stdout);
  _exit(report.problems.empty() ? 0 : 1);
}

bool IsSound(absl::string_view printed) { return absl::StartsWith(printed, "digest "); }

class CrashImages {
 public:
  explicit CrashImages(const Arguments& arguments)
      : arguments_(arguments),
        images_(access(kMemoryFolder, W_OK) == 0
                    ? absl::StrCat(kMemoryFolder, "/acta-crash-images-", getpid())
                    : work_.File("images")),
        disk_(std::make_shared<FaultyDisk>()),
        store_(work_.File("store")),
        history_path_(work_.File("history")),
        random_(arguments.seed ^ 0x9e3779b97f4a7c15) {}

  ~CrashImages() {
    std::error_code ignored;
    fs::remove_all(images_, ignored);
  }

  bool Load() {
    disk_->Record();
    CrashLoadOptions load;
    load.folder = store_;
    load.seed = arguments_.seed;
    load.steps = arguments_.steps;
    load.disk = disk_.get();
    load.file_system = disk_;
    if (arguments_.drop_synced) load.file_system = std::make_shared<LyingDisk>(disk_);
    const auto history = RunCrashLoad(load);
    const absl::Status saved =
        history.ok() ? SaveHistory(*history, history_path_) : history.status();
    if (!saved.ok()) {
      std::printf("the load failed: %s\n", std::string(saved.message()).c_str());
      return false;
    }
    history_ = *history;
    sync_points_ = disk_->SyncPoints();
    std::printf("%zu transactions, %zu disk operations, %zu syncs\n", history_.transactions.size(),
                disk_->operations(), sync_points_.size());
    return true;
  }

  // Every image has to be sound.
  bool RunHonest() {
    int failed = 0;
    for (int i = 0; i < arguments_.images && failed < arguments_.failures; ++i) {
      const Image image = NextImage();
      const std::string first = Check(image, {});
      std::string found = IsSound(first) ? "" : first;
      if (found.empty()) {
        const std::string second = Check(image, {"--go-on"});
        if (!IsSound(second)) found = absl::StrCat("at the second recovery: ", second);
        if (IsSound(second) && second != first) {
          found = absl::StrCat("the second recovery differs: ", second, first);
        }
      }
      if (!found.empty()) {
        ++failed;
        Keep(image, i, found);
      }
      fs::remove_all(image.folder);
    }
    std::printf("%d images, %d failed, seed %llu\n", arguments_.images, failed,
                static_cast<unsigned long long>(arguments_.seed));
    return failed == 0;
  }

  // Synced bytes are gone: the engine has to refuse, and the check has to find what is missing
  // when the loss is accepted.
  bool RunLying() {
    int refused = 0;
    int lost = 0;
    for (int i = 0; i < arguments_.images; ++i) {
      Image image = NextImage();
      refused += absl::StrContains(Check(image, {}), "refused: ") ? 1 : 0;
      lost += absl::StrContains(Check(image, {"--accept-loss"}), "lost-write: ") ? 1 : 0;
      fs::remove_all(image.folder);
    }
    std::printf("%d images of a lying disk: %d refused, %d found with lost writes\n",
                arguments_.images, refused, lost);
    return refused > 0 && lost > 0;
  }

  // The image of the end is sound, and against every wrong history it is not.
  bool RunMutants() {
    Image image;
    image.folder = images_ + "/image";
    image.cut = disk_->operations();
    image.loss = FaultyDisk::Loss::kNothing;
    bool noticed = CheckAgainst(image, history_, "digest ");
    for (const HistoryMutant& mutant : MutantsOf(history_)) {
      noticed &= CheckAgainst(image, mutant.history, mutant.problem + ": ");
    }
    return noticed;
  }

 private:
  struct Image {
    std::string folder;
    size_t cut = 0;
    uint64_t seed = 0;
    FaultyDisk::Loss loss = FaultyDisk::Loss::kTorn;
  };

  // Half of the cuts are at syncs, where promises begin; half anywhere.
  Image NextImage() {
    Image image;
    image.folder = images_ + "/image";
    image.seed = random_();
    if (random_() % 2 == 0) {
      image.cut = sync_points_[random_() % sync_points_.size()] + random_() % 3;
      image.cut = std::min(image.cut, disk_->operations());
    } else {
      image.cut = random_() % (disk_->operations() + 1);
    }
    const uint64_t kind = arguments_.drop_synced ? 1 : random_() % 4;
    image.loss = kind == 0   ? FaultyDisk::Loss::kNothing
                 : kind == 1 ? FaultyDisk::Loss::kHoles
                             : FaultyDisk::Loss::kTorn;
    Materialize(image, image.folder);
    return image;
  }

  void Materialize(const Image& image, const std::string& folder) const {
    disk_->Materialize(image.cut, image.seed, store_, folder, image.loss);
    fs::create_directories(folder);
    // Written past the database's file system, and durable before its first operation.
    fs::copy_file(absl::StrCat(store_, "/", kFormatFile), absl::StrCat(folder, "/", kFormatFile),
                  fs::copy_options::skip_existing);
  }

  bool CheckAgainst(const Image& image, const History& history, absl::string_view expected) {
    if (!SaveHistory(history, history_path_).ok()) return false;
    Materialize(image, image.folder);
    const std::string printed = Check(image, {});
    fs::remove_all(image.folder);
    const bool found = absl::StartsWith(printed, expected) ||
                       absl::StrContains(printed, absl::StrCat("\n", expected));
    std::printf("%s '%s'\n%s", found ? "noticed" : "MISSED", std::string(expected).c_str(),
                found ? "" : printed.c_str());
    return found;
  }

  static bool Killed(const Image& image) { return image.loss == FaultyDisk::Loss::kNothing; }

  std::string Check(const Image& image, const std::vector<std::string>& more) const {
    std::vector<std::string> words = {
        "acta_crash_images", absl::StrCat("--check-image=", image.folder),
        absl::StrCat("--history=", history_path_), absl::StrCat("--cut=", image.cut)};
    if (Killed(image)) words.push_back("--kill");
    words.insert(words.end(), more.begin(), more.end());
    return RunChild(std::move(words), work_.File("output"));
  }

  // The image as it was before anybody opened it, with what is needed to check it again.
  void Keep(const Image& image, int number, const std::string& found) const {
    const std::string root =
        !arguments_.keep.empty()
            ? arguments_.keep
            : (fs::temp_directory_path() / absl::StrCat("acta-crash-", arguments_.seed)).string();
    const std::string folder = absl::StrCat(root, "/", number);
    fs::create_directories(folder);
    Materialize(image, folder + "/image");
    fs::copy_file(history_path_, folder + "/history", fs::copy_options::overwrite_existing);
    const std::string again =
        absl::StrCat("acta_crash_images --check-image=", folder, "/image --history=", folder,
                     "/history --cut=", image.cut, Killed(image) ? " --kill" : "");
    std::ofstream(folder + "/README") << found << "\nCheck a copy of it again:\n" << again << "\n";
    std::printf("image %d failed (seed %llu, cut %zu, %s):\n%s  kept: %s\n", number,
                static_cast<unsigned long long>(arguments_.seed), image.cut,
                Killed(image) ? "kill -9" : "power cut", found.c_str(), folder.c_str());
  }

  const Arguments& arguments_;
  TempDir work_;
  const std::string images_;
  std::shared_ptr<FaultyDisk> disk_;
  const std::string store_;
  const std::string history_path_;
  std::mt19937_64 random_;
  History history_;
  std::vector<size_t> sync_points_;
};

int Main(int argc, char** argv) {
  Arguments arguments;
  arguments.seed = static_cast<uint64_t>(absl::ToUnixMicros(absl::Now()));
  for (int i = 1; i < argc; ++i) {
    if (ParseArgument(argv[i], &arguments)) continue;
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (!arguments.check_image.empty()) CheckOne(arguments);
  SetLogLevel(LogLevel::kError);
  std::printf("seed %llu\n", static_cast<unsigned long long>(arguments.seed));
  CrashImages images(arguments);
  if (!images.Load()) return 1;
  const bool passed = arguments.drop_synced ? images.RunLying()
                      : arguments.mutants   ? images.RunMutants()
                                            : images.RunHonest();
  return passed ? 0 : 1;
}

}  // namespace
}  // namespace acta

int main(int argc, char** argv) { return acta::Main(argc, argv); }
