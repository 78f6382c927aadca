#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "acta/v1/topics.grpc.pb.h"
#include "proto/support/error.h"
#include "server/core/settle/delivered_causes.h"
#include "server/rpc/rpc_server.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"
#include "tests/support/fake_clock.h"
#include "tests/support/heap_bytes.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stepped_executor.h"
#include "tests/support/wait_until.h"

namespace acta {

// A client's context that does not wait for ever.
class TestContext : public grpc::ClientContext {
 public:
  explicit TestContext(absl::Duration limit = kPatience) {
    set_deadline(absl::ToChronoTime(absl::Now() + limit));
  }
};

inline absl::Status FromGrpc(const grpc::Status& status) {
  return DecodeStatusDetails(static_cast<int>(status.error_code()), status.error_message(),
                             status.error_details());
}
inline v1::ErrorReason Reason(const grpc::Status& status) { return ReasonOf(FromGrpc(status)); }

// Of what is held or not: so many calls of one connection send this, each when the one before has
// been taken. They are many because gRPC keeps room to read into for each connection, up to two and
// a half times what it once read without a pause: behind one message of 16 MiB it could be as much
// as the message. All of them together are more than nobody holds.
inline constexpr int kOfOneConnection = 16;
inline constexpr int64_t kHeldByNobody = 8 << 20;
inline std::string LargeText() { return std::string(1 << 20, 'x'); }

// Writes down whom it was asked about.
class RecordingAuthorizer final : public Authorizer {
 public:
  absl::Status Authorize(const Caller& caller, Verb, const Resource&) const override {
    MutexLock lock(mu_);
    last_ = caller;
    return deny ? Error(v1::PERMISSION_DENIED, "nobody may") : absl::OkStatus();
  }
  Caller last() const {
    MutexLock lock(mu_);
    return last_;
  }
  std::atomic<bool> deny{false};

 private:
  mutable Mutex mu_;
  mutable Caller last_ ABSL_GUARDED_BY(mu_);
};

// A subscription that writes down what it is told; the test plays core and uses its sink.
class ScriptedSubscription final : public Subscription {
 public:
  explicit ScriptedSubscription(EventSink& sink) : sink(sink) {}

  void OnControl(absl::string_view frame) override { Note("control " + std::string(frame)); }
  void OnWritten() override { Note("written"); }
  void OnHalfClose() override { Note("half-close"); }
  void OnDisconnect() override { Note("disconnect"); }

  std::vector<std::string> told() const {
    MutexLock lock(mu_);
    return told_;
  }
  bool WaitFor(size_t count) const {
    return WaitUntil([&] { return told().size() >= count; });
  }

  EventSink& sink;

 private:
  void Note(std::string what) {
    MutexLock lock(mu_);
    told_.push_back(std::move(what));
  }
  mutable Mutex mu_;
  std::vector<std::string> told_ ABSL_GUARDED_BY(mu_);
};

// A real server on a free port of loopback, with core on an engine in memory.
class RpcRoom {
 public:
  explicit RpcRoom(const RpcLimits& limits = {}, bool serving = true)
      : topics(engine, TopicLimits()),
        groups({engine, clock, topics, authorizer, pool, timer, GroupLimits()}),
        claims({engine, groups, authorizer, timer, ClaimLimits()}),
        indexer(engine, clock, topics, JourneyLimits()),
        journeys({engine, clock, topics, authorizer, indexer, groups, pool}) {
    REQUIRE_OK(topics.Load());
    REQUIRE_OK(groups.Load());
    auto started = RpcServer::Start("127.0.0.1", 0, MakeDeps(limits));
    REQUIRE_OK(started);
    server = std::move(started).value();
    if (serving) server->SetServing(true);
  }

  // A connection of its own.
  std::shared_ptr<grpc::Channel> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    return grpc::CreateCustomChannel(server->address(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  void MakeTopic(const std::string& name, int32_t partitions = 1) {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    REQUIRE_OK(topics.Create(Caller{"test"}, request));
  }
  std::shared_ptr<ScriptedSubscription> subscription() const {
    MutexLock lock(mu_);
    return subscription_;
  }
  std::shared_ptr<ScriptedSubscription> WaitForSubscription() const {
    REQUIRE(WaitUntil([&] { return subscription() != nullptr; }));
    return subscription();
  }

  MemoryLogEngine engine;
  FakeClock clock;
  SteppedExecutor pool;
  SteppedTimer timer;
  TopicRegistry topics;
  Schedules schedules{Schedules::Deps{engine, topics, pool, timer, {}}};
  RecordingAuthorizer authorizer;
  GroupRegistry groups;
  DeliveredCauses causes{DeliveredCauses::Deps{engine, topics, groups, authorizer}};
  ClaimRegistry claims;
  JourneyIndexer indexer;
  Journeys journeys;
  RejectionCounter rejections;
  std::atomic<int> subscribe_calls{0};
  std::atomic<int> fetches_over{0};
  std::atomic<int> admin_calls{0};
  std::atomic<bool> hold_edits{false};   // EditDeadLetter waits, in core.
  std::atomic<bool> hold_scrubs{false};  // Scrub as well, until the server stops.
  // Settle as well, on the thread of its queue, as a lone transaction does on a disk that stands.
  std::atomic<bool> hold_settles{false};
  // What Fetch is given to answer.
  SubscriptionHub::FetchDone fetch;

 private:
  RpcDeps MakeDeps(const RpcLimits& limits) {
    SubscribeCalls subscribe;
    subscribe.open = [this](Caller, EventSink& sink) {
      ++subscribe_calls;
      auto opened = std::make_shared<ScriptedSubscription>(sink);
      MutexLock lock(mu_);
      return subscription_ = opened;
    };
    subscribe.fetch = [this](const Caller&, const v1::FetchRequest&,
                             SubscriptionHub::FetchDone done) -> SubscriptionHub::FetchCancel {
      fetch = std::move(done);
      ++subscribe_calls;
      return [this] { ++fetches_over; };
    };
    subscribe.settle = [this](const Caller&, v1::SettleRequest, Settler::Done done) {
      ++subscribe_calls;
      while (hold_settles) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::move(done)(v1::SettleResponse());
    };
    subscribe.edit_dead_letter = [this](const Caller&, const v1::EditDeadLetterRequest&) {
      ++subscribe_calls;
      while (hold_edits) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return absl::StatusOr<v1::EditDeadLetterResponse>(v1::EditDeadLetterResponse());
    };
    AdminCalls admin;
    admin.get_server = [this] {
      ++admin_calls;
      v1::GetServerResponse response;
      response.set_version("1.2.3");
      return response;
    };
    admin.get_status = [this] { return ++admin_calls, v1::GetStatusResponse(); };
    admin.get_config = [this] { return ++admin_calls, v1::GetConfigResponse(); };
    admin.get_limits = [this] { return ++admin_calls, v1::GetLimitsResponse(); };
    admin.scrub = [this](const Caller& caller, const v1::ScrubRequest&) { return Scrub(caller); };
    admin.accept_clock = [this](const Caller&, const v1::AcceptClockRequest&) {
      return ++admin_calls, absl::StatusOr<v1::AcceptClockResponse>(v1::AcceptClockResponse());
    };
    admin.set_log_level = [this](const Caller&, const v1::SetLogLevelRequest&) {
      return ++admin_calls, absl::StatusOr<v1::SetLogLevelResponse>(v1::SetLogLevelResponse());
    };
    return RpcDeps{{engine, topics, schedules, authorizer, causes, PublishLimits()},
                   topics,
                   schedules,
                   groups,
                   claims,
                   journeys,
                   authorizer,
                   rejections,
                   std::move(subscribe),
                   std::move(admin),
                   pool,
                   limits};
  }

  absl::StatusOr<v1::ScrubResponse> Scrub(const Caller& caller) {
    ++admin_calls;
    while (hold_scrubs) {
      RETURN_IF_ERROR(CheckStopping(caller.stopping));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return absl::DataLossError("a secret");
  }

  mutable Mutex mu_;
  std::shared_ptr<ScriptedSubscription> subscription_ ABSL_GUARDED_BY(mu_);

 public:
  std::unique_ptr<RpcServer> server;  // Goes first: its threads use all of the others.
};

}  // namespace acta
