#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/mutex.h"
#include "tests/crash/crash_load.h"
#include "tests/crash/history.h"
#include "tests/crash/queue_history.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/temp_dir.h"

namespace acta {

struct CampaignOptions {
  int images = 300;
  int steps = 600;
  int failures = 5;  // It ends after so many.
  int jobs = 2;      // Images at a time.
  uint64_t seed = 0;
  std::string keep;       // Where failing images stay.
  int cut_recovery = 2;   // Second faults within one recovery.
  int recover_each = 10;  // Every how many images the recovery is cut too.
  bool drop_synced = false;
  bool drop_names = false;
  bool forget_ids = false;
  bool queues = false;              // The load is one of queues, and recoveries are not cut.
  StepTear tear = StepTear::kNone;  // Of its steps, schedules and resets; or of what images say.
};

// One recorded run of a load, and images of the faults it could have met.
class ImageCampaign {
 public:
  explicit ImageCampaign(const CampaignOptions& options);

  bool Load();
  // Every image has to be sound.
  bool RunHonest();
  // What was synced is gone: the engine has to refuse, and the check has to find what is missing
  // when the loss is accepted.
  bool RunLying();
  // Something is torn, and the check has to find all that is broken by it.
  bool RunTorn();
  // The load's engine forgot ids, and the check has to find what is stored twice.
  bool RunForgetful();
  // The image of the end is sound, and against every wrong history, or with an engine that breaks a
  // promise, it is not.
  bool RunMutants();

 private:
  struct Image {
    int number = 0;
    std::string folder;
    size_t cut = 0;
    uint64_t seed = 0;
    DiskLoss loss = DiskLoss::kTorn;
    std::string boot;
    bool again = false;
    // Of what the image is made: empty means the load.
    std::vector<DiskOperation> record;
  };

  Image NextImage(int number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  DiskLoss LossOf(uint64_t kind) const;
  void Materialize(const Image& image, const std::string& folder) const;
  void CheckImages(int* next, int* failed);
  std::string FindProblem(const Image& image);
  std::string CheckRecovery(const Image& image, const std::string& first);
  std::string CheckSecondFault(const Image& first, const std::string& printed,
                               const std::vector<DiskOperation>& record, size_t at, bool last,
                               std::mt19937_64* random);
  // `more`: words for the check.
  bool CheckAgainst(const Image& image, const absl::Status& saved, const std::string& expected,
                    std::vector<std::string> more = {});
  absl::Status RunLoad(const CrashLoadOptions& load);
  bool RunQueueMutants(const Image& image);
  // Classes that have to be found with the tear.
  std::vector<std::string> BrokenByTear() const;
  size_t DrawCut() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Check(const Image& image, std::vector<std::string> more) const;
  void Keep(const Image& image, const std::string& found) const;

  const CampaignOptions& options_;
  TempDir work_;
  TempDir images_{MemoryFolder()};
  const std::shared_ptr<FaultyDisk> disk_;
  const std::string store_;
  const std::string history_path_;
  History history_;
  QueueHistory queue_history_;
  // When something was under way that is rare, from the first operation to the last.
  std::vector<std::pair<size_t, size_t>> moments_;
  std::vector<size_t> sync_points_;
  mutable Mutex mu_;  // Leaf.
  std::mt19937_64 random_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
