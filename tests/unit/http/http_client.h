#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace acta {

// A bare TCP client: sends bytes, reads what comes. Every read gives up after 20 s.
class HttpClient {
 public:
  // `address` is 127.0.0.1:PORT.
  explicit HttpClient(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    uint32_t port = 0;
    const bool parsed = absl::SimpleAtoi(address.substr(address.find(':') + 1), &port);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(port));
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    connected_ = parsed && connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
  }
  ~HttpClient() { close(fd_); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool connected() const { return connected_; }
  void Send(absl::string_view bytes) {
    [[maybe_unused]] const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // Until what was read ends with `end`, or the server closes.
  std::string ReadUntil(absl::string_view end) {
    std::string text;
    char bytes[4096];
    while (end.empty() || text.size() < end.size() ||
           absl::string_view(text).substr(text.size() - end.size()) != end) {
      const ssize_t size = recv(fd_, bytes, sizeof(bytes), 0);
      if (size <= 0) break;
      text.append(bytes, static_cast<size_t>(size));
    }
    return text;
  }
  std::string ReadAll() { return ReadUntil(""); }

 private:
  const int fd_;
  bool connected_ = false;
};

}  // namespace acta
