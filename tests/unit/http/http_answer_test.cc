#include "server/http/http_answer.h"

#include <catch2/catch.hpp>

#include <string>

namespace acta {
namespace {

HttpPages Pages(const std::string& why_not_ready = "") {
  return {[why_not_ready] { return why_not_ready; }, [] { return std::string("acta_x 1\n"); },
          "1.2.3"};
}

TEST_CASE("health answers while the process does", "[http]") {
  CHECK(AnswerTo("GET", "/healthz", Pages("it stops")).status == 200);
  CHECK(AnswerTo("GET", "/healthz", Pages()).body == "ok\n");
}

TEST_CASE("readiness tells the truth", "[http]") {
  CHECK(AnswerTo("GET", "/readyz", Pages()).status == 200);
  CHECK(AnswerTo("GET", "/readyz", Pages()).body == "ready\n");
  CHECK(AnswerTo("GET", "/readyz", Pages("it stops")).status == 503);
  CHECK(AnswerTo("GET", "/readyz", Pages("it stops")).body == "not ready: it stops\n");
}

TEST_CASE("metrics come in Prometheus' text format", "[http]") {
  const HttpAnswer answer = AnswerTo("GET", "/metrics?x=1", Pages());
  CHECK(answer.status == 200);
  CHECK(answer.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer.body == "acta_x 1\n");
}

TEST_CASE("the root says what this is", "[http]") {
  CHECK_THAT(AnswerTo("GET", "/", Pages()).body,
             Catch::Contains("Acta 1.2.3") && Catch::Contains("/metrics"));
}

TEST_CASE("other paths and methods are refused", "[http]") {
  for (const char* path : {"/nothing", "/metrics/", "", "*", "//healthz", "http://x/healthz"}) {
    INFO(path);
    CHECK(AnswerTo("GET", path, Pages()).status == 404);
  }
  for (const char* method : {"POST", "PUT", "DELETE", "get", "TRACE", ""}) {
    INFO(method);
    CHECK(AnswerTo(method, "/healthz", Pages()).status == 405);
  }
  CHECK(AnswerTo("HEAD", "/healthz", Pages()).status == 200);
}

}  // namespace
}  // namespace acta
