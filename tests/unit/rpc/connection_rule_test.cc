#include "server/rpc/connection_rule.h"

#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <asio/io_context.hpp>

#include "proto/support/error.h"
#include "server/rpc/open_connections.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

std::string HostOfText(const char* text) { return HostOf(asio::ip::make_address(text)); }

std::string LimitOf(const absl::Status& status) {
  CHECK(ReasonOf(status) == v1::LIMIT_EXCEEDED);
  return DetailsOf(status)["limit"];
}

TEST_CASE("an address has one name, and this machine none", "[rpc]") {
  CHECK(HostOfText("10.1.2.3") == "10.1.2.3");
  CHECK(HostOfText("::ffff:10.1.2.3") == "10.1.2.3");
  CHECK(HostOfText("2001:db8::1") == "2001:db8::1");
  for (const char* local : {"127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"}) {
    INFO(local);
    CHECK(HostOfText(local).empty());
  }
}

TEST_CASE("one address has so many connections and no more, this machine all", "[rpc]") {
  ConnectionLimits limits;
  limits.max_connections = 10;
  limits.max_connections_per_address = 3;
  CHECK_OK(CheckConnection(limits, "10.1.2.3", 9, 2));
  CHECK(LimitOf(CheckConnection(limits, "10.1.2.3", 9, 3)) == "listen.max_connections_per_address");
  CHECK_OK(CheckConnection(limits, "", 9, 9));
  CHECK(LimitOf(CheckConnection(limits, "10.1.2.3", 10, 0)) == "listen.max_connections");
  CHECK(LimitOf(CheckConnection(limits, "", 10, 10)) == "listen.max_connections");
}

// A connection whose other end can be closed.
class Pair {
 public:
  Pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) == 0); }
  ~Pair() { Close(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  int server() const { return ends_[0]; }
  void Close() {
    for (int& end : ends_) {
      if (end >= 0) close(end);
      end = -1;
    }
  }

 private:
  int ends_[2];
};

TEST_CASE("connections are counted for each address until they end", "[rpc]") {
  asio::io_context loop{1};
  OpenConnections open(loop);
  REQUIRE_FALSE(open.Open());
  Pair one, two, three;
  REQUIRE_FALSE(open.Add(one.server(), "10.1.2.3"));
  REQUIRE_FALSE(open.Add(two.server(), "10.1.2.3"));
  REQUIRE_FALSE(open.Add(three.server(), "10.9.9.9"));
  CHECK(open.count() == 3);
  CHECK(open.CountOf("10.1.2.3") == 2);
  CHECK(open.CountOf("10.9.9.9") == 1);
  CHECK(open.CountOf("10.0.0.1") == 0);
  two.Close();
  loop.run_one();
  CHECK(open.count() == 2);
  CHECK(open.CountOf("10.1.2.3") == 1);
  one.Close();
  loop.run_one();
  CHECK(open.CountOf("10.1.2.3") == 0);
}

}  // namespace
}  // namespace acta
