#include "server/http/http_server.h"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/http/http_session.h"
#include "storage/base/log.h"

namespace acta {
namespace {

using boost::asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr auto kBetweenWarnings = std::chrono::seconds(10);

std::string Text(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? absl::StrCat("[", host, "]:", endpoint.port())
                                    : absl::StrCat(host, ":", endpoint.port());
}

}  // namespace

struct HttpServer::Core {
  Core(HttpPages pages, const HttpLimits& limits) : pages(std::move(pages)), limits(limits) {}

  ErrorCode Listen(const tcp::endpoint& endpoint);
  void Accept();
  void OnAccept(ErrorCode error, tcp::socket socket);
  // At most one line every ten seconds.
  void Warn(ErrorCode error);

  const HttpPages pages;
  const HttpLimits limits;
  HttpCounts counts;
  std::string address;
  // Destroyed before what its sessions use.
  boost::asio::io_context context{1};
  tcp::acceptor acceptor{context};
  boost::asio::steady_timer pause{context};
  std::optional<SteadyClock::time_point> warned;  // Of the thread.
  std::thread thread;
};

ErrorCode HttpServer::Core::Listen(const tcp::endpoint& endpoint) {
  ErrorCode error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
  if (!error) address = Text(acceptor.local_endpoint(error));
  return error;
}

void HttpServer::Core::Accept() {
  acceptor.async_accept(
      [this](ErrorCode error, tcp::socket socket) { OnAccept(error, std::move(socket)); });
}

void HttpServer::Core::OnAccept(ErrorCode error, tcp::socket socket) {
  if (error == boost::asio::error::operation_aborted) return;
  if (error) {
    // Out of descriptors: accepting again at once would spin.
    Warn(error);
    pause.expires_after(kAcceptPause);
    pause.async_wait([this](ErrorCode aborted) {
      if (!aborted) Accept();
    });
    return;
  }
  // Above the limit the socket closes as it goes out of scope.
  if (counts.connections.load(std::memory_order_relaxed) < limits.max_connections) {
    std::make_shared<HttpSession>(std::move(socket), pages, limits, counts)->Run();
  } else {
    counts.refused.fetch_add(1, std::memory_order_relaxed);
  }
  Accept();
}

void HttpServer::Core::Warn(ErrorCode error) {
  const SteadyClock::time_point now = SteadyClock::now();
  if (warned.has_value() && now - *warned < kBetweenWarnings) return;
  warned = now;
  LogWarn("http: cannot accept a connection", {{"cause", error.message()}});
}

HttpServer::HttpServer(std::unique_ptr<Core> core) : core_(std::move(core)) {}

HttpServer::~HttpServer() { Stop(); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host,
                                                              uint16_t port, HttpPages pages,
                                                              const HttpLimits& limits) {
  auto core = std::make_unique<Core>(std::move(pages), limits);
  ErrorCode error;
  const auto ip = boost::asio::ip::make_address(host, error);
  if (!error) error = core->Listen(tcp::endpoint(ip, port));
  if (error) {
    return Error(
        v1::INVALID_ARGUMENT,
        absl::StrCat("cannot listen for HTTP on '", host, "' port ", port, ": ", error.message(),
                     "; stop what listens there, or name another address with --http"));
  }
  core->Accept();
  core->thread = std::thread([core = core.get()] { core->context.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

const std::string& HttpServer::address() const { return core_->address; }

int64_t HttpServer::requests() const {
  return core_->counts.requests.load(std::memory_order_relaxed);
}

int64_t HttpServer::connections() const {
  return core_->counts.connections.load(std::memory_order_relaxed);
}

int64_t HttpServer::refused_connections() const {
  return core_->counts.refused.load(std::memory_order_relaxed);
}

void HttpServer::Stop() {
  core_->context.stop();
  if (core_->thread.joinable()) core_->thread.join();
}

}  // namespace acta
