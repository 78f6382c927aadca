#pragma once

#include <array>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace acta::net {

// What becomes of bytes on their way. Both directions alike unless said otherwise.
struct FaultMode {
  int64_t delay_ms = 0;          // Each chunk comes so much later.
  int64_t bytes_per_second = 0;  // Of each direction of each link. 0: as fast as it goes.
  // So many bytes of a link, both directions together, come through from now on; then it is reset.
  // Negative: all.
  int64_t tear_after = -1;
  // Nothing is read, and nothing closed: neither side learns anything. What was sent goes on its
  // way when the mode changes, as after a partition of a network.
  bool hold_up = false;    // From the client to the target.
  bool hold_down = false;  // From the target to the client.
};

class Link;

// FaultProxy forwards TCP connections to one target and does to them what its mode says, those
// that are open included.
//
// Threads: that of the loop.
class FaultProxy {
 public:
  FaultProxy(asio::io_context& loop, asio::ip::tcp::endpoint target);
  ~FaultProxy();

  // On a free port of loopback. Once.
  std::error_code Listen();
  void SetMode(const FaultMode& mode);
  // Resets every link, both sides.
  void Cut();

  uint16_t port() const { return port_; }
  int64_t links();  // That are open.
  int64_t accepted() const { return accepted_; }

 private:
  void Accept();

  const asio::ip::tcp::endpoint target_;
  asio::ip::tcp::acceptor listener_;
  FaultMode mode_;
  // Owned here: nothing is under way on a link that is held both ways. Closed ones go with the
  // next that is accepted.
  std::vector<std::shared_ptr<Link>> links_;
  uint16_t port_ = 0;
  int64_t accepted_ = 0;
};

// One client and its connection to the target. Kept by its proxy, and by its operations until they
// are done.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(asio::ip::tcp::socket client, const FaultMode& mode);

  void Start(const asio::ip::tcp::endpoint& target);
  void SetMode(const FaultMode& mode);
  void Reset();
  bool open() const { return open_; }

 private:
  static constexpr size_t kMaxChunk = 64 << 10;
  struct Pipe {
    Pipe(asio::ip::tcp::socket& source, asio::ip::tcp::socket& sink, asio::io_context& loop)
        : from(source), to(sink), pause(loop) {}
    asio::ip::tcp::socket& from;
    asio::ip::tcp::socket& to;
    asio::steady_timer pause;
    std::array<char, kMaxChunk> chunk;
    size_t length = 0;    // Of what is read and not yet written.
    std::error_code end;  // Why nothing more comes from the source.
    bool torn = false;    // The link is reset when this is written.
    bool parked = false;  // Waits for another mode.
    bool ended = false;   // And the sink knows.
  };

  bool Held(const Pipe& pipe) const;
  bool Parks(Pipe& pipe);  // Until another mode, when it is held.
  void Read(Pipe& pipe);
  void OnRead(Pipe& pipe, std::error_code error, size_t length);
  void Write(Pipe& pipe);
  void OnWritten(Pipe& pipe, std::error_code error);
  void EndOf(Pipe& pipe);
  void After(Pipe& pipe, int64_t delay_us, std::function<void()> next);

  asio::ip::tcp::socket client_;
  asio::ip::tcp::socket server_;
  FaultMode mode_;
  Pipe up_;
  Pipe down_;
  bool connected_ = false;
  bool open_ = true;
};

}  // namespace acta::net
