#include "storage/base/fatal.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <new>
#include <string>

#include "storage/base/log.h"
#include "tests/support/captured_stderr.h"

namespace acta {
namespace {

struct End {
  int status = 0;
  std::string told;
};

// Of a process that gets no memory.
End EndOfOneWithoutMemory(LogFormat format) {
  const CapturedStderr captured;
  const pid_t child = fork();
  if (child == 0) {
    SetLogFormat(format);
    EndWithoutMemory();
    std::get_new_handler()();  // As operator new does.
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return {status, captured.text()};
}

TEST_CASE("a process that gets no memory ends with 70 and says why") {
  const End text = EndOfOneWithoutMemory(LogFormat::kText);
  REQUIRE(WIFEXITED(text.status));
  CHECK(WEXITSTATUS(text.status) == 70);
  CHECK_THAT(text.told, Catch::Matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z error "
                                       "stopping: no memory is left exit=70\n"));
  const End json = EndOfOneWithoutMemory(LogFormat::kJson);
  REQUIRE(WIFEXITED(json.status));
  CHECK(WEXITSTATUS(json.status) == 70);
  CHECK_THAT(json.told,
             Catch::Matches("\\{\"time\":\"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\","
                            "\"level\":\"error\",\"event\":\"stopping: no memory is left\","
                            "\"exit\":\"70\"\\}\n"));
}

}  // namespace
}  // namespace acta
