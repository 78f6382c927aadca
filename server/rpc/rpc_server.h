#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/edge.h"

namespace acta {

// What is open now.
struct RpcCounts {
  int64_t connections = 0;
  int64_t publish_streams = 0;
  // Of those, not read: too much of theirs is unanswered, or the engine's queue has no room.
  int64_t publish_streams_unanswered = 0;
  int64_t publish_streams_without_room = 0;
  int64_t subscriptions = 0;
};

// RpcServer is the gRPC edge: the listener and every service of the API, health and reflection.
// Bound when Start() returns; connections wait until the first SetServing(true), so that what it
// is wired to may still be built.
//
// Threads:   any; SetServing(), RefuseCalls() and Stop() by one at a time.
// Ownership: everything in RpcDeps must outlive it. Results that come from the engine after it is
//            gone are dropped.
// Errors:    INVALID_ARGUMENT when the address cannot be used, naming it; INTERNAL when the method
//            table does not fit the services.
class RpcServer {
 public:
  // `host` is an IP address; port 0 picks a free one.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const std::string& host, uint16_t port,
                                                          RpcDeps deps);
  ~RpcServer();  // Stop() without grace.
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  // Where it listens: HOST:PORT.
  const std::string& address() const;
  uint16_t port() const;
  RpcCounts counts() const;

  // What health answers, unless the log stalls; those who watch it are told. The first true lets
  // callers in.
  void SetServing(bool serving);

  // Stopping has two steps, so that core can end what it has open in between. From now on health is
  // NOT_SERVING and new calls are refused with a delay; publish streams take no frame more and end
  // once what they took is answered. Connections are still accepted: their callers learn the delay.
  void RefuseCalls();
  // RefuseCalls(), if it was not called, and no connection is accepted any more; what is open after
  // `grace` is cut. No call is left when it returns.
  void Stop(absl::Duration grace);

 private:
  struct Core;  // Keeps gRPC and Asio out of this header.
  explicit RpcServer(std::unique_ptr<Core> core);
  const std::unique_ptr<Core> core_;
};

}  // namespace acta
