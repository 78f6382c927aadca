#include "server/http/http_answer.h"

#include "absl/strings/str_cat.h"

namespace acta {

HttpAnswer AnswerTo(absl::string_view method, absl::string_view target, const HttpPages& pages) {
  HttpAnswer answer;
  if (method != "GET" && method != "HEAD") {
    answer.status = 405;
    answer.body = "only GET and HEAD are answered here\n";
    return answer;
  }
  const absl::string_view path = target.substr(0, target.find('?'));
  if (path == "/healthz") {
    answer.body = "ok\n";
  } else if (path == "/readyz") {
    const std::string why_not = pages.why_not_ready();
    answer.status = why_not.empty() ? 200 : 503;
    answer.body = why_not.empty() ? "ready\n" : absl::StrCat("not ready: ", why_not, "\n");
  } else if (path == "/metrics") {
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    answer.body = pages.metrics();
  } else if (path == "/") {
    answer.body = absl::StrCat("Acta ", pages.version,
                               ", an event broker. Its API is gRPC, on another port.\n\n"
                               "/healthz  the process answers\n"
                               "/readyz   the broker is ready for work\n"
                               "/metrics  numbers, for Prometheus\n");
  } else {
    answer.status = 404;
    answer.body = "there are /, /healthz, /readyz and /metrics\n";
  }
  return answer;
}

}  // namespace acta
