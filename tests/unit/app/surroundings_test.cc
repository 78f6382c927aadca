#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "proto/support/error.h"
#include "server/app/engine_metrics.h"
#include "server/app/library_versions.h"
#include "server/app/process_setup.h"
#include "server/app/ready_file.h"
#include "server/app/service_notice.h"
#include "server/app/stop_signals.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace acta {
namespace {

TEST_CASE("the ready file is one line of JSON", "[app]") {
  const TempDir folder;
  const std::string path = folder.File("ready.json");
  REQUIRE_OK(WriteReadyFile(path, {"127.0.0.1:1", "127.0.0.1:2", 3, "abc"}));
  std::string line;
  std::ifstream in(path);
  std::getline(in, line);
  CHECK(line ==
        "{\"grpc\": \"127.0.0.1:1\", \"http\": \"127.0.0.1:2\", \"pid\": 3, "
        "\"store_id\": \"abc\"}");
  RemoveReadyFile(path);
  RemoveReadyFile(path);
  RemoveReadyFile("");
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a ready file that cannot be written is an error", "[app]") {
  CHECK(ReasonOf(WriteReadyFile("/nowhere/at/all/ready.json", {})) == v1::FOLDER_UNUSABLE);
}

// The supervisor's end of NOTIFY_SOCKET.
class Supervisor {
 public:
  explicit Supervisor(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    name.copy(at.sun_path, sizeof(at.sun_path) - 1);
    if (name[0] == '@') at.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    bound_ = bind(fd_, reinterpret_cast<const sockaddr*>(&at), size) == 0;
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Supervisor() {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
  }
  bool bound() const { return bound_; }
  std::string Heard() {
    char text[100];
    const ssize_t size = recv(fd_, text, sizeof(text), MSG_DONTWAIT);
    return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
  }

 private:
  const int fd_;
  bool bound_ = false;
};

TEST_CASE("a supervisor is told, by path or abstract name", "[app]") {
  const TempDir folder;
  for (const std::string& name :
       {folder.File("notify"), "@acta-test-" + std::to_string(getpid())}) {
    INFO(name);
    Supervisor supervisor(name);
    REQUIRE(supervisor.bound());
    NotifySupervisor("READY=1");
    CHECK(supervisor.Heard() == "READY=1");
  }
  NotifySupervisor("READY=1");  // Nobody listens.
}

TEST_CASE("connections give way to the limit on open files", "[app]") {
  CHECK(ConnectionsThatFit(1'048'576, 4096) == 4096);
  CHECK(ConnectionsThatFit(4096, 4096) == 512);
  CHECK(ConnectionsThatFit(1024, 4096) == 16);
  CHECK(ConnectionsThatFit(1024, 8) == 8);
}

TEST_CASE("the first signal asks for a stop", "[app]") {
  StopSignals signals;
  CHECK(signals.WaitFor(absl::ZeroDuration()) == StopSignals::Asked::kNothing);
  kill(getpid(), SIGTERM);
  CHECK(signals.WaitFor(absl::Seconds(20)) == StopSignals::Asked::kStop);
  CHECK(signals.WaitFor(absl::ZeroDuration()) == StopSignals::Asked::kStop);
  raise(SIGPIPE);
}

TEST_CASE("versions are known", "[app]") {
  CHECK_FALSE(ActaVersion().empty());
  for (const auto& [name, version] : LibraryVersions()) {
    INFO(name);
    CHECK_FALSE(version.empty());
  }
}

TEST_CASE("the engine's numbers become samples", "[app]") {
  const MemoryLogEngine engine;
  MetricWriter writer(10);
  CollectEngine(engine, writer);
  CHECK_THAT(writer.Text(), Catch::Contains("\nacta_log_appended_events_total 0\n") &&
                                Catch::Contains("\nacta_log_disk_state 0\n") &&
                                Catch::Contains("\nacta_log_incarnation "));
}

}  // namespace
}  // namespace acta
