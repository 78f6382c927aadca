// Crash images: one recorded run of a load on the real engine, and of every moment of it the disk
// that a power cut or kill -9 would have left. Each image is opened and checked by a process of
// its own, because a broken database may end the process that opens it.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "storage/base/log.h"
#include "tests/crash/history.h"
#include "tests/crash/image_campaign.h"
#include "tests/crash/image_check.h"
#include "tests/crash/queue_check.h"
#include "tests/crash/recovery_record.h"

namespace acta {
namespace {

constexpr char kUsage[] =
    "acta_crash_images [--images=300] [--steps=600] [--seed=N] [--keep=FOLDER] [--jobs=2]\n"
    "                  [--failures=5] [--cut-recovery=2] [--recover-each=10]\n"
    "                  [--queues] [--drop-synced] [--drop-names] [--forget-ids] [--mutants]\n"
    "                  [--tear-steps=HOW]\n"
    "  Runs a load, cuts it at so many moments and checks what recovery makes of each. Images\n"
    "  that fail stay in the kept folder (default: acta-crash-SEED under the temporary folder);\n"
    "  it ends after so many failures. The recovery of one in --recover-each images is cut\n"
    "  itself, at --cut-recovery moments.\n"
    "  --queues: the load is one of QUEUE groups.\n"
    "  --drop-synced: the disk forgets synced bytes; succeeds when that is noticed.\n"
    "  --drop-names: the disk forgets synced names; succeeds when that is noticed.\n"
    "  --forget-ids: the load's engine forgets ids; succeeds when what it stores twice is\n"
    "  noticed.\n"
    "  --tear-steps: result-first, state-first or twice; with --queues. Steps, and events that\n"
    "  are due, are torn so, or appended twice; reset: so are resets of groups; free-held: who\n"
    "  opens an image does not see which key is held. Ends, and succeeds, when that is noticed\n"
    "  in every way it should be; --images is the most then.\n"
    "  --mutants: holds one image against wrong histories, and against engines that break a\n"
    "  promise when they open it; succeeds when each is noticed.\n"
    "acta_crash_images --check-image=FOLDER --history=FILE --cut=N --boot=ID [--kill] [--again]\n"
    "                  [--accept-loss] [--go-on] [--queues] [--break=CLASS]\n"
    "  Checks one image; prints its problems and its digest.\n"
    "acta_crash_images --check-image=FOLDER --history=FILE --cut=N --boot=ID --record=FILE "
    "[--stop]\n"
    "  Records the recovery of one image.\n";

struct Arguments {
  CampaignOptions campaign;
  bool mutants = false;
  std::string check_image;
  std::string history;
  std::string record;
  ImageCut cut;
  bool kill = false;
  bool stop = false;
  bool go_on = false;
};

bool ParseTear(absl::string_view word, StepTear* tear) {
  *tear = word == "result-first"  ? StepTear::kResultFirst
          : word == "state-first" ? StepTear::kStateFirst
          : word == "twice"       ? StepTear::kTwice
          : word == "reset"       ? StepTear::kReset
          : word == "free-held"   ? StepTear::kFreeHeld
                                  : StepTear::kNone;
  return *tear != StepTear::kNone;
}

bool ParseArgument(absl::string_view word, Arguments* out) {
  const auto number = [&word](auto* value) { return absl::SimpleAtoi(word, value); };
  const auto text = [&word](std::string* value) {
    *value = std::string(word);
    return !value->empty();
  };
  CampaignOptions& campaign = out->campaign;
  if (absl::ConsumePrefix(&word, "--images=")) return number(&campaign.images);
  if (absl::ConsumePrefix(&word, "--steps=")) return number(&campaign.steps);
  if (absl::ConsumePrefix(&word, "--failures=")) return number(&campaign.failures);
  if (absl::ConsumePrefix(&word, "--jobs=")) return number(&campaign.jobs);
  if (absl::ConsumePrefix(&word, "--seed=")) return number(&campaign.seed);
  if (absl::ConsumePrefix(&word, "--cut-recovery=")) return number(&campaign.cut_recovery);
  if (absl::ConsumePrefix(&word, "--recover-each=")) return number(&campaign.recover_each);
  if (absl::ConsumePrefix(&word, "--tear-steps=")) return ParseTear(word, &campaign.tear);
  if (absl::ConsumePrefix(&word, "--keep=")) return text(&campaign.keep);
  if (absl::ConsumePrefix(&word, "--cut=")) return number(&out->cut.operations);
  if (absl::ConsumePrefix(&word, "--boot=")) return text(&out->cut.boot);
  if (absl::ConsumePrefix(&word, "--break=")) return text(&out->cut.broken);
  if (absl::ConsumePrefix(&word, "--check-image=")) return text(&out->check_image);
  if (absl::ConsumePrefix(&word, "--history=")) return text(&out->history);
  if (absl::ConsumePrefix(&word, "--record=")) return text(&out->record);
  bool* const flag = word == "--drop-synced"   ? &campaign.drop_synced
                     : word == "--drop-names"  ? &campaign.drop_names
                     : word == "--forget-ids"  ? &campaign.forget_ids
                     : word == "--queues"      ? &campaign.queues
                     : word == "--mutants"     ? &out->mutants
                     : word == "--kill"        ? &out->kill
                     : word == "--again"       ? &out->cut.again
                     : word == "--accept-loss" ? &out->cut.accept_loss
                     : word == "--go-on"       ? &out->go_on
                     : word == "--stop"        ? &out->stop
                                               : nullptr;
  if (flag == nullptr) return false;
  *flag = true;
  return true;
}

// A child's part, and all it does then.
[[noreturn]] void Record(const Arguments& arguments, const History& history) {
  size_t start = 0;
  const absl::Status recorded = RecordRecovery(history, arguments.cut, arguments.check_image,
                                               arguments.record, arguments.stop, &start);
  if (recorded.ok()) {
    std::printf("recovered %zu\n", start);
  } else {
    std::printf("broken: %s\n", std::string(recorded.message()).c_str());
  }
  std::fflush(stdout);
  _exit(recorded.ok() ? 0 : 1);
}

[[noreturn]] void LeaveBroken(const absl::Status& status) {
  std::printf("broken: %s\n", std::string(status.message()).c_str());
  std::fflush(stdout);
  _exit(2);
}

ImageReport CheckLog(const Arguments& arguments, const ImageCut& cut) {
  const auto history = LoadHistory(arguments.history);
  if (!history.ok()) LeaveBroken(history.status());
  if (!arguments.record.empty()) Record(arguments, *history);
  return CheckImage(*history, cut, arguments.check_image, arguments.go_on);
}

ImageReport CheckQueues(const Arguments& arguments, const ImageCut& cut) {
  const auto history = LoadQueueHistory(arguments.history);
  if (!history.ok()) LeaveBroken(history.status());
  return CheckQueueImage(*history, cut, arguments.check_image, arguments.go_on,
                         arguments.campaign.tear);
}

// The child's part. It ends without destructors: the engine is left as by kill -9.
[[noreturn]] void CheckOne(const Arguments& arguments) {
  alarm(60);  // An image that hangs is one that failed.
  SetLogLevel(LogLevel::kError);
  ImageCut cut = arguments.cut;
  cut.power = !arguments.kill;
  const ImageReport report =
      arguments.campaign.queues ? CheckQueues(arguments, cut) : CheckLog(arguments, cut);
  for (const std::string& problem : report.problems) std::printf("%s\n", problem.c_str());
  std::printf("digest %08x, %zu %s\n", report.digest, report.present,
              arguments.campaign.queues ? "events" : "transactions");
  std::fflush(stdout);
  _exit(report.problems.empty() ? 0 : 1);
}

int Main(int argc, char** argv) {
  Arguments arguments;
  arguments.campaign.seed = static_cast<uint64_t>(absl::ToUnixMicros(absl::Now()));
  for (int i = 1; i < argc; ++i) {
    if (ParseArgument(argv[i], &arguments)) continue;
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (!arguments.check_image.empty()) CheckOne(arguments);
  SetLogLevel(LogLevel::kError);
  std::printf("seed %llu\n", static_cast<unsigned long long>(arguments.campaign.seed));
  ImageCampaign images(arguments.campaign);
  if (!images.Load()) return 1;
  const bool lying = arguments.campaign.drop_synced || arguments.campaign.drop_names;
  const bool torn = arguments.campaign.tear != StepTear::kNone;
  const bool forgetful = arguments.campaign.forget_ids;
  const bool passed = arguments.mutants ? images.RunMutants()
                      : lying           ? images.RunLying()
                      : torn            ? images.RunTorn()
                      : forgetful       ? images.RunForgetful()
                                        : images.RunHonest();
  return passed ? 0 : 1;
}

}  // namespace
}  // namespace acta

int main(int argc, char** argv) { return acta::Main(argc, argv); }
