#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/core/admin/limits_table.h"
#include "server/core/claims/claim_registry.h"
#include "server/core/groups/group_registry.h"
#include "server/core/journeys/journeys.h"
#include "server/core/publish/publish_session.h"
#include "server/core/schedules/schedules.h"
#include "server/core/topics/topic_registry.h"
#include "server/rpc/core_calls.h"
#include "server/rpc/method_table.h"
#include "server/rpc/room_bell.h"
#include "server/rpc/waiting_publishes.h"
#include "server/telemetry/rejection_counter.h"
#include "storage/base/mutex.h"

namespace grpc {
class ServerContextBase;
class Status;
}  // namespace grpc

namespace acta {

struct RpcLimits {
  ConnectionLimits connections;
  int64_t max_unanswered_bytes = 8 << 20;  // Of one publish stream; above it is not read further.
  int64_t max_waiting_publish_bytes = 64 << 20;  // Of publishes that wait to look for a cause.
  int32_t max_receive_bytes = 18 << 20;  // Above max_frame_bytes, so that the frame gets a reason.
  int32_t max_metadata_bytes = 8 << 10;
  int32_t max_sync_threads = 18;  // One of them waits for calls.
  // At once; less than the threads, so that there is one to refuse others, and one for Admin.
  int32_t max_cold_calls = 15;
  int32_t max_claim_calls = 12;  // At once; less than the threads, so that other calls find one.
  int64_t max_buffer_bytes = int64_t{1} << 30;  // What gRPC may hold for all connections.
  absl::Duration handshake_timeout = absl::Seconds(10);
  absl::Duration answer_timeout = absl::Seconds(30);  // For a client to take a page of Fetch.
  absl::Duration keepalive = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(10);
};

// What the edge translates to. Everything must outlive the server.
struct RpcDeps {
  PublishSession::Deps publish;
  TopicRegistry& topics;
  Schedules& schedules;
  GroupRegistry& groups;
  ClaimRegistry& claims;
  const Journeys& journeys;
  const Authorizer& authorizer;
  RejectionCounter& rejections;
  SubscribeCalls subscribe;
  AdminCalls admin;
  // Where frames are taken that may wait for the disk.
  Executor& pool;
  RpcLimits limits;
};

// An open stream that has to hear when the state of the server changes.
class OpenStream {
 public:
  virtual ~OpenStream() = default;
  // Look at Edge::serving() and Edge::stopping() again. Any thread, outside of locks.
  virtual void OnServerChange() = 0;
};

// What all calls of one server share.
//
// Threads: any.
// Errors:  PERMISSION_DENIED, SERVER_STOPPING, DEADLINE_PASSED.
class Edge {
 public:
  explicit Edge(RpcDeps deps) : deps(std::move(deps)) {}

  // Looks the method up, makes the Caller and asks the Authorizer. `request` may be null where the
  // method's naming is not kField.
  absl::StatusOr<Caller> Admit(absl::string_view method, const grpc::ServerContextBase& context,
                               const google::protobuf::Message* request) const;

  // How a call ends; counts it when it was refused or failed.
  grpc::Status EndOf(const absl::Status& status) const;
  // Counts what an answer says of its frame and batches.
  void CountRejections(const v1::FrameResult& result) const;

  // Also not while the log stalls.
  bool serving() const {
    return serving_.load(std::memory_order_acquire) && !stalled_.load(std::memory_order_acquire);
  }
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  const std::atomic<bool>* stop_flag() const { return &stopping_; }
  void SetServing(bool serving);
  // From now on nothing new is admitted; open streams are told.
  void SetStopping();
  // Whether writes of the log end. By one thread, again and again.
  void LookAtLog();

  // From its first state until Remove(), OnServerChange() may be called on `stream`.
  void Add(OpenStream* stream, std::weak_ptr<OpenStream> weak);
  void Remove(OpenStream* stream);

  // A call object lives, also while it only waits for a caller.
  void BeginCall();
  void EndCall();
  // Once the gRPC server is shut down: until no call object is left.
  void WaitForCalls();

  const RpcDeps deps;
  std::atomic<int64_t> publish_streams{0};
  std::atomic<int64_t> publish_streams_unanswered{0};
  std::atomic<int64_t> publish_streams_without_room{0};
  std::atomic<int64_t> subscriptions{0};
  const std::shared_ptr<RoomBell> room_bell = std::make_shared<RoomBell>();
  const std::shared_ptr<WaitingPublishes> waiting_publishes =
      std::make_shared<WaitingPublishes>(deps.limits.max_waiting_publish_bytes);
  mutable std::atomic<int32_t> cold_calls{0};  // Services borrow a const edge.

 private:
  void TellStreams();

  std::atomic<bool> serving_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> stalled_{false};
  Mutex mu_;  // Leaf.
  CondVar calls_ended_;
  int64_t live_calls_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<OpenStream*, std::weak_ptr<OpenStream>> streams_ ABSL_GUARDED_BY(mu_);
};

// Counts one call object in the edge for as long as it lives. The first member of a call, so that
// nothing of the call is left when it is no longer counted.
class LiveCall {
 public:
  explicit LiveCall(Edge& edge) : edge_(edge) { edge_.BeginCall(); }
  ~LiveCall() { edge_.EndCall(); }
  LiveCall(const LiveCall&) = delete;
  LiveCall& operator=(const LiveCall&) = delete;

 private:
  Edge& edge_;
};

// Counts one cold call for as long as it lives.
class ColdCall {
 public:
  explicit ColdCall(const Edge& edge)
      : edge_(edge), calls_(edge.cold_calls.fetch_add(1, std::memory_order_relaxed) + 1) {}
  ~ColdCall() { edge_.cold_calls.fetch_sub(1, std::memory_order_relaxed); }
  ColdCall(const ColdCall&) = delete;
  ColdCall& operator=(const ColdCall&) = delete;

  // Errors: CALL_QUEUE_FULL above max_cold_calls. Not for Admin: who looks what is wrong comes in.
  absl::Status Check(absl::string_view method) const;

 private:
  const Edge& edge_;
  const int32_t calls_;  // With this one, when it came.
};

// Counts one in at most one of the edge's numbers.
//
// Threads: by one at a time.
class CountedIn {
 public:
  CountedIn() = default;
  ~CountedIn() { Set(nullptr); }
  CountedIn(const CountedIn&) = delete;
  CountedIn& operator=(const CountedIn&) = delete;

  // Null: in none.
  void Set(std::atomic<int64_t>* number) {
    if (number == number_) return;
    if (number_ != nullptr) number_->fetch_sub(1, std::memory_order_relaxed);
    if (number != nullptr) number->fetch_add(1, std::memory_order_relaxed);
    number_ = number;
  }

 private:
  std::atomic<int64_t>* number_ = nullptr;
};

}  // namespace acta
