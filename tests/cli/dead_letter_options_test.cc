#include "tools/acta/commands/dead_letter_options.h"

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

const absl::Time kAt = absl::FromUnixMicros(1'517'363'399'650'001);

Args Chosen(const std::vector<std::pair<std::string, std::string>>& options) {
  Args args;
  for (const auto& [name, value] : options) args.Add(name, value);
  return args;
}

TEST_CASE("a dead letter is named by its place", "[cli]") {
  const auto ref = ParseDeadLetterRef("orders/3/17");
  REQUIRE_OK(ref);
  CHECK(ref->topic() == "orders");
  CHECK(ref->partition() == 3);
  CHECK(ref->offset() == 17);
  CHECK(RefText(*ref) == "orders/3/17");
  for (const char* text : {"", "orders", "orders/3", "/3/17", "orders/x/17", "orders/3/", "a/1/2/3",
                           "orders/-1/17", "orders/3/-1", "orders/4294967296/1"}) {
    INFO(text);
    CHECK(ExitStatusOf(ParseDeadLetterRef(text).status()) == kExitUsage);
  }
}

TEST_CASE("a rate is so many a second", "[cli]") {
  CHECK(ParseRate("100/s").value() == 100);
  CHECK(ParseRate("1").value() == 1);
  for (const char* text : {"", "/s", "0/s", "-1/s", "10/m", "1.5/s", "100001/s"}) {
    INFO(text);
    CHECK(ExitStatusOf(ParseRate(text).status()) == kExitUsage);
  }
}

TEST_CASE("every condition of a selection has its option", "[cli]") {
  const auto selection = ReadRequiredSelection(Chosen({{"REF", "orders/0/1"},
                                                       {"REF", "orders/0/2"},
                                                       {"REF", "orders/0/1"},
                                                       {"--fingerprint", "00ff"},
                                                       {"--topic", "orders"},
                                                       {"--after", "-1h"},
                                                       {"--before", "2018-02-04T12:00:00Z"},
                                                       {"--all", ""}}),
                                               kAt);
  REQUIRE_OK(selection);
  CHECK(selection->letters_size() == 2);
  CHECK(selection->letters(1).offset() == 2);
  CHECK(selection->fingerprint() == "00ff");
  CHECK(selection->topic() == "orders");
  CHECK(FromProtoTime(selection->after()) == kAt - absl::Hours(1));
  CHECK(TimeText(selection->before()) == "2018-02-04 12:00:00Z");
  CHECK(selection->all());
}

TEST_CASE("a selection that selects nothing is refused where it changes something", "[cli]") {
  CHECK(ExitStatusOf(ReadRequiredSelection(Args(), kAt).status()) == kExitUsage);
  CHECK_FALSE(ChoosesAny(ReadDeadLetterSelection(Args(), kAt).value()));
  const auto soon = ReadDeadLetterSelection(Chosen({{"--after", "soon"}}), kAt);
  CHECK(ExitStatusOf(soon.status()) == kExitUsage);
  CHECK(absl::StartsWith(soon.status().message(), "--after: 'soon' is not a time"));
  Args many;
  for (int i = 0; i < 1001; ++i) many.Add("REF", absl::StrCat("orders/0/", i));
  CHECK(ExitStatusOf(ReadDeadLetterSelection(many, kAt).status()) == kExitUsage);
}

TEST_CASE("times keep their microseconds, also before 1970", "[cli]") {
  for (const int64_t micros : {1'517'363'399'650'001, int64_t{0}, int64_t{-1}}) {
    CHECK(FromProtoTime(ToProtoTime(absl::FromUnixMicros(micros))) == absl::FromUnixMicros(micros));
  }
}

v1::DeadLetter Letter() {
  v1::DeadLetter letter;
  *letter.mutable_ref() = ParseDeadLetterRef("orders/0/1").value();
  letter.set_reason(v1::DEAD_LETTER_REASON_ATTEMPTS_EXHAUSTED);
  letter.set_attempts(2);
  letter.set_fingerprint("00ff00ff00ff00ff");
  letter.mutable_last_attempt()->set_text("no\nmoney");
  v1::Attempt* attempt = letter.add_history();
  attempt->set_attempt(1);
  attempt->set_end(v1::ATTEMPT_END_LEASE_EXPIRED);
  attempt->set_app("shop");
  attempt->set_app_version("2");
  return letter;
}

TEST_CASE("tables of dead letters have one line each", "[cli]") {
  const v1::DeadLetter letter = Letter();
  CHECK(DeadLetterTable({&letter}).rows().front() ==
        std::vector<std::string>{"orders/0/1", "-", "attempts-exhausted", "2", "0",
                                 "00ff00ff00ff00ff", "-", "no money"});
  CHECK(AttemptTable(letter).rows().front() ==
        std::vector<std::string>{"1", "0", "lease-expired", "-", "-", "", "shop 2", "-", "-"});
  CHECK(CountText(1, "dead letter") == "1 dead letter");
  CHECK(CountText(0, "dead letter") == "0 dead letters");
}

TEST_CASE("an exported dead letter is one line with its history and its event", "[cli]") {
  v1::DeadLetter letter = Letter();
  CHECK(nlohmann::json::parse(*DeadLetterLine(letter))["event"].is_null());
  letter.mutable_event()->set_data("{\"n\":\n1}");
  const std::string line = *DeadLetterLine(letter);
  CHECK(line.find('\n') == line.size() - 1);
  const nlohmann::json json = nlohmann::json::parse(line);
  CHECK(json["event"]["data"]["n"] == 1);
  CHECK(json["event"]["offset"] == 1);
  CHECK(json["dead_letter"]["history"][0]["end"] == "ATTEMPT_END_LEASE_EXPIRED");
  CHECK_FALSE(json["dead_letter"].contains("event"));
}

TEST_CASE("what would help stands in a column where there is no terminal", "[cli]") {
  v1::ExplainGroupResponse explained;
  v1::PartitionExplanation* row = explained.add_partitions();
  row->set_topic("orders");
  row->set_code(v1::STANDSTILL_CODE_NO_MEMBER);
  row->set_text("no member is connected");
  row->set_command("acta subscribe orders --group billing");
  CHECK(ExplanationTable(explained, false).rows().front() ==
        std::vector<std::string>{"orders", "0", "-", "NO_MEMBER", "0", "0",
                                 "no member is connected"});
  CHECK(ExplanationTable(explained, true).rows().front().back() == row->command());
  v1::KeyExplanation* key = row->add_keys();
  key->set_key("ann");
  key->set_code(v1::STANDSTILL_CODE_HELD);
  key->set_offset(17);
  key->set_waiting_events(3);
  key->set_text("it failed");
  CHECK(ExplanationTable(explained, false).rows()[1] ==
        std::vector<std::string>{"orders", "0", "ann", "HELD", "17", "3", "it failed"});
}

}  // namespace
}  // namespace acta::cli
