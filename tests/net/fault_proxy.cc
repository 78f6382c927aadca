#include "tests/net/fault_proxy.h"

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <utility>

namespace acta::net {
namespace {

using asio::ip::tcp;

constexpr int64_t kSlicesPerSecond = 20;  // A slow link is smooth: it sends so often.

asio::io_context& LoopOf(tcp::socket& socket) {
  return static_cast<asio::io_context&>(socket.get_executor().context());
}

// With a reset and not a farewell.
void CloseHard(tcp::socket& socket) {
  std::error_code ignored;  // It may be closed already.
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace

Link::Link(tcp::socket client, const FaultMode& mode)
    : client_(std::move(client)),
      server_(LoopOf(client_)),
      mode_(mode),
      up_(client_, server_, LoopOf(client_)),
      down_(server_, client_, LoopOf(client_)) {}

void Link::Start(const tcp::endpoint& target) {
  server_.async_connect(target, [self = shared_from_this()](std::error_code error) {
    if (error || !self->open_) return self->Reset();
    std::error_code ignored;
    self->client_.set_option(tcp::no_delay(true), ignored);
    self->server_.set_option(tcp::no_delay(true), ignored);
    self->connected_ = true;
    self->Read(self->up_);
    self->Read(self->down_);
  });
}

void Link::SetMode(const FaultMode& mode) {
  mode_ = mode;
  for (Pipe* const pipe : {&up_, &down_}) {
    if (!open_ || !connected_ || !std::exchange(pipe->parked, false)) continue;
    if (pipe->length > 0) {
      Write(*pipe);
    } else if (pipe->end) {
      EndOf(*pipe);
    } else {
      Read(*pipe);
    }
  }
}

void Link::Reset() {
  open_ = false;
  up_.pause.cancel();
  down_.pause.cancel();
  CloseHard(client_);
  CloseHard(server_);
}

bool Link::Held(const Pipe& pipe) const { return &pipe == &up_ ? mode_.hold_up : mode_.hold_down; }

bool Link::Parks(Pipe& pipe) {
  pipe.parked = Held(pipe);
  return pipe.parked;
}

void Link::Read(Pipe& pipe) {
  if (!open_ || Parks(pipe)) return;
  size_t most = kMaxChunk;
  if (mode_.bytes_per_second > 0) {
    most = static_cast<size_t>(std::max<int64_t>(1, mode_.bytes_per_second / kSlicesPerSecond));
  }
  pipe.from.async_read_some(
      asio::buffer(pipe.chunk.data(), std::min(most, kMaxChunk)),
      [self = shared_from_this(), &pipe](std::error_code error, size_t length) {
        self->OnRead(pipe, error, length);
      });
}

void Link::OnRead(Pipe& pipe, std::error_code error, size_t length) {
  if (!open_) return;
  pipe.end = error;
  if (error) return EndOf(pipe);
  pipe.length = length;
  if (mode_.delay_ms <= 0) return Write(pipe);
  After(pipe, mode_.delay_ms * 1000, [this, &pipe] { Write(pipe); });
}

void Link::Write(Pipe& pipe) {
  // A mode that came while this was read holds it back, too.
  if (Parks(pipe)) return;
  if (mode_.tear_after >= 0) {
    pipe.length = std::min(pipe.length, static_cast<size_t>(mode_.tear_after));
    mode_.tear_after -= static_cast<int64_t>(pipe.length);
    // Whatever mode comes while it is written: what follows would be another stream.
    pipe.torn = mode_.tear_after == 0;
  }
  asio::async_write(pipe.to, asio::buffer(pipe.chunk.data(), pipe.length),
                    [self = shared_from_this(), &pipe](std::error_code error, size_t) {
                      self->OnWritten(pipe, error);
                    });
}

void Link::OnWritten(Pipe& pipe, std::error_code error) {
  if (!open_) return;
  if (error && Held(&pipe == &up_ ? down_ : up_)) {
    pipe.parked = true;  // Whose sink is gone; the source is not to learn of it.
    return;
  }
  if (error || pipe.torn) return Reset();
  const auto written = static_cast<int64_t>(std::exchange(pipe.length, 0));
  if (mode_.bytes_per_second <= 0) return Read(pipe);
  After(pipe, written * 1'000'000 / mode_.bytes_per_second, [this, &pipe] { Read(pipe); });
}

void Link::EndOf(Pipe& pipe) {
  if (Parks(pipe)) return;
  if (pipe.end != asio::error::eof) return Reset();
  pipe.ended = true;
  std::error_code ignored;
  pipe.to.shutdown(tcp::socket::shutdown_send, ignored);
  if (!up_.ended || !down_.ended) return;
  open_ = false;
  client_.close(ignored);
  server_.close(ignored);
}

void Link::After(Pipe& pipe, int64_t delay_us, std::function<void()> next) {
  pipe.pause.expires_after(std::chrono::microseconds(delay_us));
  pipe.pause.async_wait([self = shared_from_this(), next = std::move(next)](std::error_code error) {
    if (!error && self->open_) next();
  });
}

FaultProxy::FaultProxy(asio::io_context& loop, tcp::endpoint target)
    : target_(std::move(target)), listener_(loop) {}

FaultProxy::~FaultProxy() { Cut(); }

std::error_code FaultProxy::Listen() {
  std::error_code error;
  const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
  listener_.open(any.protocol(), error);
  if (!error) listener_.bind(any, error);
  if (!error) listener_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) port_ = listener_.local_endpoint(error).port();
  if (!error) Accept();
  return error;
}

void FaultProxy::SetMode(const FaultMode& mode) {
  mode_ = mode;
  for (const std::shared_ptr<Link>& link : links_) link->SetMode(mode);
}

void FaultProxy::Cut() {
  for (const std::shared_ptr<Link>& link : links_) link->Reset();
  links_.clear();
}

int64_t FaultProxy::links() {
  return std::count_if(links_.begin(), links_.end(),
                       [](const std::shared_ptr<Link>& link) { return link->open(); });
}

void FaultProxy::Accept() {
  listener_.async_accept([this](std::error_code error, tcp::socket client) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      ++accepted_;
      const auto link = std::make_shared<Link>(std::move(client), mode_);
      std::erase_if(links_, [](const std::shared_ptr<Link>& old) { return !old->open(); });
      links_.push_back(link);
      link->Start(target_);
    }
    Accept();
  });
}

}  // namespace acta::net
