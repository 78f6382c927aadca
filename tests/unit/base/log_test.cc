#include "storage/base/log.h"

#include <catch2/catch.hpp>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/captured_stderr.h"

namespace acta {
namespace {

// What a line of the log says of a folder of this name, after the event.
std::string Told(LogFormat format, const std::string& folder) {
  const CapturedStderr captured;
  SetLogFormat(format);
  LogError("opened", {{"folder", folder}});
  SetLogFormat(LogFormat::kText);
  const std::string told = captured.text();
  const size_t event = told.find("opened");
  REQUIRE(event != std::string::npos);
  return told.substr(event + std::string("opened").size());
}

std::string AsText(const std::string& folder) { return Told(LogFormat::kText, folder); }
std::string AsJson(const std::string& folder) { return Told(LogFormat::kJson, folder); }

TEST_CASE("a value of a log line is quoted where it would be misread") {
  CHECK(AsText("/var/lib/acta") == " folder=/var/lib/acta\n");
  CHECK(AsText("") == " folder=\n");
  CHECK(AsText("two words") == " folder=\"two words\"\n");
  CHECK(AsText("a\"b") == " folder=\"a\\\"b\"\n");
  CHECK(AsText("a\nb") == " folder=\"a\\u000ab\"\n");
  CHECK(AsJson("a\\b") == "\",\"folder\":\"a\\\\b\"}\n");
}

TEST_CASE("no value of a log line commands a terminal") {
  CHECK(AsText("a\x1b[2Jb") == " folder=\"a\\u001b[2Jb\"\n");
  CHECK(AsText("a\rb") == " folder=\"a\\u000db\"\n");
  CHECK(AsText("a\x7f") == " folder=\"a\\u007f\"\n");
  // A control beyond ASCII that opens a command as well, as UTF-8 and as a byte.
  CHECK(AsText("a\xc2\x9b") == " folder=\"a\\u00c2\\u009b\"\n");
  CHECK(AsText("a\x9b") == " folder=\"a\\u009b\"\n");
  CHECK(AsJson("a\x1b") == "\",\"folder\":\"a\\u001b\"}\n");
}

TEST_CASE("a log line shows text of all languages as it is") {
  for (const std::string text : {"donn\xc3\xa9"
                                 "e",
                                 "\xc2\xa0", "\xe6\x97\xa5\xe6\x9c\xac", "\xed\x9f\xbf",
                                 "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(AsText(text) == absl::StrCat(" folder=\"", text, "\"\n"));
    CHECK(AsJson(text) == absl::StrCat("\",\"folder\":\"", text, "\"}\n"));
  }
}

TEST_CASE("bytes of a log line that are not UTF-8 are told one by one") {
  CHECK(AsJson("a\xff") == "\",\"folder\":\"a\\u00ff\"}\n");
  CHECK(AsJson("\xc3") == "\",\"folder\":\"\\u00c3\"}\n");                        // Cut off.
  CHECK(AsJson("\xc3(") == "\",\"folder\":\"\\u00c3(\"}\n");                      // Cut short.
  CHECK(AsJson("\xc0\xaf") == "\",\"folder\":\"\\u00c0\\u00af\"}\n");             // Overlong.
  CHECK(AsJson("\xed\xa0\x80") == "\",\"folder\":\"\\u00ed\\u00a0\\u0080\"}\n");  // A surrogate.
  CHECK(AsJson("\xe6\x97") == "\",\"folder\":\"\\u00e6\\u0097\"}\n");
  CHECK(AsJson("\xf4\x90\x80\x80") == "\",\"folder\":\"\\u00f4\\u0090\\u0080\\u0080\"}\n");
}

}  // namespace
}  // namespace acta
