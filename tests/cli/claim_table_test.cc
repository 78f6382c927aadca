#include "tools/acta/commands/claim_table.h"

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace acta::cli {
namespace {

TEST_CASE("a claim is a row with its state and its times", "[cli]") {
  v1::Claim open;
  open.set_key("order-17/mail");
  open.set_state(v1::CLAIM_STATE_LEASE_OVER);
  open.mutable_claim_time()->set_seconds(1'517'745'600);
  open.mutable_until()->set_seconds(1'517'745'630);
  open.mutable_end_time()->set_seconds(1'517'749'230);
  v1::Claim done = open;
  done.set_key("two\nlines");
  done.set_state(v1::CLAIM_STATE_COMPLETED);
  done.set_owner("worker-a");
  done.mutable_complete_time()->set_seconds(1'517'745'601);
  done.set_result_bytes(7);
  const Table table = ClaimTable({&open, &done});
  CHECK(table.columns().size() == 8);
  REQUIRE(table.rows().size() == 2);
  CHECK(table.rows()[0] == std::vector<std::string>{"order-17/mail", "lease-over", "-",
                                                    "2018-02-04 12:00:00Z", "2018-02-04 12:00:30Z",
                                                    "-", "2018-02-04 13:00:30Z", "0"});
  CHECK(table.rows()[1] == std::vector<std::string>{"two\\nlines", "completed", "worker-a",
                                                    "2018-02-04 12:00:00Z", "2018-02-04 12:00:30Z",
                                                    "2018-02-04 12:00:01Z", "2018-02-04 13:00:30Z",
                                                    "7"});
}

TEST_CASE("a key without control characters is shown as it is", "[cli]") {
  CHECK(ClaimKeyText("it's \"17\" \\ \xc3\xa4") == "it's \"17\" \\ \xc3\xa4");
  CHECK(ClaimKeyText("a\tb") == "a\\tb");
}

}  // namespace
}  // namespace acta::cli
