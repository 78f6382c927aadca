#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/status/statusor.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"

namespace acta::cli {

// What a list that comes page by page answered, as one response without a token.
template <typename Response>
struct Listed {
  Response all;
  bool more = false;  // There may be more than --max.
};

// Reads pages until there are --max, or all. `count` is how many a page has.
template <typename Request, typename Response>
absl::StatusOr<Listed<Response>> ReadPages(
    CommandContext& context, Request request,
    absl::StatusOr<Response> (client::Admin::*list)(const Request&),
    int (Response::*count)() const) {
  constexpr int64_t kMostOfPage = 1000;
  ASSIGN_OR_RETURN(const auto max, context.args().Integer("--max", 1));
  int64_t rest = max.value_or(std::numeric_limits<int64_t>::max());
  Listed<Response> listed;
  do {
    request.set_page_size(static_cast<int32_t>(std::min(rest, kMostOfPage)));
    ASSIGN_OR_RETURN(Response page, (context.admin().*list)(request));
    rest -= (page.*count)();
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    listed.all.MergeFrom(page);
  } while (rest > 0 && !request.page_token().empty());
  listed.more = !request.page_token().empty();
  return listed;
}

// For people, after the list.
inline void HintAtMore(bool more, CommandContext& context) {
  if (more) context.terminal().Hint("there may be more than --max");
}

}  // namespace acta::cli
