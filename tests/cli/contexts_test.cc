#include <sys/stat.h>

#include <fstream>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tools/acta/app/contexts.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

Contexts Loaded(const std::string& path) {
  auto contexts = Contexts::Load(path);
  REQUIRE_OK(contexts.status());
  return *std::move(contexts);
}

mode_t ModeOf(const std::string& path) {
  struct stat file {};
  REQUIRE(stat(path.c_str(), &file) == 0);
  return file.st_mode & 0777;
}

TEST_CASE("contexts are kept in a file that only its owner may open", "[cli]") {
  const TempDir folder;
  const std::string path = folder.path() + "/config/acta/contexts.json";
  Contexts contexts = Loaded(path);
  CHECK(contexts.servers().empty());
  REQUIRE_OK(contexts.Add("prod", "broker:7450"));
  REQUIRE_OK(contexts.Add("test", "127.0.0.1:7450"));
  REQUIRE_OK(contexts.Use("prod"));
  REQUIRE_OK(contexts.Save());
  CHECK(ModeOf(path) == 0600);
  CHECK(ModeOf(folder.path() + "/config/acta") == 0700);

  Contexts again = Loaded(path);
  CHECK(again.current() == "prod");
  CHECK(*again.ServerOf("test") == "127.0.0.1:7450");
  REQUIRE_OK(again.Remove("prod"));
  CHECK(again.current().empty());
  REQUIRE_OK(again.Save());
  CHECK(Loaded(path).servers().size() == 1);
}

TEST_CASE("an account whose home is no folder has no contexts, and may name none", "[cli]") {
  Contexts contexts = Loaded("/dev/null/.config/acta/contexts.json");
  CHECK(contexts.servers().empty());
  CHECK(contexts.current().empty());
  REQUIRE_OK(contexts.Add("prod", "broker:7450"));
  CHECK(ExitStatusOf(contexts.Save()) == kExitFailed);
}

TEST_CASE("a file of contexts that others may open is refused, with what mends it", "[cli]") {
  const TempDir folder;
  const std::string path = folder.path() + "/contexts.json";
  Contexts contexts = Loaded(path);
  REQUIRE_OK(contexts.Add("prod", "broker:7450"));
  REQUIRE_OK(contexts.Save());
  for (const mode_t mode : {0640, 0604, 0620}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    const absl::Status status = Contexts::Load(path).status();
    CHECK(ExitStatusOf(status) == kExitRefused);
    CHECK(DescribeError(status).find("chmod 600 '" + path + "'") != std::string::npos);
  }
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  CHECK(Loaded(path).servers().size() == 1);
}

TEST_CASE("what is wrong with a context is told", "[cli]") {
  const TempDir folder;
  const std::string path = folder.path() + "/contexts.json";
  Contexts contexts = Loaded(path);
  CHECK(ExitStatusOf(contexts.Add("a b", "h:1")) == kExitUsage);
  CHECK(ExitStatusOf(contexts.Add("", "h:1")) == kExitUsage);
  CHECK(ExitStatusOf(contexts.Add(std::string(250, 'a'), "h:1")) == kExitUsage);
  CHECK(ExitStatusOf(contexts.Add("a", "")) == kExitUsage);
  CHECK(ExitStatusOf(contexts.Add("a", "http://h:1")) == kExitUsage);
  REQUIRE_OK(contexts.Add(std::string(249, 'a'), "h:1"));
  REQUIRE_OK(contexts.Add("prod", "h:1"));
  CHECK(ExitStatusOf(contexts.Add("prod", "h:2")) == kExitRefused);
  CHECK(ExitStatusOf(contexts.Use("nobody")) == kExitNotFound);
  CHECK(ExitStatusOf(contexts.Remove("nobody")) == kExitNotFound);
  CHECK(DescribeError(contexts.ServerOf("prd").status()).find("did you mean 'prod'?") !=
        std::string::npos);
}

TEST_CASE("an address that is no text is kept from breaking the file", "[cli]") {
  const TempDir folder;
  const std::string path = folder.path() + "/contexts.json";
  Contexts contexts = Loaded(path);
  REQUIRE_OK(contexts.Add("odd", "h\xff:1"));
  REQUIRE_OK(contexts.Save());
  CHECK(Loaded(path).servers().size() == 1);
}

TEST_CASE("a file that is none of contexts is refused and left as it is", "[cli]") {
  const TempDir folder;
  const std::string path = folder.path() + "/contexts.json";
  for (const char* const text :
       {"", "{", "[]", "{}", R"({"contexts": []})", R"({"contexts": {"a": "h:1"}})",
        R"({"contexts": {"a": {"server": 1}}})", R"({"contexts": {"a b": {"server": "h:1"}}})",
        R"({"contexts": {}, "current": "a"})", R"({"contexts": {}, "current": 1})"}) {
    INFO(text);
    std::ofstream(path) << text;
    REQUIRE(chmod(path.c_str(), 0600) == 0);
    const absl::Status status = Contexts::Load(path).status();
    CHECK(ExitStatusOf(status) == kExitFailed);
    CHECK(DescribeError(status).find(path) != std::string::npos);
  }
}

}  // namespace
}  // namespace acta::cli
