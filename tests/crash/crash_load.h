#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/log/local_engine_options.h"
#include "tests/crash/history.h"
#include "tests/crash/torn_engine.h"
#include "tests/support/faulty_disk.h"

namespace acta {

struct CrashLoadOptions {
  std::string folder;
  uint64_t seed = 0;
  int steps = 0;
  // Records what is done.
  const FaultyDisk* disk = nullptr;
  // What the engine is given: the recording disk, or something before it.
  std::shared_ptr<rocksdb::FileSystem> file_system;
  StepTear tear = StepTear::kNone;  // Of the load of queues.
  bool forget_ids = false;          // The engine is not told of them.
};

// The settings of the load's engine, which the images are opened with too: everything small, so
// that a few seconds have what weeks have. Its kernel boot is kLoadBoot.
LocalEngineOptions SmallEngineOptions(const std::string& folder);
inline constexpr char kLoadBoot[] = "boot-1";

// Runs a mixed load on a new store: topics come and go, every level, atomic calls, event ids and
// sequences with their repetitions, rows, retention, slices every few seconds of its clock, and a
// clean restart in the middle. The seed decides what is done; threads decide how it falls into
// commit groups, so the same seed gives another record of disk operations each time.
absl::StatusOr<History> RunCrashLoad(const CrashLoadOptions& options);

}  // namespace acta
