#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "server/http/http_server.h"

namespace acta {

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// What a request is answered. `target` is as in the request line, a query included.
HttpAnswer AnswerTo(absl::string_view method, absl::string_view target, const HttpPages& pages);

}  // namespace acta
