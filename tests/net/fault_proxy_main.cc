// acta-fault-proxy: a network between client and broker that fails when told to.
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <cstdint>
#include <cstdio>
#include <istream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/net/fault_proxy.h"

namespace {

using acta::net::FaultMode;
using acta::net::FaultProxy;

constexpr char kUsage[] =
    "acta-fault-proxy TARGET_PORT\n"
    "Prints its own port, then takes a command a line, each answered by a line:\n"
    "  pass                      everything comes through\n"
    "  delay MS                  each chunk comes later\n"
    "  rate BYTES_PER_S          of each direction of each link\n"
    "  tear N                    each link is reset after N more bytes; new ones, too\n"
    "  half-open                 nothing comes through, and nobody is told\n"
    "  drop-direction up|down    the same towards the target only, or towards the client\n"
    "  cut                       every link is reset now\n"
    "  count                     links that are open, links accepted so far\n"
    "Ends with its input.\n";

bool ParseMode(const std::vector<std::string>& words, FaultMode* mode) {
  const std::string& name = words[0];
  if (words.size() == 1) {
    mode->hold_up = mode->hold_down = name == "half-open";
    return name == "half-open" || name == "pass";
  }
  if (words.size() != 2) return false;
  if (name == "drop-direction") {
    mode->hold_up = words[1] == "up";
    mode->hold_down = words[1] == "down";
    return mode->hold_up || mode->hold_down;
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(words[1], &number) || number <= 0) return false;
  if (name == "delay")
    mode->delay_ms = number;
  else if (name == "rate")
    mode->bytes_per_second = number;
  else if (name == "tear")
    mode->tear_after = number;
  else
    return false;
  return true;
}

void Obey(const std::string& line, FaultProxy* proxy) {
  FaultMode mode;
  if (line == "cut") {
    proxy->Cut();
  } else if (line == "count") {
    std::printf("%lld %lld\n", static_cast<long long>(proxy->links()),
                static_cast<long long>(proxy->accepted()));
    return;
  } else if (ParseMode(absl::StrSplit(line, ' '), &mode)) {
    proxy->SetMode(mode);
  } else {
    std::puts("no such command");
    return;
  }
  std::puts("ok");
}

// Until the input ends.
void ReadCommands(asio::posix::stream_descriptor* input, asio::streambuf* buffer, FaultProxy* proxy,
                  asio::io_context* loop) {
  asio::async_read_until(*input, *buffer, '\n', [=](std::error_code error, size_t) {
    if (error) return loop->stop();
    std::istream lines(buffer);
    std::string line;
    std::getline(lines, line);
    Obey(line, proxy);
    ReadCommands(input, buffer, proxy, loop);
  });
}

}  // namespace

int main(int argc, char** argv) {
  int32_t port = 0;
  if (argc != 2 || !absl::SimpleAtoi(argv[1], &port) || port < 1 || port > 65535) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  asio::io_context loop{1};
  FaultProxy proxy(loop, {asio::ip::address_v4::loopback(), static_cast<uint16_t>(port)});
  if (const std::error_code error = proxy.Listen()) {
    std::fprintf(stderr, "acta-fault-proxy: %s\n", error.message().c_str());
    return 1;
  }
  std::printf("%d\n", proxy.port());
  asio::posix::stream_descriptor input(loop, 0);
  asio::streambuf buffer;
  ReadCommands(&input, &buffer, &proxy, &loop);
  loop.run();
  return 0;
}
