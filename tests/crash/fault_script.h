#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/support/faulty_disk.h"

namespace acta {

// A short life of a store, one transaction after the other: the same disk operations each time, but
// for those of the engine's own threads. Slices change, tables are flushed, files are put to the
// index, retention trims, slices are dropped, and it is stopped and opened again half way.
struct FaultScript {
  std::string folder;
  int steps = 0;  // 16 at least: retention keeps a quarter of them.
  // At the end: stopped in good order; else left as by kill -9.
  bool stop = true;
  std::shared_ptr<FaultyDisk> disk;
  // What the engine is given: the disk, or something before it.
  std::shared_ptr<rocksdb::FileSystem> file_system;
  // A line for each event that is acknowledged, written when it is: an assertion of RocksDB may end
  // the process.
  std::string acks_path;
  bool must_end = false;  // What is refused has to be a reason for the engine to end.
};

// An event that was acknowledged, by number of the step; `os`: at that level only.
struct ScriptAck {
  int step = 0;
  bool os = false;
};
std::vector<ScriptAck> LoadAcks(const std::string& path);

struct ScriptOutcome {
  // The first refusal: of a start, a transaction or a topic. OK: there was none.
  absl::Status refused;
  // The engine has told that it cannot go on.
  bool fatal = false;
  // A promise broken while it ran; empty: none.
  std::string problem;
  // What retention took, when nothing was refused. Of slices those that went while none came.
  int64_t trimmed_events = 0;
  int dropped_slices = 0;
};
// What a run without a fault must have had to mean something; empty: it had.
std::string RetentionProblem(const ScriptOutcome& outcome);

// What it opened stays open: one call a process.
ScriptOutcome RunFaultScript(const FaultScript& script);

// Opens what the script of so many steps left, with the real disk, and says what is wrong: an
// acknowledged event that is not there although retention keeps it, one that is there again, one
// that nobody published, one twice or out of order. `power_cut`: another boot of the kernel, and
// what was acknowledged at level OS may be gone. Empty: nothing.
// What is told with a reason begins with "refused: " (the start) or "unreadable: " (a read).
std::string CheckScriptFolder(const std::string& folder, const std::vector<ScriptAck>& acks,
                              bool power_cut, int steps);

}  // namespace acta
