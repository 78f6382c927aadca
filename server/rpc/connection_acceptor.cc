#include "server/rpc/connection_acceptor.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/rpc/connection_rule.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

using asio::ip::tcp;

constexpr absl::Duration kWarningPeriod = absl::Seconds(10);
constexpr auto kPause = std::chrono::milliseconds(100);

std::string Text(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? absl::StrCat("[", host, "]:", endpoint.port())
                                    : absl::StrCat(host, ":", endpoint.port());
}

bool NoDescriptors(std::error_code error) {
  // By number: Asio's category does not compare to std::errc.
  return error.value() == EMFILE || error.value() == ENFILE;
}

// What gRPC expects of a socket that it did not open itself.
void Prepare(tcp::socket& socket, absl::Duration user_timeout) {
  std::error_code ignored;  // None of it is worth a connection.
  socket.set_option(tcp::no_delay(true), ignored);
  socket.native_non_blocking(true, ignored);
  fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
  const auto timeout_ms = static_cast<unsigned>(absl::ToInt64Milliseconds(user_timeout));
  setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
             sizeof(timeout_ms));
}

}  // namespace

ConnectionAcceptor::ConnectionAcceptor(const RpcLimits& limits, RejectionCounter& rejections)
    : limits_(limits), rejections_(rejections) {
  OpenReserve();
}

ConnectionAcceptor::~ConnectionAcceptor() {
  Stop();
  if (reserve_ >= 0) close(reserve_);
}

absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> ConnectionAcceptor::Listen(
    const std::string& host, uint16_t port, const RpcLimits& limits, RejectionCounter& rejections) {
  std::unique_ptr<ConnectionAcceptor> acceptor(new ConnectionAcceptor(limits, rejections));
  const std::error_code error = acceptor->Bind(host, port);
  if (error) {
    return Error(
        v1::INVALID_ARGUMENT,
        absl::StrCat("cannot listen for gRPC on '", host, "' port ", port, ": ", error.message(),
                     "; stop what listens there, or name another address with --grpc"));
  }
  return acceptor;
}

std::error_code ConnectionAcceptor::Bind(const std::string& host, uint16_t port) {
  std::error_code error;
  const tcp::endpoint wanted(asio::ip::make_address(host, error), port);
  if (!error) listener_.open(wanted.protocol(), error);
  if (!error) listener_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) listener_.bind(wanted, error);
  if (!error) listener_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) listener_.native_non_blocking(true, error);
  if (!error) error = open_.Open();
  if (error) return error;
  const tcp::endpoint bound = listener_.local_endpoint(error);
  port_ = bound.port();
  address_ = Text(bound);
  return error;
}

void ConnectionAcceptor::Run(HandOver hand_over) {
  hand_over_ = std::move(hand_over);
  Accept();
  thread_ = std::thread([this] { loop_.run(); });
  pthread_setname_np(thread_.native_handle(), "acta-accept");
}

void ConnectionAcceptor::Stop() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
  std::error_code ignored;
  listener_.close(ignored);
}

void ConnectionAcceptor::Accept() {
  listener_.async_accept(
      [this](std::error_code error, tcp::socket socket) { OnAccept(error, std::move(socket)); });
}

void ConnectionAcceptor::OnAccept(std::error_code error, tcp::socket socket) {
  if (error == asio::error::operation_aborted) return;
  if (reserve_ < 0) OpenReserve();  // Somebody else was faster when it was given up.
  if (!error) {
    const absl::Status taken = Take(std::move(socket));
    if (!taken.ok()) Refuse(taken);
    return Accept();
  }
  // Without descriptors it fails also when nobody waits.
  const bool turned_away = NoDescriptors(error) && TurnOneAway();
  if (turned_away || !NoDescriptors(error)) {
    Refuse(Error(v1::LIMIT_EXCEEDED,
                 absl::StrCat("a connection cannot be accepted: ", error.message())));
  }
  if (turned_away) return Accept();
  // Accepting again at once would spin.
  pause_.expires_after(kPause);
  pause_.async_wait([this](std::error_code aborted) {
    if (!aborted) Accept();
  });
}

absl::Status ConnectionAcceptor::Take(tcp::socket socket) {
  std::error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return absl::OkStatus();  // It is gone already.
  const std::string host = HostOf(peer.address());
  RETURN_IF_ERROR(CheckConnection(limits_.connections, host, open_.count(), open_.CountOf(host)));
  Prepare(socket, limits_.keepalive + limits_.keepalive_timeout);
  const int descriptor = socket.release(error);
  if (!error) error = open_.Add(descriptor, host);
  if (!error) {
    hand_over_(descriptor);
    return absl::OkStatus();
  }
  close(descriptor);
  return Error(v1::LIMIT_EXCEEDED,
               absl::StrCat("a connection cannot be counted: ", error.message()));
}

bool ConnectionAcceptor::TurnOneAway() {
  if (reserve_ < 0) return false;
  close(reserve_);
  const int socket = accept(listener_.native_handle(), nullptr, nullptr);
  if (socket >= 0) close(socket);
  OpenReserve();
  return socket >= 0;
}

void ConnectionAcceptor::OpenReserve() { reserve_ = open("/dev/null", O_RDONLY | O_CLOEXEC); }

void ConnectionAcceptor::Refuse(const absl::Status& status) {
  rejections_.Count(v1::LIMIT_EXCEEDED);
  const absl::Duration now = clock_.SinceBoot();
  if (now < last_warning_ + kWarningPeriod) return;
  last_warning_ = now;
  LogWarn("connections are refused", {{"cause", status.message()}});
}

}  // namespace acta
