#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

// A plain TCP client.
class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) { REQUIRE(fd_ >= 0); }
  ~Socket() { Close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Connect(uint16_t port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  }
  // Reads until the server closes; false when it does not in time.
  bool WaitForEnd(absl::Duration limit = kPatience) {
    pollfd wait = {fd_, POLLIN, 0};
    while (poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(limit))) == 1) {
      char bytes[4096];
      if (read(fd_, bytes, sizeof(bytes)) <= 0) return true;
    }
    return false;
  }
  void Send(absl::string_view bytes) {
    REQUIRE(write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  // Exactly so many bytes; fewer when the server closes or says nothing more in time.
  std::string Receive(size_t size) {
    std::string bytes;
    pollfd wait = {fd_, POLLIN, 0};
    while (bytes.size() < size &&
           poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))) == 1) {
      std::string part(size - bytes.size(), '\0');
      const ssize_t got = read(fd_, part.data(), part.size());
      if (got <= 0) break;
      bytes.append(part, 0, static_cast<size_t>(got));
    }
    return bytes;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

bool Answers(const RpcRoom& room) {
  TestContext context;
  v1::ListTopicsResponse response;
  return v1::Topics::NewStub(room.Connect())->ListTopics(&context, {}, &response).ok();
}

TEST_CASE("the address names the port that was picked", "[rpc]") {
  RpcRoom room;
  CHECK(room.server->port() != 0);
  CHECK(room.server->address() == "127.0.0.1:" + std::to_string(room.server->port()));
}

TEST_CASE("an address that cannot be used is an error that names it", "[rpc]") {
  RpcRoom room;
  RpcRoom other;
  const auto deps = [&] {
    return RpcDeps{
        {room.engine, room.topics, room.schedules, room.authorizer, room.causes, PublishLimits()},
        room.topics,
        room.schedules,
        room.groups,
        room.claims,
        room.journeys,
        room.authorizer,
        room.rejections,
        {},
        {},
        room.pool,
        {}};
  };
  const auto taken = RpcServer::Start("127.0.0.1", other.server->port(), deps());
  CHECK(ReasonOf(taken.status()) == v1::INVALID_ARGUMENT);
  CHECK_THAT(std::string(taken.status().message()),
             Catch::Contains(std::to_string(other.server->port())));
  CHECK(ReasonOf(RpcServer::Start("nonsense", 0, deps()).status()) == v1::INVALID_ARGUMENT);
}

TEST_CASE("callers wait until the server serves", "[rpc]") {
  RpcRoom room(RpcLimits(), /*serving=*/false);
  Socket early;
  early.Connect(room.server->port());
  CHECK(room.server->counts().connections == 0);
  room.server->SetServing(true);
  CHECK(WaitUntil([&] { return room.server->counts().connections == 1; }));
  CHECK(Answers(room));
}

TEST_CASE("a server that never served stops", "[rpc]") {
  RpcRoom room(RpcLimits(), /*serving=*/false);
  Socket early;
  early.Connect(room.server->port());
  room.server.reset();
  CHECK(early.WaitForEnd());
}

TEST_CASE("connections are counted until they end", "[rpc]") {
  RpcRoom room;
  Socket one, two;
  one.Connect(room.server->port());
  two.Connect(room.server->port());
  CHECK(WaitUntil([&] { return room.server->counts().connections == 2; }));
  one.Close();
  CHECK(WaitUntil([&] { return room.server->counts().connections == 1; }));
  CHECK(Answers(room));
  CHECK(WaitUntil([&] { return room.server->counts().connections == 1; }));
}

TEST_CASE("a connection above the limit is closed, and the next one in its place is not", "[rpc]") {
  RpcLimits limits;
  limits.connections.max_connections = 1;
  RpcRoom room(limits);
  Socket one, two;
  one.Connect(room.server->port());
  REQUIRE(WaitUntil([&] { return room.server->counts().connections == 1; }));
  two.Connect(room.server->port());
  CHECK(two.WaitForEnd());
  CHECK(WaitUntil([&] { return room.rejections.count(v1::LIMIT_EXCEEDED) == 1; }));
  one.Close();
  REQUIRE(WaitUntil([&] { return room.server->counts().connections == 0; }));
  CHECK(Answers(room));
}

// The big-endian number at `at`.
uint32_t Number(absl::string_view bytes, size_t at, size_t size) {
  uint32_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | static_cast<uint8_t>(bytes.at(at + i));
  return number;
}

// What the first frame of a server, SETTINGS, says of one setting; none: it says nothing.
std::optional<uint32_t> SettingOf(uint16_t port, uint32_t wanted) {
  constexpr absl::string_view kNoSettings("\0\0\0\4\0\0\0\0\0", 9);
  Socket client;
  client.Connect(port);
  client.Send(absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kNoSettings));
  const std::string head = client.Receive(9);
  REQUIRE(head.size() == 9);
  REQUIRE(head[3] == 4);
  const std::string settings = client.Receive(Number(head, 0, 3));
  for (size_t at = 0; at + 6 <= settings.size(); at += 6) {
    if (Number(settings, at, 2) == wanted) return Number(settings, at + 2, 4);
  }
  return std::nullopt;
}

TEST_CASE("a client is told how many streams its connection may have", "[rpc]") {
  constexpr uint32_t kMaxConcurrentStreams = 3;
  RpcLimits limits;
  CHECK(SettingOf(RpcRoom(limits).server->port(), kMaxConcurrentStreams) == 128);
  limits.connections.max_streams_per_connection = 7;
  CHECK(SettingOf(RpcRoom(limits).server->port(), kMaxConcurrentStreams) == 7);
}

TEST_CASE("a call above the streams of a connection waits until one ends", "[rpc]") {
  RpcLimits limits;
  limits.connections.max_streams_per_connection = 2;
  RpcRoom room(limits);
  const auto channel = room.Connect();
  const auto topics = v1::Topics::NewStub(channel);
  const auto lists = [&](absl::Duration limit) {
    TestContext context(limit);
    v1::ListTopicsResponse response;
    return topics->ListTopics(&context, {}, &response);
  };
  TestContext first_context, second_context;
  const auto subscriber = v1::Subscriber::NewStub(channel);
  const auto first = subscriber->Subscribe(&first_context);
  REQUIRE(WaitUntil([&] { return room.server->counts().subscriptions == 1; }));
  CHECK(lists(kPatience).ok());  // The second.
  const auto second = subscriber->Subscribe(&second_context);
  REQUIRE(WaitUntil([&] { return room.server->counts().subscriptions == 2; }));
  CHECK(lists(absl::Milliseconds(300)).error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  CHECK(Answers(room));  // Another connection has streams of its own.
  first_context.TryCancel();
  CHECK(lists(kPatience).ok());
}

TEST_CASE("a connection that says nothing is closed", "[rpc]") {
  RpcLimits limits;
  limits.handshake_timeout = absl::Milliseconds(200);
  RpcRoom room(limits);
  Socket silent;
  silent.Connect(room.server->port());
  CHECK(silent.WaitForEnd());
  CHECK(WaitUntil([&] { return room.server->counts().connections == 0; }));
}

// Goal: the listener survives the want of descriptors. Method: all of the process's are taken.
TEST_CASE("without descriptors clients are turned away and the listener goes on", "[rpc]") {
  RpcRoom room;
  REQUIRE(Answers(room));
  REQUIRE(WaitUntil([&] { return room.server->counts().connections == 0; }));
  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 256;
  Socket client;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  std::vector<int> taken;
  while (true) {
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) break;
    taken.push_back(fd);
  }
  client.Connect(room.server->port());
  // Sooner than gRPC could have closed anything for its own reasons.
  const bool turned_away = client.WaitForEnd(absl::Seconds(5));
  for (const int fd : taken) close(fd);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(turned_away);
  // Counted behind the closing that the client has seen.
  CHECK(WaitUntil([&] { return room.rejections.count(v1::LIMIT_EXCEEDED) > 0; }));
  CHECK(Answers(room));
}

}  // namespace
}  // namespace acta
