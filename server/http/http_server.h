#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace acta {

struct HttpLimits {
  int64_t max_connections = 64;  // Above it, new ones are closed at once.
  int32_t max_header_bytes = 8 << 10;
  absl::Duration timeout = absl::Seconds(10);  // For a request, a response, and between them.
};

// What the pages are made of. Called on the server's thread; may take a while, must not wait.
struct HttpPages {
  std::function<std::string()> why_not_ready;  // Empty: it is ready.
  std::function<std::string()> metrics;        // Prometheus text format 0.0.4.
  std::string version;
};

// HttpServer answers GET and HEAD of /, /healthz, /readyz and /metrics; other paths are 404, other
// methods 405. HTTP/1.1 without TLS.
//
// Threads: any; it has one of its own for everything.
// Errors:  INVALID_ARGUMENT when the address cannot be used, naming it.
class HttpServer {
 public:
  // `host` is an IP address; port 0 picks a free one.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, uint16_t port,
                                                           HttpPages pages,
                                                           const HttpLimits& limits);
  ~HttpServer();  // Stops.
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Where it listens: HOST:PORT.
  const std::string& address() const;
  int64_t requests() const;
  int64_t connections() const;
  int64_t refused_connections() const;

  // Closes every connection and waits for the thread.
  void Stop();

 private:
  struct Core;  // Keeps Beast out of this header.
  explicit HttpServer(std::unique_ptr<Core> core);
  const std::unique_ptr<Core> core_;
};

}  // namespace acta
