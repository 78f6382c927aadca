#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/edge.h"
#include "server/rpc/open_connections.h"
#include "storage/base/clock.h"

namespace acta {

// ConnectionAcceptor is the listener: accepts connections within the limits and hands them over.
// Those above a limit are closed at once; when descriptors run out, too, and it goes on.
//
// Threads: one of its own; the methods any.
class ConnectionAcceptor {
 public:
  // Takes the descriptor of a connection. On the acceptor's thread.
  using HandOver = std::function<void(int socket)>;

  // Bound when it returns; connections wait until Run(). `host` is an IP address; port 0 picks a
  // free one. Errors: INVALID_ARGUMENT naming the address.
  static absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> Listen(const std::string& host,
                                                                    uint16_t port,
                                                                    const RpcLimits& limits,
                                                                    RejectionCounter& rejections);
  ~ConnectionAcceptor();  // Stops.

  // Once.
  void Run(HandOver hand_over);
  // No connection is accepted or counted any more. Those handed over stay open.
  void Stop();

  uint16_t port() const { return port_; }
  const std::string& address() const { return address_; }  // HOST:PORT
  int64_t connections() const { return open_.count(); }

 private:
  ConnectionAcceptor(const RpcLimits& limits, RejectionCounter& rejections);
  std::error_code Bind(const std::string& host, uint16_t port);
  void Accept();
  void OnAccept(std::error_code error, asio::ip::tcp::socket socket);
  // The error says which limit, or what failed.
  absl::Status Take(asio::ip::tcp::socket socket);
  // Closes one waiting connection when there is no descriptor to spare. False: nobody waited, or
  // the reserve is gone.
  bool TurnOneAway();
  void OpenReserve();
  void Refuse(const absl::Status& status);

  const RpcLimits limits_;
  RejectionCounter& rejections_;
  HandOver hand_over_;
  asio::io_context loop_{1};
  asio::ip::tcp::acceptor listener_{loop_};
  asio::steady_timer pause_{loop_};
  OpenConnections open_{loop_};
  int reserve_ = -1;  // Given up for a moment when there are no descriptors left.
  const SystemClock clock_;
  absl::Duration last_warning_ = -absl::InfiniteDuration();  // Since boot.
  uint16_t port_ = 0;
  std::string address_;
  std::thread thread_;
};

}  // namespace acta
