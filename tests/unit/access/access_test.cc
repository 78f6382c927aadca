#include <string>

#include "proto/support/error.h"
#include "server/core/access/authorizer.h"
#include "server/core/access/names.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

TEST_CASE("verbs are called as in grants", "[access]") {
  CHECK(Name(Verb::kPublish) == "publish");
  CHECK(Name(Verb::kSubscribe) == "subscribe");
  CHECK(Name(Verb::kBrowse) == "browse");
  CHECK(Name(Verb::kAdminTopics) == "admin.topics");
  CHECK(Name(Verb::kAdminGroups) == "admin.groups");
  CHECK(Name(Verb::kAdminServer) == "admin.server");
  CHECK(Name(Verb::kObserve) == "observe");
}

TEST_CASE("a request means the caller's tenant or names it", "[access]") {
  Caller caller;
  caller.tenant = "acme";
  CHECK_OK(CheckTenant(caller, ""));
  CHECK_OK(CheckTenant(caller, "acme"));
  const absl::Status foreign = CheckTenant(caller, "other");
  CHECK(ReasonOf(foreign) == v1::TENANT_NOT_FOUND);
  CHECK(DetailsOf(foreign).at("tenant") == "other");
  CHECK(ReasonOf(CheckTenant(caller, "ACME")) == v1::TENANT_NOT_FOUND);
  CHECK(ReasonOf(CheckTenant(caller, std::string(100000, 'x'))) == v1::TENANT_NOT_FOUND);
}

TEST_CASE("on an open listener everybody may do everything", "[access]") {
  CHECK_OK(AllowAll().Authorize(Caller(), Verb::kAdminServer, Resource()));
}

TEST_CASE("names of 1 to 249 letters, digits, dots, underscores and dashes are good", "[access]") {
  for (const std::string& name : {std::string("a"), std::string("A.b_c-9"), std::string("..."),
                                  std::string("-"), std::string(249, 'x')}) {
    INFO(name);
    CHECK_OK(ValidateName("topic", name));
  }
}

TEST_CASE("a bad name is refused with the rule it breaks", "[access]") {
  const auto refusal = [](absl::string_view name) {
    const absl::Status status = ValidateName("topic", name);
    CHECK(ReasonOf(status) == v1::INVALID_NAME);
    CHECK(DetailsOf(status)["kind"] == "topic");
    return std::string(status.message());
  };
  CHECK_THAT(refusal(""), Catch::Contains("empty"));
  CHECK_THAT(refusal(std::string(250, 'x')), Catch::Contains("250, above max_name_bytes of 249"));
  CHECK(DetailsOf(ValidateName("topic", std::string(250, 'x')))["limit"] == "max_name_bytes");
  CHECK_THAT(refusal("."), Catch::Contains("reserved"));
  CHECK_THAT(refusal(".."), Catch::Contains("reserved"));
  CHECK_THAT(refusal("$rule.x"), Catch::Contains("internal"));
  CHECK_THAT(refusal("a$"), Catch::Contains("'$' at position 1"));
  CHECK_THAT(refusal("a b"), Catch::Contains("' ' at position 1"));
  CHECK_THAT(refusal("a/b"), Catch::Contains("[a-zA-Z0-9._-]"));
  CHECK_THAT(refusal("\xc3\xa4"), Catch::Contains("\\xc3"));
  CHECK_THAT(refusal(absl::string_view("a\0b", 3)), Catch::Contains("\\x00"));
}

TEST_CASE("an error shows 249 bytes of a name, escaped", "[access]") {
  CHECK(ShownName("orders") == "orders");
  CHECK(ShownName("a\xff\n") == "a\\xff\\n");
  CHECK(ShownName(std::string(249, 'x')) == std::string(249, 'x'));
  CHECK(ShownName(std::string(250, 'x')) == std::string(249, 'x'));
}

TEST_CASE("only the 65 listed bytes are good in a name", "[access]") {
  int good = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name = std::string("x") + static_cast<char>(byte);
    if (ValidateName("group", name).ok()) ++good;
  }
  CHECK(good == 26 + 26 + 10 + 3);
}

}  // namespace
}  // namespace acta
