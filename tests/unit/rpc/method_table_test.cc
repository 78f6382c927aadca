#include "server/rpc/method_table.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "acta/v1/topics.pb.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

TEST_CASE("the method table fits its services", "[rpc]") { CHECK_OK(CheckMethodTable()); }

// Goal: no service is served that nobody is asked about. Method: the protos are read as text, so
// that also one that nothing here is linked with is seen.
TEST_CASE("every method of every service in the protos has an entry", "[rpc]") {
  const std::regex package("\\n *package +([a-zA-Z0-9_.]+) *;");
  const std::regex service_or_method("\\n *(service|rpc) +([a-zA-Z0-9_]+)");
  std::set<std::string> found;
  const std::string root = std::string(ACTA_SOURCE_DIR) + "/proto";
  for (const auto& file : std::filesystem::recursive_directory_iterator(root)) {
    if (file.path().extension() != ".proto") continue;
    std::ifstream stream(file.path());
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    std::smatch named;
    REQUIRE(std::regex_search(text, named, package));
    if (absl::StartsWith(named[1].str(), "opentelemetry.")) continue;  // Is called, not served.
    std::string service;
    for (std::sregex_iterator it(text.begin(), text.end(), service_or_method), end; it != end;
         ++it) {
      if ((*it)[1] == "service") {
        service = "/" + named[1].str() + "." + (*it)[2].str() + "/";
        continue;
      }
      const std::string name = service + (*it)[2].str();
      INFO(file.path().string() << ": " << name);
      CHECK(FindMethod(name) != nullptr);
      found.insert(name);
    }
  }
  CHECK(found.size() == Methods().size());
}

TEST_CASE("a request's resource is read from the field its method names", "[rpc]") {
  v1::CreateTopicRequest create;
  create.mutable_topic()->set_name("orders");
  CHECK(ResourceName(*FindMethod("/acta.v1.Topics/CreateTopic"), create) == "orders");
  v1::DeleteTopicRequest remove;
  remove.set_name("orders");
  CHECK(ResourceName(*FindMethod("/acta.v1.Topics/DeleteTopic"), remove) == "orders");
  CHECK(ResourceName(*FindMethod("/acta.v1.Topics/ListTopics"), v1::ListTopicsRequest()).empty());
}

// Goal: who may observe learns how much there is, and nothing that clients sent. Those of a group's
// dead letters and of journeys ask once more, for each topic.
TEST_CASE("what answers data of clients asks for more than to observe", "[rpc]") {
  for (const char* name : {"/acta.v1.Subscriber/Fetch", "/acta.v1.Schedules/GetSchedule",
                           "/acta.v1.Claims/GetClaim"}) {
    INFO(name);
    CHECK(FindMethod(name)->verb == Verb::kBrowse);
  }
}

TEST_CASE("a method without an entry is not found", "[rpc]") {
  CHECK(FindMethod("/acta.v1.Topics/DropEverything") == nullptr);
}

}  // namespace
}  // namespace acta
