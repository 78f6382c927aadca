#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"
#include "tools/bench/limits/limit.h"

namespace acta::bench {
namespace {

constexpr size_t kPiece = 64 << 10;
constexpr size_t kPingBytes = 100;

absl::Status Failed(const char* what) { return absl::ErrnoToStatus(errno, what); }

struct Pair {
  int client = -1;
  int server = -1;
};

// Two ends of one TCP connection.
absl::StatusOr<Pair> Connect() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return Failed("cannot make a socket");
  const absl::Cleanup close_listener = [&] { close(listener); };
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, plain, size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, plain, &size) != 0) {
    return Failed("cannot listen on loopback");
  }
  Pair pair;
  pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (pair.client < 0) return Failed("cannot make a socket");
  if (connect(pair.client, plain, size) != 0) {
    const absl::Status status = Failed("cannot connect on loopback");
    close(pair.client);
    return status;
  }
  pair.server = accept(listener, nullptr, nullptr);
  if (pair.server < 0) {
    const absl::Status status = Failed("cannot accept on loopback");
    close(pair.client);
    return status;
  }
  const int on = 1;
  for (const int fd : {pair.client, pair.server}) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return pair;
}

bool ReadAll(int fd, char* to, size_t size) {
  while (size > 0) {
    const ssize_t got = read(fd, to, size);
    if (got <= 0) return false;
    to += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const char* from, size_t size) {
  while (size > 0) {
    const ssize_t put = write(fd, from, size);
    if (put <= 0) return false;
    from += put;
    size -= static_cast<size_t>(put);
  }
  return true;
}

}  // namespace

LimitRows TcpStream(const LimitSettings& settings) {
  ASSIGN_OR_RETURN(const Pair pair, Connect());
  std::thread reader([&] {
    std::string buffer(kPiece, '\0');
    while (read(pair.server, buffer.data(), buffer.size()) > 0) {
    }
  });
  const std::string bytes(kPiece, 'x');
  const int64_t begin = NowNanos();
  double sent = 0, seconds = 0;
  while (seconds < settings.seconds && WriteAll(pair.client, bytes.data(), bytes.size())) {
    sent += static_cast<double>(bytes.size());
    seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  }
  close(pair.client);
  reader.join();
  close(pair.server);
  if (sent == 0) return absl::UnavailableError("nothing went through the loopback connection");
  return {{RateRow("tcp_stream", sent, seconds)}};
}

LimitRows TcpRoundTrip(const LimitSettings& settings) {
  ASSIGN_OR_RETURN(const Pair pair, Connect());
  std::thread echo([&] {
    char buffer[kPingBytes];
    while (ReadAll(pair.server, buffer, kPingBytes) && WriteAll(pair.server, buffer, kPingBytes)) {
    }
  });
  char ping[kPingBytes] = {};
  Latencies latencies;
  const int64_t end = NowNanos() + static_cast<int64_t>(settings.seconds * 1e9);
  for (int64_t before = NowNanos(); before < end;) {
    if (!WriteAll(pair.client, ping, kPingBytes) || !ReadAll(pair.client, ping, kPingBytes)) break;
    const int64_t now = NowNanos();
    latencies.Add(now - before);
    before = now;
  }
  close(pair.client);
  echo.join();
  close(pair.server);
  return LatencyRows("tcp_round_trip", latencies);
}

}  // namespace acta::bench
