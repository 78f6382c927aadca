#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/topics.pb.h"
#include "client/cpp/channel.h"
#include "tools/bench/child_process.h"

namespace acta::bench {

// How long and how large measures are.
struct Durations {
  double warm_up_s = 2;
  double seconds = 5;
  double idle_s = 10;
  int64_t preload_bytes = int64_t{1} << 30;
  // The same of events that are acked one by one.
  int64_t queue_bytes = int64_t{1} << 30;
  int32_t many = 1000;      // Topics, and groups.
  int32_t consumers = 100;  // That are idle.
  int32_t publishers = 1000;
  int32_t subscriptions = 1000;
  int32_t partitions = 10'000;
  // Of the log before a kill: time slices, what each holds, and what is only in the log file.
  int32_t slices = 64;
  int64_t slice_bytes = int64_t{140} << 20;
  int64_t wal_bytes = int64_t{64} << 20;
};

// LOG: nothing but producer sequences is checked. FULL: all defaults that exist. OFF: not even
// sequences are.
enum class Profile { kLog, kFull, kOff };
// Words of a measure's name: "log", "fsync".
const char* NameOf(Profile profile);
const char* NameOf(v1::AckLevel level);

// Files of a folder.
struct FolderUse {
  int64_t files = 0;
  int64_t bytes = 0;
};

// Where a measure runs: a broker of its own with an empty folder, or one that runs already.
//
// Threads: one.
class Bed {
 public:
  struct Options {
    std::string server;    // Not empty: the broker that runs already.
    pid_t server_pid = 0;  // Its process, when it is on this machine.
    std::string actad;     // The program.
    std::string queue;     // The one that measures the state machine of a queue by itself.
    std::string folder;    // Everything of the bed is inside.
    std::vector<std::string> actad_flags;
    Durations durations;
  };

  explicit Bed(Options options);
  ~Bed();  // End(); what is inside the folder stays.
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  // An empty broker. One that was named with `server` stays as it is.
  absl::Status Begin();
  // Stops it. On `server`: deletes the topics that were made, and their groups.
  void End();
  // Stops it in good order, forgets the page cache of its files if so wished, and starts it.
  // Answers the seconds from the start to ready. Errors: FAILED_PRECONDITION for `server`.
  absl::StatusOr<double> Restart(bool forget_page_cache);
  // The same after `kill -9`.
  absl::StatusOr<double> RestartAfterKill();
  // Of the next starts, beside those of the options, until End().
  void SetFlags(std::vector<std::string> flags) { flags_ = std::move(flags); }
  // Of its files whose names end so.
  FolderUse UseOfFiles(absl::string_view suffix) const;

  bool own_broker() const { return options_.server.empty(); }
  const Options& options() const { return options_; }
  const Durations& durations() const { return options_.durations; }
  const std::string& address() const { return address_; }
  const std::string& http_address() const { return http_address_; }  // Of the own broker.
  // A connection of its own.
  std::shared_ptr<client::Channel> NewChannel() const;

  // Of the broker; nothing when its process is not known.
  std::optional<ProcessUse> BrokerUse() const;

  // A topic that nobody has used. `level`: that of acknowledgement and visibility. `settings`: what
  // else it shall have.
  absl::StatusOr<std::string> NewTopic(int32_t partitions, v1::AckLevel level, Profile profile,
                                       const v1::Topic& settings = {});

 private:
  void Stop();
  void DeleteTopics();
  absl::Status Launch();
  absl::Status AwaitReady(const std::string& ready_file);
  void ForgetPageCache() const;

  const Options options_;
  std::string address_;
  std::string http_address_;
  std::unique_ptr<ChildProcess> broker_;
  std::vector<std::string> topics_;  // Since Begin().
  std::vector<std::string> flags_;
};

}  // namespace acta::bench
