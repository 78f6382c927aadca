#include "tools/acta/events/journey_text.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

const absl::Time kPlaced = absl::FromUnixMicros(1'517'363'399'650'123);

v1::JourneyEvent JourneyEventOf(const std::string& type, const std::string& id,
                                const std::string& topic) {
  v1::JourneyEvent event;
  event.set_state(v1::JOURNEY_EVENT_STATE_STORED);
  event.mutable_event()->set_type(type);
  event.mutable_event()->set_id(id);
  event.mutable_position()->set_topic(topic);
  event.mutable_position()->set_offset(7);
  *event.mutable_append_time() = ToProtoTime(kPlaced);
  event.set_app("shop");
  event.set_app_version("1.0");
  return event;
}

v1::GroupOutcome* AddOutcome(v1::JourneyEvent* event, const std::string& group,
                             v1::OutcomeState state) {
  v1::GroupOutcome* const outcome = event->add_groups();
  outcome->set_group(group);
  outcome->set_state(state);
  return outcome;
}

void AddNack(v1::GroupOutcome* outcome, const std::string& app, const std::string& version) {
  v1::Attempt* const attempt = outcome->add_failed_attempts();
  attempt->set_attempt(outcome->failed_attempts_size());
  attempt->set_end(v1::ATTEMPT_END_NACK);
  attempt->set_member_id("b.1");
  attempt->set_app(app);
  attempt->set_app_version(version);
  attempt->set_reason("no-bank");
}

// The second is caused by the first, and two of its three groups gave up on it.
std::vector<v1::JourneyEvent> WithDeadLetter() {
  std::vector<v1::JourneyEvent> events = {JourneyEventOf("OrderPlaced", "o1", "orders"),
                                          JourneyEventOf("Parcel<\"Packed\">", "p\\1", "parcels")};
  events[1].set_cause(0);
  AddOutcome(&events[1], "shipping", v1::OUTCOME_STATE_DEAD_LETTERED);
  AddOutcome(&events[1], "mail", v1::OUTCOME_STATE_PROCESSED);
  AddOutcome(&events[1], "#7", v1::OUTCOME_STATE_DEAD_LETTERED);  // A group that is gone.
  return events;
}

TEST_CASE("a tree says times to the millisecond, and which version failed", "[cli]") {
  v1::JourneyEvent event = JourneyEventOf("OrderPlaced", "o1", "orders");
  v1::GroupOutcome* const billing = AddOutcome(&event, "billing", v1::OUTCOME_STATE_RETRY_WAIT);
  *billing->mutable_until_time() = ToProtoTime(kPlaced + absl::Milliseconds(1'350));
  AddNack(billing, "biller", "1.4");
  AddNack(billing, "biller", "");
  AddNack(billing, "", "");
  CHECK(DrawJourney(JourneyDrawing::kTree, {event}) ==
        "OrderPlaced  o1  orders/0/7\n"
        "  2018-01-31 01:49:59.650Z by shop 1.0\n"
        "  * billing: retry-wait until 2018-01-31 01:50:01.000Z\n"
        "      attempt 1: nack by b.1 (biller 1.4): no-bank\n"
        "      attempt 2: nack by b.1 (biller): no-bank\n"
        "      attempt 3: nack by b.1: no-bank\n");
}

TEST_CASE("a tree says what the disk did not give, and to ask again", "[cli]") {
  v1::JourneyEvent event;
  event.set_state(v1::JOURNEY_EVENT_STATE_NOT_GIVEN);
  event.mutable_position()->set_topic("orders");
  event.mutable_position()->set_offset(7);
  CHECK(DrawJourney(JourneyDrawing::kTree, {event}) ==
        "(the disk did not give it: ask again) orders/0/7\n");
}

TEST_CASE("a tree says how many attempts came before those that are told", "[cli]") {
  v1::JourneyEvent event = JourneyEventOf("OrderPlaced", "o1", "orders");
  v1::GroupOutcome* const billing = AddOutcome(&event, "billing", v1::OUTCOME_STATE_PENDING);
  billing->set_earlier_attempts(900);
  AddNack(billing, "biller", "1.4");
  CHECK(DrawJourney(JourneyDrawing::kTree, {event}) ==
        "OrderPlaced  o1  orders/0/7\n"
        "  2018-01-31 01:49:59.650Z by shop 1.0\n"
        "  * billing: pending\n"
        "      900 earlier attempts\n"
        "      attempt 1: nack by b.1 (biller 1.4): no-bank\n");
}

TEST_CASE("a tree says how often an event was processed before resets", "[cli]") {
  v1::JourneyEvent event = JourneyEventOf("OrderPlaced", "o1", "orders");
  AddOutcome(&event, "billing", v1::OUTCOME_STATE_PENDING)->set_processed_before(2);
  CHECK(DrawJourney(JourneyDrawing::kTree, {event}) ==
        "OrderPlaced  o1  orders/0/7\n"
        "  2018-01-31 01:49:59.650Z by shop 1.0\n"
        "  * billing: pending, processed 2 times before a reset\n");
}

TEST_CASE("a tree says who published an event, by which schema, and when attempts ended", "[cli]") {
  v1::JourneyEvent event = JourneyEventOf("OrderPlaced", "o1", "orders");
  event.set_principal("anonymous");
  event.mutable_event()->set_schema("urn:order:2");
  AddNack(AddOutcome(&event, "billing", v1::OUTCOME_STATE_PENDING), "biller", "1.4");
  v1::Attempt* const attempt = event.mutable_groups(0)->mutable_failed_attempts(0);
  *attempt->mutable_end_time() = ToProtoTime(kPlaced + absl::Milliseconds(7));
  CHECK(DrawJourney(JourneyDrawing::kTree, {event}) ==
        "OrderPlaced  o1  orders/0/7\n"
        "  2018-01-31 01:49:59.650Z by shop 1.0, schema urn:order:2\n"
        "  * billing: pending\n"
        "      attempt 1: nack by b.1 (biller 1.4) after 7ms: no-bank\n");
  event.set_principal("alice");
  CHECK(absl::StrContains(DrawJourney(JourneyDrawing::kTree, {event}), " by shop 1.0 as alice, "));
}

TEST_CASE("what others wrote moves no cursor and breaks no drawing", "[cli]") {
  v1::JourneyEvent event = JourneyEventOf("Order\x1b[2JPlaced", "o\n1", "orders");
  v1::GroupOutcome* const billing = AddOutcome(&event, "billing", v1::OUTCOME_STATE_SKIPPED);
  billing->set_why("a\tb\x7f");
  AddNack(billing, "bill\rer", "");
  for (const JourneyDrawing drawing :
       {JourneyDrawing::kTree, JourneyDrawing::kDot, JourneyDrawing::kMermaid}) {
    const std::string text = DrawJourney(drawing, {event});
    CHECK(absl::StrContains(text, "Order?[2JPlaced  o?1"));
    CHECK(absl::StrContains(text, "a?b?"));
    CHECK(text.find_first_of("\x1b\t\r\x7f") == std::string::npos);
  }
}

TEST_CASE("controls of two bytes and what no XML may have are drawn as marks", "[cli]") {
  const v1::JourneyEvent event =
      JourneyEventOf("a\u0080b\u009fc\u00a0d", "\ufffe\uffff\ufffd", "orders");
  for (const JourneyDrawing drawing :
       {JourneyDrawing::kTree, JourneyDrawing::kDot, JourneyDrawing::kMermaid}) {
    CHECK(absl::StrContains(DrawJourney(drawing, {event}), "a?b?c\u00a0d  ??\ufffd  orders/0/7"));
  }
}

// tests/interop has names like these read by Graphviz 2.43 and Mermaid 11.17.2.
TEST_CASE("names that mean something to Graphviz and Mermaid are drawn as they are", "[cli]") {
  struct Case {
    std::string name, dot, mermaid;
  };
  const Case cases[] = {{"a&lt;b&#65;", "a&amp;lt;b&amp;#65;", "a&amp;lt;b&amp;&num;65;"},
                        {"%%{init: {'theme': 'dark'}}%%", "%%{init: {'theme': 'dark'}}%%",
                         "&percnt;&percnt;{init: {'theme': 'dark'}}&percnt;&percnt;"},
                        {"a\\nb\\l", "a\\\\nb\\\\l", "a&bsol;nb&bsol;l"},
                        {"$$x$$", "$$x$$", "&dollar;&dollar;x&dollar;&dollar;"},
                        {"fa:fa-ban", "fa:fa-ban", "fa&colon;fa-ban"},
                        {"style a:#1;", "style a:#1;", "style a:&num;1;"},
                        {"\"`*a*`\"", "\\\"`*a*`\\\"", "&quot;&grave;*a*&grave;&quot;"}};
  for (const Case& one : cases) {
    const v1::JourneyEvent event = JourneyEventOf("Odd", one.name, "orders");
    CHECK(absl::StrContains(DrawJourney(JourneyDrawing::kDot, {event}),
                            absl::StrCat("\"Odd  ", one.dot, "  orders/0/7\\l\"")));
    CHECK(absl::StrContains(DrawJourney(JourneyDrawing::kMermaid, {event}),
                            absl::StrCat("[\"Odd  ", one.mermaid, "  orders/0/7\"]")));
  }
}

TEST_CASE("Graphviz colours a dead letter and names the groups that gave up", "[cli]") {
  CHECK(DrawJourney(JourneyDrawing::kDot, WithDeadLetter()) ==
        "digraph journey {\n"
        "  node [shape=box];\n"
        "  e0 [label=\"OrderPlaced  o1  orders/0/7\\l\"];\n"
        "  e1 [label=\"Parcel<\\\"Packed\\\">  p\\\\1  parcels/0/7\\l"
        "DEAD LETTER of shipping, #7\\l"
        "shipping: dead-lettered\\lmail: processed\\l#7: dead-lettered\\l\""
        " style=filled fillcolor=\"#f8d7da\" color=\"#b02a37\"];\n"
        "  e0 -> e1;\n"
        "}\n");
}

TEST_CASE("Mermaid has a class for dead letters and names the groups that gave up", "[cli]") {
  CHECK(DrawJourney(JourneyDrawing::kMermaid, WithDeadLetter()) ==
        "flowchart TD\n"
        "  e0[\"OrderPlaced  o1  orders/0/7\"]\n"
        "  e1[\"Parcel&lt;&quot;Packed&quot;&gt;  p&bsol;1  parcels/0/7<br/>"
        "DEAD LETTER of shipping, &num;7<br/>"
        "shipping: dead-lettered<br/>mail: processed<br/>&num;7: dead-lettered\"]:::deadLetter\n"
        "  e0 --> e1\n"
        "  classDef deadLetter fill:#f8d7da,stroke:#b02a37,color:#000000\n");
}

TEST_CASE("what is no dead letter any more is drawn as everything else", "[cli]") {
  v1::JourneyEvent event = JourneyEventOf("OrderPlaced", "`o1`", "orders");
  AddOutcome(&event, "billing", v1::OUTCOME_STATE_PROCESSED)->set_redrives(1);
  AddOutcome(&event, "mail", v1::OUTCOME_STATE_DISCARDED);
  CHECK_FALSE(absl::StrContains(DrawJourney(JourneyDrawing::kDot, {event}), "style"));
  CHECK(DrawJourney(JourneyDrawing::kMermaid, {event}) ==
        "flowchart TD\n"
        "  e0[\"OrderPlaced  &grave;o1&grave;  orders/0/7<br/>"
        "billing: processed, redriven once<br/>mail: discarded\"]\n");
}

}  // namespace
}  // namespace acta::cli
