#include "server/app/listen_address.h"

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

TEST_CASE("addresses are read with their port, and say whether they are loopback", "[app]") {
  struct Row {
    const char* text;
    const char* host;
    int port;
    bool loopback;
  };
  const Row rows[] = {{"127.0.0.1:7450", "127.0.0.1", 7450, true},
                      {"127.8.0.9:0", "127.8.0.9", 0, true},
                      {"localhost:1", "127.0.0.1", 1, true},
                      {"[::1]:65535", "::1", 65535, true},
                      {"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, true},
                      {"0.0.0.0:7450", "0.0.0.0", 7450, false},
                      {"[::]:7450", "::", 7450, false},
                      {"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1, false},
                      {"192.168.1.2:80", "192.168.1.2", 80, false}};
  for (const Row& row : rows) {
    INFO(row.text);
    const auto address = ParseListenAddress(row.text);
    REQUIRE_OK(address);
    CHECK(address->host == row.host);
    CHECK(address->port == row.port);
    CHECK(address->loopback == row.loopback);
    CHECK(ParseListenAddress(address->Text())->host == row.host);
  }
}

TEST_CASE("what is no address is refused", "[app]") {
  for (const char* text : {"", "7450", ":7450", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                           "127.0.0.1:-1", "::1:7450", "[127.0.0.1]:1", "example.org:1", "[::1]",
                           "127.0.0.1:x", "256.0.0.1:1", "[]:1"}) {
    INFO(text);
    CHECK(ReasonOf(ParseListenAddress(text).status()) == v1::INVALID_ARGUMENT);
  }
}

}  // namespace
}  // namespace acta
