#include "tests/crash/image_campaign.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/base/status_macros.h"
#include "tests/crash/child_program.h"
#include "tests/crash/crash_load.h"
#include "tests/crash/history_mutants.h"
#include "tests/crash/lying_disk.h"
#include "tests/crash/queue_history_mutants.h"
#include "tests/crash/queue_load.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

constexpr int kProgress = 500;  // A line for every so many images.
constexpr char kNextBoot[] = "boot-2";
constexpr char kThirdBoot[] = "boot-3";

bool IsSound(absl::string_view printed) { return absl::StartsWith(printed, "digest "); }

// "12 transactions", of what a check prints.
absl::string_view Transactions(absl::string_view printed) {
  return printed.substr(std::min(printed.size(), printed.find(", ")));
}

std::string TextOf(const QueueHistory& history) {
  const auto count = [&history](auto is) {
    return std::count_if(history.decisions.begin(), history.decisions.end(), is);
  };
  const auto in_steps = count([](const QueueDecision& one) { return one.step >= 0; });
  const auto skips =
      count([](const QueueDecision& one) { return one.op == QueueDecision::Op::kSkip; });
  const auto resets =
      count([](const QueueDecision& one) { return one.op == QueueDecision::Op::kReset; });
  return absl::StrCat(history.decisions.size(), " decisions (", in_steps, " in steps, ", skips,
                      " skips, ", resets / kQueuePartitions, " resets), ", history.schedules.size(),
                      " of schedules, ", history.stream.commits.size(), " commits and ",
                      history.stream.steps.size(), " steps of a stream");
}

// Of resets; but for `resets_only`, of what is held too, and of what streams commit.
std::vector<std::pair<size_t, size_t>> MomentsOf(const QueueHistory& history, bool resets_only) {
  std::vector<std::pair<size_t, size_t>> moments;
  for (const QueueDecision& one : history.decisions) {
    const bool reset = one.op == QueueDecision::Op::kReset;
    if (!reset && (resets_only || one.op != QueueDecision::Op::kSkip)) continue;
    moments.emplace_back(one.submitted, one.acked);
  }
  for (const StreamCommit& one : history.stream.commits) {
    if (resets_only || one.acked == StreamCommit::kNever) continue;
    moments.emplace_back(one.submitted, one.acked);
  }
  return moments;
}

const char* NameOf(DiskLoss loss) {
  switch (loss) {
    case DiskLoss::kTorn:
      return "power cut, torn writes";
    case DiskLoss::kHoles:
      return "power cut, holes";
    case DiskLoss::kNames:
      return "power cut, names of each folder in order";
    case DiskLoss::kAnyNames:
      return "power cut, any names";
    case DiskLoss::kNothing:
      return "kill -9";
  }
  return "";
}

}  // namespace

ImageCampaign::ImageCampaign(const CampaignOptions& options)
    : options_(options),
      disk_(std::make_shared<FaultyDisk>()),
      store_(work_.File("store")),
      history_path_(work_.File("history")),
      random_(options.seed ^ 0x9e3779b97f4a7c15) {}

bool ImageCampaign::Load() {
  disk_->Record();
  CrashLoadOptions load;
  load.folder = store_;
  load.seed = options_.seed;
  load.steps = options_.steps;
  load.disk = disk_.get();
  load.forget_ids = options_.forget_ids;
  load.file_system = disk_;
  // What images say wrong the load must not hear.
  load.tear = options_.tear == StepTear::kFreeHeld ? StepTear::kNone : options_.tear;
  if (options_.drop_synced) load.file_system = std::make_shared<LyingDisk>(disk_);
  if (options_.drop_names) {
    load.file_system = std::make_shared<LyingDisk>(disk_, LyingDisk::Lie::kNames);
  }
  if (const absl::Status loaded = RunLoad(load); !loaded.ok()) {
    std::printf("the load failed: %s\n", std::string(loaded.message()).c_str());
    return false;
  }
  sync_points_ = disk_->SyncPoints();
  const std::string what = options_.queues
                               ? TextOf(queue_history_)
                               : absl::StrCat(history_.transactions.size(), " transactions");
  std::printf("%s, %zu disk operations, %zu syncs\n", what.c_str(), disk_->operations(),
              sync_points_.size());
  return true;
}

absl::Status ImageCampaign::RunLoad(const CrashLoadOptions& load) {
  if (options_.queues) {
    ASSIGN_OR_RETURN(queue_history_, RunQueueCrashLoad(load));
    moments_ = MomentsOf(queue_history_, options_.tear == StepTear::kReset);
    return SaveQueueHistory(queue_history_, history_path_);
  }
  ASSIGN_OR_RETURN(history_, RunCrashLoad(load));
  return SaveHistory(history_, history_path_);
}

bool ImageCampaign::RunHonest() {
  int next = 0;
  int failed = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < options_.jobs; ++i) {
    workers.emplace_back([this, &next, &failed] { CheckImages(&next, &failed); });
  }
  for (std::thread& worker : workers) worker.join();
  std::printf("%d images, %d failed, seed %llu\n", next, failed,
              static_cast<unsigned long long>(options_.seed));
  return failed == 0;
}

void ImageCampaign::CheckImages(int* next, int* failed) {
  for (;;) {
    Image image;
    {
      MutexLock lock(mu_);
      if (*next >= options_.images || *failed >= options_.failures) return;
      image = NextImage((*next)++);
      if (*next % kProgress == 0) std::printf("image %d of %d\n", *next, options_.images);
      std::fflush(stdout);
    }
    const std::string found = FindProblem(image);
    fs::remove_all(image.folder);
    if (found.empty()) continue;
    MutexLock lock(mu_);
    ++*failed;
    Keep(image, found);
  }
}

std::string ImageCampaign::FindProblem(const Image& image) {
  Materialize(image, image.folder);
  const std::string first = Check(image, {});
  if (!IsSound(first)) return first;
  const std::string second = Check(image, {"--go-on"});
  if (!IsSound(second)) return absl::StrCat("at the second recovery: ", second);
  if (second != first) return absl::StrCat("the second recovery differs: ", second, first);
  if (options_.queues || image.number % options_.recover_each != 0) return "";
  return CheckRecovery(image, first);
}

// The recovery is done again and recorded; faults within it leave images too. After kill -9 what
// the load had not synced is still not synced.
std::string ImageCampaign::CheckRecovery(const Image& image, const std::string& first) {
  const std::string path = image.folder + ".record";
  fs::remove_all(image.folder);
  Materialize(image, image.folder);
  if (image.loss == DiskLoss::kNothing) {
    std::vector<DiskOperation> before = disk_->record(image.cut);
    MoveOperations(store_, image.folder, &before);
    if (!SaveOperations(before, path)) return "the record cannot be written\n";
  }
  std::mt19937_64 random(image.seed);
  std::vector<std::string> words = {absl::StrCat("--record=", path)};
  if (random() % 2 == 0) words.push_back("--stop");
  std::string printed = Check(image, std::move(words));
  absl::string_view number = absl::StripSuffix(printed, "\n");
  size_t start = 0;
  std::vector<DiskOperation> record;
  const bool recorded = absl::ConsumePrefix(&number, "recovered ") &&
                        absl::SimpleAtoi(number, &start) && LoadOperations(path, &record);
  fs::remove(path);
  if (!recorded) return absl::StrCat("the recorded recovery: ", printed);
  std::string found;
  for (int i = 0; i < options_.cut_recovery && found.empty(); ++i) {
    const bool last = i == 0;
    const size_t at = last ? record.size() : start + random() % (record.size() - start + 1);
    found = CheckSecondFault(image, first, record, at, last, &random);
  }
  return found;
}

// `last`: the recovery was complete, so that all it showed has to be there again.
std::string ImageCampaign::CheckSecondFault(const Image& first, const std::string& printed,
                                            const std::vector<DiskOperation>& record, size_t at,
                                            bool last, std::mt19937_64* random) {
  Image image;
  image.number = first.number;
  image.cut = first.cut;
  image.seed = (*random)();
  image.loss = LossOf((*random)());
  const bool killed = image.loss == DiskLoss::kNothing;
  image.boot = killed ? first.boot : kThirdBoot;
  image.again = true;
  image.record.assign(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(at));
  MoveOperations(first.folder, store_, &image.record);
  image.folder = first.folder + ".again";
  Materialize(image, image.folder);
  // Of two faults the one that takes more says what may be gone.
  const bool power = !killed || first.loss != DiskLoss::kNothing;
  std::vector<std::string> words = {"--go-on"};
  if (!power) words.push_back("--kill");
  const std::string again = Check(image, std::move(words));
  fs::remove_all(image.folder);
  std::string found;
  if (!IsSound(again)) {
    found = again;
  } else if (last && Transactions(again) != Transactions(printed)) {
    found = absl::StrCat("what the first recovery showed is not what there is: ", printed, again);
  }
  if (found.empty()) return "";
  found = absl::StrCat("after a second fault at operation ", at, " of ", record.size(), " (",
                       NameOf(image.loss), "): ", found);
  image.number = 1'000'000 + first.number;
  MutexLock lock(mu_);
  Keep(image, found);
  return found;
}

bool ImageCampaign::RunLying() {
  int refused = 0;
  int lost = 0;
  for (int i = 0; i < options_.images; ++i) {
    Image image;
    {
      MutexLock lock(mu_);
      image = NextImage(i);
    }
    Materialize(image, image.folder);
    refused += absl::StrContains(Check(image, {}), "refused: ") ? 1 : 0;
    const std::string accepted = Check(image, {"--accept-loss"});
    lost += absl::StrContains(accepted, options_.queues ? "outstanding-again: " : "lost-write: ");
    fs::remove_all(image.folder);
  }
  std::printf("%d images of a lying disk: %d refused, %d found with lost writes\n", options_.images,
              refused, lost);
  return refused > 0 && lost > 0;
}

std::vector<std::string> ImageCampaign::BrokenByTear() const {
  switch (options_.tear) {
    case StepTear::kNone:
      return {};
    case StepTear::kResultFirst:
      return {"torn-step: ", "doubled-schedule: ", "torn-stream-step: "};
    case StepTear::kStateFirst:
      return {"torn-step: ", "lost-schedule: ", "torn-stream-step: "};
    case StepTear::kTwice:
      return {"doubled-result: ", "doubled-schedule: ", "doubled-outcome: "};
    case StepTear::kReset:
      return {"torn-reset: "};
    case StepTear::kFreeHeld:
      return {"passed-hold: "};
  }
  return {};
}

// Until each was found.
bool ImageCampaign::RunTorn() {
  const std::vector<std::string> classes = BrokenByTear();
  std::vector<int> found(classes.size());
  const auto all = [&] { return std::find(found.begin(), found.end(), 0) == found.end(); };
  const bool goes_on = options_.tear == StepTear::kFreeHeld;
  int images = 0;
  for (; images < options_.images && !all(); ++images) {
    Image image;
    {
      MutexLock lock(mu_);
      image = NextImage(images);
    }
    Materialize(image, image.folder);
    const std::string printed =
        goes_on ? Check(image, {"--go-on", "--tear-steps=free-held"}) : Check(image, {});
    for (size_t kind = 0; kind < classes.size(); ++kind) {
      found[kind] += absl::StrContains(printed, classes[kind]);
    }
    fs::remove_all(image.folder);
  }
  std::printf("%d images of what is torn:", images);
  for (size_t kind = 0; kind < classes.size(); ++kind) {
    std::printf(" '%s' in %d", classes[kind].c_str(), found[kind]);
  }
  std::printf("\n");
  return all();
}

bool ImageCampaign::RunMutants() {
  Image image;
  image.folder = images_.File("image");
  image.cut = disk_->operations();
  image.loss = DiskLoss::kNothing;
  image.boot = kLoadBoot;
  if (options_.queues) return RunQueueMutants(image);
  bool noticed = CheckAgainst(image, SaveHistory(history_, history_path_), "digest ");
  for (const HistoryMutant& mutant : MutantsOf(history_)) {
    noticed &=
        CheckAgainst(image, SaveHistory(mutant.history, history_path_), mutant.problem + ": ");
  }
  // Before the load stops in good order.
  image.cut = disk_->operations() * 2 / 3;
  image.boot = kNextBoot;
  for (const char* const broken : {"dedupe", "incarnation", "hole", "goes-on"}) {
    noticed &= CheckAgainst(image, SaveHistory(history_, history_path_), absl::StrCat(broken, ": "),
                            {absl::StrCat("--break=", broken), "--go-on"});
  }
  return noticed;
}

bool ImageCampaign::RunForgetful() {
  int twice = 0;
  for (int i = 0; i < options_.images; ++i) {
    Image image;
    {
      MutexLock lock(mu_);
      image = NextImage(i);
    }
    image.cut = disk_->operations();
    Materialize(image, image.folder);
    twice += absl::StrContains(Check(image, {}), "stored-twice: ") ? 1 : 0;
    fs::remove_all(image.folder);
  }
  std::printf("%d images, %d found with ids stored twice\n", options_.images, twice);
  return twice == options_.images;
}

bool ImageCampaign::RunQueueMutants(const Image& image) {
  bool noticed = CheckAgainst(image, SaveQueueHistory(queue_history_, history_path_), "digest ");
  for (const QueueHistoryMutant& mutant : MutantsOf(queue_history_)) {
    noticed &=
        CheckAgainst(image, SaveQueueHistory(mutant.history, history_path_), mutant.problem + ": ");
  }
  return noticed;
}

ImageCampaign::Image ImageCampaign::NextImage(int number) {
  Image image;
  image.number = number;
  image.folder = images_.File(absl::StrCat("image-", number));
  image.seed = random_();
  image.cut = std::min(DrawCut(), disk_->operations());
  image.loss = LossOf(random_());
  // The machine may also have been restarted in good order after the kill.
  const bool same = image.loss == DiskLoss::kNothing && random_() % 3 != 0;
  image.boot = same ? kLoadBoot : kNextBoot;
  return image;
}

// Half of the cuts are at syncs, where promises begin; half anywhere. Of what is rare there are
// some more, half of them where it was answered.
size_t ImageCampaign::DrawCut() {
  const bool rare = !moments_.empty() && (options_.tear == StepTear::kReset || random_() % 4 == 0);
  if (rare) {
    const auto& [first, last] = moments_[random_() % moments_.size()];
    if (random_() % 2 == 0) return last + random_() % 2;
    return first + random_() % (last - first + 1);
  }
  if (random_() % 2 == 0) return sync_points_[random_() % sync_points_.size()] + random_() % 3;
  return random_() % (disk_->operations() + 1);
}

DiskLoss ImageCampaign::LossOf(uint64_t kind) const {
  if (options_.drop_synced) return DiskLoss::kHoles;
  if (options_.drop_names) return kind % 2 == 0 ? DiskLoss::kNames : DiskLoss::kAnyNames;
  constexpr DiskLoss kKinds[] = {DiskLoss::kTorn,    DiskLoss::kTorn,     DiskLoss::kHoles,
                                 DiskLoss::kNames,   DiskLoss::kAnyNames, DiskLoss::kAnyNames,
                                 DiskLoss::kNothing, DiskLoss::kNothing};
  return kKinds[kind % std::size(kKinds)];
}

void ImageCampaign::Materialize(const Image& image, const std::string& folder) const {
  LeaveImage(image.record.empty() ? disk_->record(image.cut) : image.record, image.seed, image.loss,
             store_, folder);
}

bool ImageCampaign::CheckAgainst(const Image& image, const absl::Status& saved,
                                 const std::string& expected, std::vector<std::string> more) {
  if (!saved.ok()) return false;
  Materialize(image, image.folder);
  const std::string printed = Check(image, std::move(more));
  fs::remove_all(image.folder);
  // The digest comes last: an image with problems has one too.
  const bool found = IsSound(expected)
                         ? IsSound(printed)
                         : absl::StrContains(absl::StrCat("\n", printed), "\n" + expected);
  std::printf("%s '%s'\n%s", found ? "noticed" : "MISSED", expected.c_str(),
              found ? "" : printed.c_str());
  return found;
}

std::string ImageCampaign::Check(const Image& image, std::vector<std::string> more) const {
  std::vector<std::string> words = {
      "acta_crash_images", absl::StrCat("--check-image=", image.folder),
      absl::StrCat("--history=", history_path_), absl::StrCat("--cut=", image.cut),
      absl::StrCat("--boot=", image.boot)};
  if (image.loss == DiskLoss::kNothing && !image.again) words.push_back("--kill");
  if (image.again) words.push_back("--again");
  if (options_.queues) words.push_back("--queues");
  words.insert(words.end(), more.begin(), more.end());
  return RunChild(std::move(words), absl::StrCat(image.folder, ".output"));
}

// The image as it was before anybody opened it, with what is needed to check it again.
void ImageCampaign::Keep(const Image& image, const std::string& found) const {
  const std::string root =
      !options_.keep.empty()
          ? options_.keep
          : (fs::temp_directory_path() / absl::StrCat("acta-crash-", options_.seed)).string();
  const std::string folder = absl::StrCat(root, "/", image.number);
  fs::create_directories(folder);
  Materialize(image, folder + "/image");
  fs::copy_file(history_path_, folder + "/history", fs::copy_options::overwrite_existing);
  const bool killed = image.loss == DiskLoss::kNothing && !image.again;
  const std::string command =
      absl::StrCat("acta_crash_images --check-image=", folder, "/image --history=", folder,
                   "/history --cut=", image.cut, " --boot=", image.boot, killed ? " --kill" : "",
                   image.again ? " --again" : "", options_.queues ? " --queues" : "");
  std::ofstream(folder + "/README") << found << "\nCheck a copy of it again:\n" << command << "\n";
  std::printf("image %d failed (seed %llu, cut %zu, %s):\n%s  kept: %s\n", image.number,
              static_cast<unsigned long long>(options_.seed), image.cut, NameOf(image.loss),
              found.c_str(), folder.c_str());
  std::fflush(stdout);
}

}  // namespace acta
