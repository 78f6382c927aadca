#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tools/acta/subscribe/end_offsets.h"
#include "tools/acta/subscribe/shell_command.h"

namespace acta::cli {
namespace {

TEST_CASE("reading ends when every partition that has an end is at it", "[cli]") {
  EndOffsets ends;
  CHECK_FALSE(ends.bounded());
  CHECK_FALSE(ends.AllReached());
  ends.Set("t", 0, 10);
  ends.Set("t", 1, 0);
  CHECK(ends.Wants("t", 0, 9));
  CHECK_FALSE(ends.Wants("t", 0, 10));
  CHECK(ends.Wants("other", 0, 10));
  ends.Advance("t", 0, 9);
  ends.Advance("t", 1, 0);
  ends.Advance("other", 0, 99);
  CHECK_FALSE(ends.AllReached());
  ends.Advance("t", 0, 10);
  ends.Advance("t", 0, 11);
  CHECK(ends.AllReached());
}

TEST_CASE("a command sees the event and its failure is an error", "[cli]") {
  v1::Event event;
  event.set_id("7");
  const EventPlace place = {"orders", 1, 9, 0};
  CHECK_OK(RunShellCommand("read line; test \"$line\" = x -a $ACTA_OFFSET = 9 -a $ACTA_ID = 7",
                           "x\n", event, place));
  CHECK_OK(RunShellCommand("true", std::string(1 << 20, 'x'), event, place));
  CHECK(RunShellCommand("exit 3", "", event, place).message() ==
        "the command exited with 3 at orders/1 offset 9");
}

}  // namespace
}  // namespace acta::cli
