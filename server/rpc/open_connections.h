#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>

#include "absl/container/flat_hash_map.h"

namespace acta {

// The connections gRPC has, counted from the outside: a duplicate of each socket waits for the
// hang-up, and for nothing else, so that traffic wakes nobody here.
//
// Threads: that of the loop; count() any.
class OpenConnections {
 public:
  explicit OpenConnections(asio::io_context& loop) : watch_(loop) {}
  ~OpenConnections();

  // Begins to watch. Once, before anything else.
  std::error_code Open();
  // Counts the connection until it ends. Its descriptor stays the caller's.
  std::error_code Add(int socket, const std::string& host);

  int64_t count() const { return count_.load(std::memory_order_relaxed); }
  int64_t CountOf(const std::string& host) const;

 private:
  void WaitForHangUp();
  void RemoveHungUp();
  void Remove(int duplicate);

  asio::posix::stream_descriptor watch_;  // An epoll of the duplicates.
  absl::flat_hash_map<int, std::string> host_of_;
  absl::flat_hash_map<std::string, int64_t> per_host_;
  std::atomic<int64_t> count_{0};
};

}  // namespace acta
