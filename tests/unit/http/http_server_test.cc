#include "server/http/http_server.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "tests/support/captured_stderr.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/http/http_client.h"

namespace acta {
namespace {

using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;

std::unique_ptr<HttpServer> StartServer(const HttpLimits& limits = {},
                                        const std::string& metrics = "acta_x 1\n") {
  HttpPages pages{[] { return std::string(); }, [metrics] { return metrics; }, "1.2.3"};
  auto server = HttpServer::Start("127.0.0.1", 0, std::move(pages), limits);
  REQUIRE_OK(server);
  return std::move(server).value();
}

// One request on a connection of its own; the whole response.
std::string Ask(const HttpServer& server, absl::string_view request) {
  HttpClient client(server.address());
  REQUIRE(client.connected());
  client.Send(request);
  return client.ReadAll();
}

TEST_CASE("a page comes with its length and type, and names no library", "[http]") {
  const auto server = StartServer();
  const std::string text =
      Ask(*server, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n") && EndsWith("\r\n\r\nok\n"));
  CHECK_THAT(text, Contains("Content-Length: 3\r\n"));
  CHECK_THAT(text, Contains("Content-Type: text/plain; charset=utf-8\r\n"));
  CHECK_THAT(text, !Contains("Server:") && !Contains("oost") && !Contains("east"));
}

TEST_CASE("a large page is sent whole", "[http]") {
  const std::string metrics(5 << 20, 'm');
  const auto server = StartServer({}, metrics);
  const std::string text =
      Ask(*server, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(text.substr(text.find("\r\n\r\n") + 4) == metrics);
}

TEST_CASE("HEAD has the header of GET and no body", "[http]") {
  const auto server = StartServer();
  const std::string text =
      Ask(*server, "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n") && Contains("Content-Length: 3\r\n") &&
                       EndsWith("\r\n\r\n"));
}

TEST_CASE("a connection takes one request after the other", "[http]") {
  const auto server = StartServer();
  HttpClient client(server->address());
  for (int i = 0; i < 3; ++i) {
    client.Send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_THAT(client.ReadUntil("ready\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
  CHECK(server->requests() == 3);
  CHECK(server->connections() == 1);
}

TEST_CASE("an HTTP/1.0 client is answered and let go", "[http]") {
  const auto server = StartServer();
  CHECK_THAT(Ask(*server, "GET /healthz HTTP/1.0\r\n\r\n"), Contains(" 200 ") && EndsWith("ok\n"));
}

TEST_CASE("another method is refused, also with a body that is never read", "[http]") {
  const auto server = StartServer();
  const std::string text =
      Ask(*server, "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nGET / HTTP/1.1");
  CHECK_THAT(text, StartsWith("HTTP/1.1 405 ") && Contains("Allow: GET, HEAD\r\n"));
  CHECK_THAT(text.substr(10), !Contains("HTTP/1.1 "));
  CHECK_THAT(Ask(*server, "GET /no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
             StartsWith("HTTP/1.1 404 "));
}

TEST_CASE("what is no request is refused, and the next client does not notice", "[http]") {
  const auto server = StartServer();
  CHECK_THAT(Ask(*server, "\x16\x03\x01 hello\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(Ask(*server, "GET /healthz\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(Ask(*server, "GET / HTTP/1.0\r\n\r\n"), Contains(" 200 "));
}

TEST_CASE("a header above the limit is refused", "[http]") {
  const auto server = StartServer({.max_header_bytes = 1024});
  const auto header = [](size_t bytes) { return "X: " + std::string(bytes, 'x') + "\r\n\r\n"; };
  CHECK_THAT(Ask(*server, "GET / HTTP/1.0\r\n" + header(900)), Contains(" 200 "));
  CHECK_THAT(Ask(*server, "GET / HTTP/1.1\r\n" + header(5000)),
             StartsWith("HTTP/1.1 431 ") && Contains("more than 1024 bytes"));
}

TEST_CASE("a client that says nothing is let go", "[http]") {
  const auto server = StartServer({.timeout = absl::Milliseconds(100)});
  HttpClient silent(server->address());
  CHECK(silent.ReadAll().empty());
  HttpClient slow(server->address());
  slow.Send("GET / HTTP/1.1\r\nHo");
  CHECK(slow.ReadAll().empty());
}

TEST_CASE("connections above the limit are closed at once", "[http]") {
  const auto server = StartServer({.max_connections = 2});
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server->address()));
    clients.back()->Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_THAT(clients.back()->ReadUntil("ok\n"), Contains("200"));
  }
  HttpClient third(server->address());
  CHECK(third.ReadAll().empty());
  CHECK(server->connections() == 2);
  CHECK(server->refused_connections() == 1);
}

// Goal: the want of descriptors does not fill the log, and ends. Method: all of the process's are
// taken but the one that a client has.
TEST_CASE("without descriptors there is one line in the log, and clients wait", "[http]") {
  const auto server = StartServer();
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 256;
  std::string lines;
  std::vector<int> taken;
  std::unique_ptr<HttpClient> client;
  {
    const CapturedStderr captured;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken.push_back(fd);
    close(taken.back());
    taken.pop_back();
    client = std::make_unique<HttpClient>(server->address());
    for (int looks = 0; looks < 2000 && captured.text().empty(); ++looks) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    absl::SleepFor(absl::Seconds(1));  // In which others would come.
    lines = captured.text();
    for (const int fd : taken) close(fd);
  }
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_THAT(lines, Contains("cannot accept a connection"));
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 1);
  client->Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK_THAT(client->ReadUntil("ok\n"), Contains("200"));
}

TEST_CASE("an address in use or not of this machine is an error", "[http]") {
  const auto server = StartServer();
  uint32_t port = 0;
  REQUIRE(absl::SimpleAtoi(server->address().substr(10), &port));
  const HttpPages pages{[] { return std::string(); }, [] { return std::string(); }, ""};
  const auto start = [&pages](const std::string& host, uint32_t at) {
    return HttpServer::Start(host, static_cast<uint16_t>(at), pages, {}).status();
  };
  CHECK(ReasonOf(start("127.0.0.1", port)) == v1::INVALID_ARGUMENT);
  CHECK_THAT(std::string(start("192.0.2.1", 0).message()), Contains("'192.0.2.1'"));
  CHECK_FALSE(start("nowhere", 0).ok());
}

TEST_CASE("stopping cuts open connections", "[http]") {
  auto server = StartServer();
  HttpClient client(server->address());
  client.Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  client.ReadUntil("ok\n");
  server->Stop();
  server.reset();
  CHECK(client.ReadAll().empty());
}

}  // namespace
}  // namespace acta
