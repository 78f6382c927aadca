#include "server/core/admin/server_status.h"

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "storage/base/crc32c.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

// Nothing here waits for the pool or for time.
class IdlePool final : public Executor {
 public:
  void Post(absl::AnyInvocable<void()>) override {}
};
class IdleTimer final : public Timer {
 public:
  uint64_t After(absl::Duration, absl::AnyInvocable<void()>) override { return 1; }
  void Cancel(uint64_t) override {}
};

// Has not compared its clock with that of the machine since that one jumped.
class UnseenJump final : public MemoryLogEngine {
 public:
  absl::Duration ClockJump() const override { return absl::ZeroDuration(); }
};

class AdminRoom {
 public:
  AdminRoom()
      : topics(engine, TopicLimits()),
        groups(GroupRegistry::Deps{engine, clock, topics, authorizer, pool, timer, GroupLimits()}),
        hub(SubscriptionHub::Deps{engine, clock, topics, groups, authorizer, pool, timer,
                                  SubscribeLimits()}) {
    REQUIRE_OK(topics.Load());
    REQUIRE_OK(groups.Load());
    facts.version = "0.1.0";
    facts.grpc_address = "127.0.0.1:7450";
    facts.http_address = "127.0.0.1:7451";
    facts.start_time = engine.Now();
    facts.pid = 42;
    facts.format_version = 1;
    facts.libraries = {{"rocksdb", "7.8.3"}, {"grpc", "1.51.1"}};
    facts.connections = [] { return 7; };
    facts.http_connections = [] { return 5; };
    facts.open_files = [] { return 31; };
    facts.publish_streams = [] { return 2; };
  }

  ServerStatus Status(QuietScrub* scrub = nullptr) {
    return ServerStatus({engine, topics, schedules, groups, hub, facts, nullptr, scrub});
  }
  void Make(const std::string& name, int32_t partitions) {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    REQUIRE_OK(topics.Create(caller, request));
  }
  void Publish(const std::string& topic, int32_t partition, uint32_t count) {
    Append append;
    append.partition = topics.Find("default", topic)->partition(partition);
    append.payload = SharedBytes(std::string(count * 10, 'x'));
    append.payload_crc32c = Crc32c(append.payload.view());
    append.count = count;
    Transaction transaction;
    transaction.appends.push_back(std::move(append));
    transaction.done = [](TransactionResult) {};
    REQUIRE_OK(engine.Submit(std::move(transaction)));
  }

  const Caller caller;
  const AllowAll authorizer;
  MemoryLogEngine engine;
  const FakeClock clock;
  IdlePool pool;
  IdleTimer timer;
  TopicRegistry topics;
  Schedules schedules{Schedules::Deps{engine, topics, pool, timer, {}}};
  GroupRegistry groups;
  SubscriptionHub hub;
  ServerFacts facts;
};

std::vector<std::string> Codes(const v1::GetStatusResponse& status) {
  std::vector<std::string> codes;
  for (const v1::Alarm& alarm : status.alarms()) {
    CHECK_FALSE(alarm.text().empty());
    CHECK(alarm.has_since());
    codes.push_back(alarm.code());
  }
  return codes;
}

TEST_CASE("the server says what it is", "[admin]") {
  AdminRoom room;
  const v1::GetServerResponse server = room.Status().GetServer();
  CHECK(server.version() == "0.1.0");
  CHECK(server.store_id() == room.engine.store_id());
  CHECK(server.incarnation() == 1);
  CHECK(server.start_time().seconds() == absl::ToUnixSeconds(room.engine.Now()));
  CHECK(server.grpc_address() == "127.0.0.1:7450");
  CHECK(server.http_address() == "127.0.0.1:7451");
  REQUIRE(server.libraries_size() == 2);
  CHECK(server.libraries(0).name() == "rocksdb");
  CHECK(server.libraries(1).version() == "1.51.1");
  CHECK(server.pid() == 42);
  CHECK_FALSE(server.insecure());
  CHECK(server.format_version() == 1);
}

TEST_CASE("the status counts what is there", "[admin]") {
  AdminRoom room;
  room.Make("orders", 3);
  room.Publish("orders", 0, 5);
  v1::CreateGroupRequest group;
  group.mutable_group()->set_name("billing");
  group.mutable_group()->add_topics("orders");
  REQUIRE_OK(room.groups.Create(room.caller, group));
  room.engine.Advance(absl::Milliseconds(1500));
  const v1::GetStatusResponse status = room.Status().GetStatus();
  CHECK(status.ready());
  CHECK(status.uptime().seconds() == 1);
  CHECK(status.uptime().nanos() == 500'000'000);
  CHECK(*GetTime(status.server_time()) == room.engine.Now());
  CHECK(status.topics() == 1);
  CHECK(status.partitions() == 3);
  CHECK(status.groups() == 1);
  CHECK(status.connections() == 7);
  CHECK(status.publish_streams() == 2);
  CHECK(status.subscriptions() == 0);
  CHECK(status.events_published() == 5);
  CHECK(status.bytes_published() == 50);
  CHECK(status.disk_total_bytes() > status.disk_free_bytes());
  CHECK(status.last_group() > 0);
  CHECK(status.synced_group() == status.last_group());
  CHECK(status.alarms().empty());
}

TEST_CASE("a server that is not ready says so", "[admin]") {
  AdminRoom room;
  room.facts.open = [] { return false; };
  CHECK_FALSE(room.Status().GetStatus().ready());
  CHECK(WhyNotReady(false, room.engine) == "it starts or stops");
}

// As gRPC health does: a sync alone holds up neither readers nor publishes at level OS.
TEST_CASE("a server whose log takes no write is not ready, and says why", "[admin]") {
  AdminRoom room;
  const ServerStatus status = room.Status();
  room.engine.SetUnderWay({kLogStalls - absl::Milliseconds(1), absl::Hours(1)});
  CHECK(status.GetStatus().ready());
  CHECK(WhyNotReady(true, room.engine).empty());
  room.engine.SetUnderWay({kLogStalls, absl::ZeroDuration()});
  CHECK_FALSE(status.GetStatus().ready());
  CHECK(absl::StartsWith(WhyNotReady(true, room.engine), "a write of the log does not end"));
}

TEST_CASE("what nobody counts is zero", "[admin]") {
  AdminRoom room;
  room.facts.connections = nullptr;
  room.facts.publish_streams = nullptr;
  const v1::GetStatusResponse status = room.Status().GetStatus();
  CHECK(status.connections() == 0);
  CHECK(status.publish_streams() == 0);
}

TEST_CASE("alarms stand while their condition does", "[admin]") {
  AdminRoom room;
  room.facts.insecure = true;
  const ServerStatus status = room.Status();
  using List = std::vector<std::string>;
  CHECK(Codes(status.GetStatus()) == List{"INSECURE"});
  room.engine.SetClockJump(absl::Hours(2));
  room.engine.SetDiskState(DiskState::kWarn);
  CHECK(Codes(status.GetStatus()) == List{"INSECURE", "CLOCK_JUMP", "DISK_WARN"});
  room.engine.SetDiskState(DiskState::kSoft);
  CHECK(Codes(status.GetStatus()) == List{"INSECURE", "CLOCK_JUMP", "DISK_SOFT"});
  room.engine.SetClockJump(absl::ZeroDuration());
  room.engine.SetDiskState(DiskState::kHard);
  CHECK(Codes(status.GetStatus()) == List{"INSECURE", "DISK_HARD"});
  room.engine.SetDiskState(DiskState::kOk);
  CHECK(Codes(status.GetStatus()) == List{"INSECURE"});
}

TEST_CASE("a log that stalls is an alarm that says what does not end, and for how long",
          "[admin]") {
  AdminRoom room;
  const ServerStatus status = room.Status();
  const auto text = [&status] {
    const std::vector<v1::Alarm> alarms = status.Alarms();
    return alarms.size() == 1 && alarms[0].code() == "LOG_STALLED" ? alarms[0].text() : "";
  };
  room.engine.SetUnderWay({absl::Milliseconds(4999), absl::Milliseconds(4999)});
  CHECK(status.Alarms().empty());
  room.engine.SetUnderWay({absl::Milliseconds(42'300), absl::Seconds(41)});
  CHECK(absl::StartsWith(text(), "a write of the log has not ended for 42s: "));
  // It waits for the sync.
  room.engine.SetUnderWay({absl::Seconds(42), absl::Seconds(90)});
  CHECK(absl::StartsWith(text(), "a sync of the log has not ended for 1m30s: "));
  room.engine.SetUnderWay({});
  CHECK(status.Alarms().empty());
}

TEST_CASE("an alarm keeps the time it was first seen until it goes", "[admin]") {
  AdminRoom room;
  const ServerStatus status = room.Status();
  const auto since = [&status] {
    const std::vector<v1::Alarm> alarms = status.Alarms();
    REQUIRE(alarms.size() == 1);
    return *GetTime(alarms[0].since());
  };
  room.engine.SetDiskState(DiskState::kWarn);
  const absl::Time first = room.engine.Now();
  CHECK(since() == first);
  room.engine.Advance(absl::Minutes(1));
  CHECK(since() == first);
  room.engine.SetDiskState(DiskState::kOk);
  CHECK(status.Alarms().empty());
  room.engine.SetDiskState(DiskState::kWarn);
  CHECK(since() == first + absl::Minutes(1));
}

TEST_CASE("limits come with the current use of this server", "[admin]") {
  AdminRoom room;
  room.Make("orders", 3);
  room.facts.limits.storage.in_flight_bytes = 64 << 20;
  v1::FetchRequest fetch;
  fetch.set_topic("orders");
  fetch.mutable_wait()->set_seconds(10);
  room.hub.Fetch(room.caller, fetch, [](absl::StatusOr<FetchedPage>) {});
  const v1::GetLimitsResponse response = room.Status().GetLimits();
  std::map<std::string, v1::Limit> rows;
  for (const v1::Limit& limit : response.limits()) rows[limit.name()] = limit;
  CHECK(rows["limits.partitions"].current() == 3);
  CHECK(rows["listen.max_connections"].current() == 7);
  CHECK(rows["listen.max_http_connections"].current() == 5);
  CHECK(rows["max_open_files"].current() == 31);
  CHECK(rows["limits.waiting_fetches"].current() == 1);
  CHECK(rows["storage.in_flight"].value() == 64 << 20);
  const EngineStats stats = room.engine.Stats();
  CHECK(rows["storage.tail_cache"].current() == stats.tail_cache_bytes);
  CHECK(rows["storage.max_slices"].current() == stats.slices + stats.indexes);
  CHECK(rows["storage.disk_hard_bytes"].current() == stats.disk_free_bytes);
}

TEST_CASE("a scrub reads for 10 seconds, or as long as asked, at most 25", "[admin]") {
  AdminRoom room;
  const ServerStatus status = room.Status();
  const auto scrub = [&](int64_t seconds, int32_t nanos) {
    v1::ScrubRequest request;
    request.mutable_budget()->set_seconds(seconds);
    request.mutable_budget()->set_nanos(nanos);
    return ReasonOf(status.Scrub(room.caller, request).status());
  };
  REQUIRE_OK(status.Scrub(room.caller, v1::ScrubRequest()));
  CHECK(room.engine.last_scrub_budget() == absl::Seconds(10));
  CHECK(scrub(0, 1) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(room.engine.last_scrub_budget() == absl::Nanoseconds(1));
  CHECK(scrub(25, 0) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(scrub(25, 1) == v1::INVALID_ARGUMENT);
  CHECK(scrub(-1, 0) == v1::INVALID_ARGUMENT);
  CHECK(scrub(INT64_MAX, 0) == v1::INVALID_ARGUMENT);
  CHECK(scrub(1, -1) == v1::INVALID_ARGUMENT);
}

TEST_CASE("a scrub names damage by topic and goes on by its token", "[admin]") {
  AdminRoom room;
  room.Make("orders", 2);
  room.Make("shipments", 1);
  room.Publish("orders", 1, 3);
  room.Publish("orders", 1, 2);
  room.Publish("shipments", 0, 1);
  room.engine.CorruptBatch(room.topics.Find("default", "orders")->partition(1), Offset(4));
  room.engine.SetScrubPage(2);
  const ServerStatus status = room.Status();
  v1::ScrubRequest request;
  const auto first = status.Scrub(room.caller, request);
  REQUIRE_OK(first);
  CHECK(first->batches() == 2);
  CHECK(first->bytes() == 50);
  REQUIRE(first->damaged_size() == 1);
  CHECK(first->damaged(0).topic() == "orders");
  CHECK(first->damaged(0).partition() == 1);
  CHECK(first->damaged(0).first_offset() == 3);
  CHECK(first->damaged(0).last_offset() == 4);
  CHECK_FALSE(first->damaged(0).problem().empty());
  request.set_token(first->next_token());
  const auto second = status.Scrub(room.caller, request);
  REQUIRE_OK(second);
  CHECK(second->batches() == 1);
  CHECK(second->damaged().empty());
  CHECK(second->next_token().empty());
  request.set_token("nonsense");
  CHECK(ReasonOf(status.Scrub(room.caller, request).status()) == v1::INVALID_ARGUMENT);
}

TEST_CASE("a scrub ends with what it has read when the server stops", "[admin]") {
  AdminRoom room;
  room.Make("orders", 1);
  room.Publish("orders", 0, 1);
  room.Publish("orders", 0, 1);
  const std::atomic<bool> stopping = true;
  Caller caller = room.caller;
  caller.stopping = &stopping;
  v1::ScrubRequest request;
  const auto part = room.Status().Scrub(caller, request);
  REQUIRE_OK(part);
  CHECK(part->batches() == 1);
  REQUIRE_FALSE(part->next_token().empty());
  request.set_token(part->next_token());
  CHECK(room.Status().Scrub(room.caller, request)->batches() == 1);
}

TEST_CASE("damage that a scrub found is an alarm until it is not found again, or gone", "[admin]") {
  AdminRoom room;
  room.Make("orders", 2);
  room.Make("shipments", 1);
  room.Publish("orders", 1, 3);
  room.Publish("shipments", 0, 1);
  room.engine.CorruptBatch(room.topics.Find("default", "orders")->partition(1), Offset(1));
  const PartitionId other = room.topics.Find("default", "shipments")->partition(0);
  room.engine.CorruptBatch(other, Offset(0));
  QuietScrub scrub(room.engine, room.clock, room.topics, {absl::ZeroDuration(), 0});
  const ServerStatus status = room.Status(&scrub);
  const auto alarms = [&] {
    std::vector<std::string> texts;
    for (const v1::Alarm& alarm : status.Alarms()) {
      if (alarm.code() == "DATA_DAMAGED") texts.push_back(alarm.text());
    }
    return texts;
  };
  CHECK(alarms().empty());
  for (int i = 0; i < 2; ++i) {  // Found again it is not more.
    REQUIRE_OK(status.Scrub(room.caller, v1::ScrubRequest()));
    REQUIRE(alarms().size() == 1);
    CHECK(absl::StartsWith(alarms()[0], "a scrub found 2 ranges of stored events damaged"));
  }
  room.engine.TrimTo(other, Offset(1));
  CHECK(absl::StartsWith(alarms().at(0), "a scrub found 1 range of stored events damaged"));
  scrub.damage().BeginWhole();
  CHECK(alarms().size() == 1);
  scrub.damage().EndWhole();
  CHECK(alarms().empty());
}

TEST_CASE("a clock jump is accepted with a reason only", "[admin]") {
  AdminRoom room;
  const ServerStatus status = room.Status();
  const absl::Time before = room.engine.Now();
  room.engine.SetClockJump(absl::Minutes(90));
  v1::AcceptClockRequest request;
  CHECK(ReasonOf(status.AcceptClock(room.caller, request).status()) == v1::INVALID_ARGUMENT);
  request.set_reason("  ");
  CHECK(ReasonOf(status.AcceptClock(room.caller, request).status()) == v1::INVALID_ARGUMENT);
  request.set_reason(std::string(1025, 'r'));
  CHECK(ReasonOf(status.AcceptClock(room.caller, request).status()) == v1::INVALID_ARGUMENT);
  CHECK(room.engine.ClockJump() == absl::Minutes(90));
  request.set_reason(std::string(1024, 'r'));
  const auto response = status.AcceptClock(room.caller, request);
  REQUIRE_OK(response);
  CHECK(response->moved().seconds() == 5400);
  CHECK(*GetTime(response->server_time()) == before + absl::Minutes(90));
  CHECK(room.engine.ClockJump() == absl::ZeroDuration());
}

TEST_CASE("a clock jump that nobody has looked at is told when it is accepted", "[admin]") {
  AdminRoom room;
  UnseenJump engine;
  engine.SetClockJump(absl::Minutes(90));
  const ServerStatus status(
      {engine, room.topics, room.schedules, room.groups, room.hub, room.facts, nullptr, nullptr});
  v1::AcceptClockRequest request;
  request.set_reason("it was just set");
  const auto response = status.AcceptClock(room.caller, request);
  REQUIRE_OK(response);
  CHECK(response->moved().seconds() == 5400);
}

}  // namespace
}  // namespace acta
