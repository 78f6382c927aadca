#include "tools/bench/bed.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"

namespace acta::bench {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

const char* NameOf(Profile profile) {
  return profile == Profile::kLog ? "log" : profile == Profile::kFull ? "full" : "off";
}
const char* NameOf(v1::AckLevel level) { return level == v1::ACK_LEVEL_OS ? "os" : "fsync"; }

Bed::Bed(Options options) : options_(std::move(options)), address_(options_.server) {}

Bed::~Bed() { End(); }

void Bed::End() {
  if (own_broker()) {
    Stop();
  } else {
    DeleteTopics();
  }
  topics_.clear();
  flags_.clear();
}

// As far as it goes: what is left does not spoil a measure.
void Bed::DeleteTopics() {
  if (topics_.empty()) return;
  client::Admin admin(NewChannel());
  for (const std::string& topic : topics_) {
    v1::ListGroupsRequest list;
    list.set_topic(topic);
    if (const auto groups = admin.ListGroups(list); groups.ok()) {
      for (const v1::Group& group : groups->groups()) {
        v1::DeleteGroupRequest request;
        request.set_name(group.name());
        request.set_force(true);
        (void)admin.DeleteGroup(request);
      }
    }
    v1::DeleteTopicRequest request;
    request.set_name(topic);
    request.set_force(true);
    (void)admin.DeleteTopic(request);
  }
}

void Bed::Stop() {
  if (broker_ == nullptr) return;
  // One that does not end is killed with the object.
  (void)broker_->Stop(kPatience);
  broker_.reset();
}

absl::Status Bed::Begin() {
  if (!own_broker()) return absl::OkStatus();
  Stop();
  std::error_code error;
  std::filesystem::remove_all(options_.folder + "/data", error);
  return Launch();
}

absl::StatusOr<double> Bed::Restart(bool forget_page_cache) {
  if (!own_broker()) {
    return absl::FailedPreconditionError("a broker that runs already is not restarted");
  }
  Stop();
  if (forget_page_cache) ForgetPageCache();
  const int64_t begin = NowNanos();
  RETURN_IF_ERROR(Launch());
  return static_cast<double>(NowNanos() - begin) / 1e9;
}

absl::StatusOr<double> Bed::RestartAfterKill() {
  if (!own_broker())
    return absl::FailedPreconditionError("a broker that runs already is not ended");
  broker_.reset();  // Kills it.
  const int64_t begin = NowNanos();
  RETURN_IF_ERROR(Launch());
  return static_cast<double>(NowNanos() - begin) / 1e9;
}

FolderUse Bed::UseOfFiles(absl::string_view suffix) const {
  FolderUse use;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(options_.folder + "/data", error)) {
    if (!absl::EndsWith(entry.path().string(), suffix)) continue;
    ++use.files;
    const auto bytes = entry.file_size(error);
    if (!error) use.bytes += static_cast<int64_t>(bytes);
  }
  return use;
}

absl::Status Bed::Launch() {
  const std::string ready = options_.folder + "/ready.json";
  std::error_code error;
  std::filesystem::remove(ready, error);
  std::vector<std::string> words = {options_.actad, "--data",       options_.folder + "/data",
                                    "--grpc",       "127.0.0.1:0",  "--http",
                                    "127.0.0.1:0",  "--ready-file", ready};
  words.insert(words.end(), options_.actad_flags.begin(), options_.actad_flags.end());
  words.insert(words.end(), flags_.begin(), flags_.end());
  const std::string log = options_.folder + "/actad.log";
  ASSIGN_OR_RETURN(broker_, ChildProcess::Start(words, log, log));
  return AwaitReady(ready);
}

absl::Status Bed::AwaitReady(const std::string& ready_file) {
  const int64_t deadline = NowNanos() + absl::ToInt64Nanoseconds(kPatience);
  while (access(ready_file.c_str(), R_OK) != 0) {
    if (!broker_->Running() || NowNanos() > deadline) {
      const std::string log = Contents(options_.folder + "/actad.log");
      return absl::UnavailableError(absl::StrCat(
          "the broker did not start:\n", log.substr(log.size() > 2000 ? log.size() - 2000 : 0)));
    }
    SleepUntilNanos(NowNanos() + 500'000);
  }
  const auto note = nlohmann::json::parse(Contents(ready_file), nullptr, false);
  if (!note.is_object() || !note.contains("grpc") || !note["grpc"].is_string()) {
    return absl::DataLossError("the broker's ready file names no address");
  }
  address_ = *note["grpc"].get_ptr<const std::string*>();
  http_address_ = note.value("http", "");
  return absl::OkStatus();
}

void Bed::ForgetPageCache() const {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(options_.folder + "/data", error)) {
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    fdatasync(fd);  // What is not written yet cannot be forgotten.
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

std::shared_ptr<client::Channel> Bed::NewChannel() const {
  return std::make_shared<client::Channel>(address_);
}

std::optional<ProcessUse> Bed::BrokerUse() const {
  const pid_t pid = broker_ != nullptr ? broker_->pid() : options_.server_pid;
  if (pid == 0) return std::nullopt;
  const absl::StatusOr<ProcessUse> use = UseOf(pid);
  return use.ok() ? std::optional(*use) : std::nullopt;
}

absl::StatusOr<std::string> Bed::NewTopic(int32_t partitions, v1::AckLevel level, Profile profile,
                                          const v1::Topic& settings) {
  v1::CreateTopicRequest request;
  v1::Topic* const topic = request.mutable_topic();
  *topic = settings;
  topic->set_name(absl::StrCat("bench-", getpid(), "-", absl::ToUnixMicros(absl::Now())));
  topic->set_partitions(partitions);
  topic->set_ack_level(level);
  topic->set_visible_at(level);
  if (profile == Profile::kLog) topic->set_dedupe(v1::DEDUPE_MODE_SEQUENCES);
  const bool unsaid = settings.journey() == v1::JOURNEY_MODE_UNSPECIFIED;
  if (profile != Profile::kFull && unsaid) topic->set_journey(v1::JOURNEY_MODE_OFF);
  if (profile == Profile::kOff) topic->set_dedupe(v1::DEDUPE_MODE_OFF);
  client::Admin admin(NewChannel());
  RETURN_IF_ERROR(admin.CreateTopic(request).status());
  topics_.push_back(topic->name());
  return topic->name();
}

}  // namespace acta::bench
