#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"
#include "tools/acta/events/cause_text.h"
#include "tools/acta/events/cloud_event.h"
#include "tools/acta/events/event_text.h"
#include "tools/acta/events/journey_text.h"
#include "tools/acta/events/json_line.h"

namespace acta::cli {
namespace {

const EventPlace kPlace = {"orders", 2, 41, 1517363399650000};

TEST_CASE("JSON shows data as JSON with its own spelling of numbers", "[cli]") {
  v1::Event event;
  event.set_id("a\"b");
  event.set_type("OrderPlaced");
  event.set_data("{\"n\":3.0e2,\n \"u\":\"\xC3\xA9\"}");
  (*event.mutable_attributes())["b"] = "2";
  (*event.mutable_attributes())["a"] = "1";
  CHECK(EventText(EventFormat::kJson, event, kPlace) ==
        "{\"topic\":\"orders\",\"partition\":2,\"offset\":41,"
        "\"append_time\":\"2018-01-31T01:49:59.65Z\",\"id\":\"a\\\"b\",\"type\":\"OrderPlaced\","
        "\"attributes\":{\"a\":\"1\",\"b\":\"2\"},"
        "\"data\":{\"n\":3.0e2,  \"u\":\"\xC3\xA9\"}}\n");
}

TEST_CASE("bytes that are no JSON become base64", "[cli]") {
  v1::Event event;
  event.set_key("\xFF\x01");
  event.set_data("hello");
  const std::string text = EventText(EventFormat::kJson, event, kPlace);
  CHECK(text.find("\"key_base64\":\"/wE=\"") != std::string::npos);
  CHECK(text.find("\"data_base64\":\"aGVsbG8=\"") != std::string::npos);
}

TEST_CASE("CSV has a row for each event, and bytes that are no text in base64", "[cli]") {
  v1::Event event;
  event.set_id("o-1");
  event.set_type("Placed, \"twice\"");
  event.set_key("\xFF\x01");
  event.set_time_us(1517363399000000);
  event.add_affected()->set_kind("user");
  event.mutable_affected(0)->set_id("ann");
  (*event.mutable_attributes())["a"] = "1";
  event.set_data("two\nlines");
  const std::string heading = EventHeading(EventFormat::kCsv);
  CHECK(heading ==
        "topic,partition,offset,append_time,id,source,type,subject,key,key_base64,time,"
        "correlationid,causationid,dataschema,datacontenttype,affected,attributes,traceparent,"
        "process,expires_at,data,data_base64\n");
  CHECK(EventText(EventFormat::kCsv, event, kPlace) ==
        "orders,2,41,2018-01-31T01:49:59.65Z,o-1,,\"Placed, \"\"twice\"\"\",,,/wE=,"
        "2018-01-31T01:49:59Z,,,,,\"[{\"\"kind\"\":\"\"user\"\",\"\"id\"\":\"\"ann\"\"}]\","
        "\"{\"\"a\"\":\"\"1\"\"}\",,,,\"two\nlines\",\n");
  event.Clear();
  event.set_key("ann");
  event.set_data(std::string("\0\xFF", 2));
  CHECK(EventText(EventFormat::kCsv, event, kPlace) ==
        "orders,2,41,2018-01-31T01:49:59.65Z,,,,,ann,,,,,,,,,,,,,AP8=\n");
  for (const auto format : {EventFormat::kData, EventFormat::kJson, EventFormat::kCloudEvents}) {
    CHECK(EventHeading(format).empty());
  }
}

TEST_CASE("the data format is the data and a line break", "[cli]") {
  v1::Event event;
  event.set_data("hello");
  CHECK(EventText(EventFormat::kData, event, kPlace) == "hello\n");
}

TEST_CASE("a CloudEvent comes back as it went", "[cli]") {
  v1::Event event;
  event.set_id("7");
  event.set_source("/shop");
  event.set_type("OrderPlaced");
  event.set_subject("order 7");
  event.set_key("ann");
  event.set_time_us(1517363399650000);
  event.set_correlation_id("c");
  event.set_causation_id("d");
  event.set_content_type("application/json");
  event.set_schema("shop/1");
  event.set_traceparent("00-1-2-01");
  event.set_process("order");
  event.set_expires_at_us(1517363399000000);
  event.set_data(R"({"a":[1,null,"x"]})");
  (*event.mutable_attributes())["region"] = "eu";
  v1::Event back;
  REQUIRE_OK(ParseCloudEvent(CloudEventText(event, kPlace), &back));
  CHECK(back.SerializeAsString() == event.SerializeAsString());
}

TEST_CASE("a CloudEvent says who is affected", "[cli]") {
  v1::Event event;
  for (const char* id : {"ann", "a \"b\", c:d"}) {
    event.add_affected()->set_kind("user");
    event.mutable_affected()->rbegin()->set_id(id);
  }
  const std::string text = CloudEventText(event, kPlace);
  CHECK(nlohmann::json::parse(text)["affected"].is_string());  // Extensions are no lists.
  v1::Event back;
  REQUIRE_OK(ParseCloudEvent(text, &back));
  REQUIRE(back.affected_size() == 2);
  CHECK(back.affected(1).kind() == "user");
  CHECK(back.affected(1).id() == "a \"b\", c:d");
  CHECK(back.attributes().empty());

  back.Clear();
  REQUIRE_OK(ParseCloudEvent(
      R"({"specversion":"1.0","affected":[{"kind":"user","id":"ann"}],"region":"eu"})", &back));
  REQUIRE(back.affected_size() == 1);
  CHECK(back.affected(0).id() == "ann");
}

TEST_CASE("an attribute of a CloudEvent is not taken for another member", "[cli]") {
  v1::Event event;
  event.set_id("7");
  event.set_data("1");
  std::map<std::string, std::string> attributes;
  for (const char* name : {"id", "data", "affected", "specversion", "attributeid", "attribute",
                           "attributeattributeid", "attributeregion", "region"}) {
    attributes[name] = std::string("of ") + name;
    (*event.mutable_attributes())[name] = attributes[name];
  }
  const std::string text = CloudEventText(event, kPlace);
  CHECK(nlohmann::json::parse(text)["id"] == "7");
  CHECK(nlohmann::json::parse(text)["attributeid"] == "of id");
  CHECK(nlohmann::json::parse(text)["region"] == "of region");
  v1::Event back;
  REQUIRE_OK(ParseCloudEvent(text, &back));
  CHECK(back.id() == "7");
  CHECK(back.data() == "1");
  CHECK(std::map<std::string, std::string>(back.attributes().begin(), back.attributes().end()) ==
        attributes);
}

TEST_CASE("a CloudEvent of bytes comes back as it went", "[cli]") {
  v1::Event event;
  event.set_id("7");
  event.set_source("/shop");
  event.set_type("Blob");
  event.set_data(std::string("\x00\xFFz", 3));
  v1::Event back;
  REQUIRE_OK(ParseCloudEvent(CloudEventText(event, kPlace), &back));
  CHECK(back.data() == event.data());
}

TEST_CASE("a text that looks like JSON comes back as it went", "[cli]") {
  v1::Event event;
  event.set_content_type("text/plain");
  for (const std::string data : {"hello", "\"5\"", " 1", "{}", "\xFF"}) {
    event.set_data(data);
    v1::Event back;
    REQUIRE_OK(ParseCloudEvent(CloudEventText(event, kPlace), &back));
    CHECK(back.data() == data);
  }
}

TEST_CASE("JSON data of a CloudEvent is kept as it is written, but for blanks", "[cli]") {
  v1::Event event;
  REQUIRE_OK(
      ParseCloudEvent(R"({"specversion": "1.0", "data": 1, "x": "\\\"data\":2,", "d\u0061ta" : )"
                      R"({"z": 10.10, "a": [12345678901234567890123, 1E5, {}], )"
                      R"("s": "\u00e9 ,}\\\" :" }, "y": "data"})",
                      &event));
  CHECK(event.data() ==
        R"({"z":10.10,"a":[12345678901234567890123,1E5,{}],"s":"\u00e9 ,}\\\" :"})");
  CHECK(event.attributes().at("y") == "data");

  const auto data_of = [&event](const std::string& line) {
    event.Clear();
    REQUIRE_OK(ParseCloudEvent(line, &event));
    return event.data();
  };
  CHECK(data_of(R"({"specversion":"1.0","data":0.1000000000000000055})") ==
        "0.1000000000000000055");
  CHECK(data_of(R"({"data":[ ],"specversion":"1.0"})") == "[]");
  CHECK(data_of(R"({"specversion":"1.0","x":"data"})").empty());
}

TEST_CASE("JSON is nested as deep as it may be or refused", "[cli]") {
  const auto nested = [](size_t levels) {
    return R"({"specversion":"1.0","data":)" + std::string(levels, '[') + "\"]\\\"\"" +
           std::string(levels, ']') + "}";
  };
  v1::Event event;
  CHECK_OK(ParseCloudEvent(nested(499), &event));
  CHECK_FALSE(ParseCloudEvent(nested(500), &event).ok());
  CHECK_FALSE(ParseCloudEvent(nested(1'000'000), &event).ok());
}

TEST_CASE("a year has four digits", "[cli]") {
  CHECK(TimeText(-62135596800000000) == "0001-01-01T00:00:00Z");
}

TEST_CASE("what a CloudEvent requires is filled in", "[cli]") {
  CHECK(CloudEventText(v1::Event(), kPlace) ==
        "{\"specversion\":\"1.0\",\"id\":\"orders/2/41\",\"source\":\"/default/orders\","
        "\"type\":\"acta.untyped\"}\n");
}

TEST_CASE("what is no CloudEvent is refused", "[cli]") {
  for (const char* bad :
       {"", "[]", "{}", R"({"specversion":"0.3"})", R"({"specversion":"1.0","id":7})",
        R"({"specversion":"1.0","time":"soon"})", R"({"specversion":"1.0","data_base64":"*"})",
        R"({"specversion":"1.0","extension":{}})", R"({"specversion":"1.0","affected":"ann"})",
        R"({"specversion":"1.0","affected":[{"kind":"user"}]})"}) {
    INFO(bad);
    v1::Event event;
    CHECK(ParseCloudEvent(bad, &event).code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a cause is one word, and comes back as it was", "[cli]") {
  Cause cause;
  cause.server = "127.0.0.1:7450";
  CHECK(CauseText(cause).empty());
  cause.event.set_delivery_token(std::string("\0\xff@", 3));
  cause.event.set_offset(1234);
  const std::string text = CauseText(cause);
  CHECK(text.find_first_of(" \n'\"$/+") == std::string::npos);
  const auto parsed = ParseCause(text);
  REQUIRE_OK(parsed);
  CHECK(parsed->event.delivery_token() == cause.event.delivery_token());
  CHECK(parsed->event.offset() == 1234);
  CHECK(parsed->server == "127.0.0.1:7450");
  for (const char* bad : {"", "@1@a", "AAAA", "AAAA@1", "AAAA@1@", "AAAA@x@a", "!!!@1@a"}) {
    CHECK_FALSE(ParseCause(bad).ok());
  }
}

TEST_CASE("a whole JSON value is JSON, a cut one is not", "[cli]") {
  CHECK(IsJson(" {\"a\":1} "));
  CHECK(IsJson("1"));
  CHECK_FALSE(IsJson("{\"a\":1"));
  CHECK_FALSE(IsJson(""));
  CHECK_FALSE(IsJson("{} {}"));
  CHECK_FALSE(IsJson(absl::string_view("{}\0\"", 4)));
  CHECK(ParseJson(absl::string_view("{}\0\"", 4)).is_discarded());
}

TEST_CASE("data behind a byte order mark is no JSON, and is not printed as it", "[cli]") {
  const std::string marked = "\xEF\xBB\xBF{\"a\":1}";
  CHECK_FALSE(IsJson(marked));
  CHECK(ParseJson(marked).is_discarded());
  JsonLine line;
  line.JsonOrBase64("data", marked);
  CHECK(line.Finish() == "{\"data_base64\":\"77u/eyJhIjoxfQ==\"}");
}

TEST_CASE("an outcome says who decided, and who redrove the event", "[cli]") {
  v1::GroupOutcome outcome;
  outcome.set_group("billing");
  outcome.set_state(v1::OUTCOME_STATE_DISCARDED);
  CHECK(OutcomeText(outcome, {}) == "billing: discarded");
  outcome.set_by("ann");
  outcome.set_why("an edited event took its place");
  CHECK(OutcomeText(outcome, {}) == "billing: discarded by ann: an edited event took its place");
  outcome.Clear();
  outcome.set_group("billing");
  outcome.set_state(v1::OUTCOME_STATE_PROCESSED);
  outcome.set_member_id("worker-1");
  outcome.set_redrives(1);
  CHECK(OutcomeText(outcome, {}) == "billing: processed by worker-1, redriven once");
  outcome.set_redriven_by("ann");
  CHECK(OutcomeText(outcome, {}) == "billing: processed by worker-1, redriven once by ann");
  outcome.set_redrives(3);
  CHECK(OutcomeText(outcome, {}) ==
        "billing: processed by worker-1, redriven 3 times, last by ann");
}

}  // namespace
}  // namespace acta::cli
