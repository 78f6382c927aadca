#include "server/rpc/open_connections.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace acta {
namespace {

std::error_code LastError() { return std::error_code(errno, std::system_category()); }

}  // namespace

OpenConnections::~OpenConnections() {
  for (const auto& [duplicate, host] : host_of_) close(duplicate);
}

std::error_code OpenConnections::Open() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return LastError();
  watch_.assign(epoll);
  WaitForHangUp();
  return {};
}

std::error_code OpenConnections::Add(int socket, const std::string& host) {
  const int duplicate = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) return LastError();
  epoll_event event = {};  // A hang-up is always told.
  event.data.fd = duplicate;
  if (epoll_ctl(watch_.native_handle(), EPOLL_CTL_ADD, duplicate, &event) != 0) {
    const std::error_code error = LastError();
    close(duplicate);
    return error;
  }
  host_of_.emplace(duplicate, host);
  ++per_host_[host];
  count_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

int64_t OpenConnections::CountOf(const std::string& host) const {
  const auto found = per_host_.find(host);
  return found == per_host_.end() ? 0 : found->second;
}

void OpenConnections::WaitForHangUp() {
  watch_.async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
    if (error) return;
    RemoveHungUp();
    WaitForHangUp();
  });
}

void OpenConnections::RemoveHungUp() {
  epoll_event events[64];
  int found = 0;
  do {
    found = epoll_wait(watch_.native_handle(), events, std::size(events), 0);
    for (int i = 0; i < found; ++i) Remove(events[i].data.fd);
  } while (found > 0);
}

void OpenConnections::Remove(int duplicate) {
  const auto found = host_of_.find(duplicate);
  const auto host = per_host_.find(found->second);
  if (--host->second == 0) per_host_.erase(host);
  host_of_.erase(found);
  count_.fetch_sub(1, std::memory_order_relaxed);
  // gRPC may still hold its own: the watch would go on to tell of the socket.
  epoll_ctl(watch_.native_handle(), EPOLL_CTL_DEL, duplicate, nullptr);
  close(duplicate);
}

}  // namespace acta
