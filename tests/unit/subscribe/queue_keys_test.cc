// Keys of a QUEUE group while members come and go, and how members share.
#include <deque>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("a key is bound to a member only while it has something in flight", "[queue]") {
  QueueRoom room(QueueRoom::Ordered());
  room.PublishKeyed({{"k", "1"}, {"k", "2"}, {"k", "3"}});
  Client& one = room.Work(1);
  Client& two = room.Work(1);
  REQUIRE(room.DataOf(one) == Strings{"1"});
  CHECK(two.sink.leased.empty());
  one.Ack(one.sink.leased[0]);
  room.Run();
  CHECK(room.DataOf(two) == Strings{"2"});
  one.Credit(1, 1000);
  room.Run();
  CHECK(room.DataOf(one) == Strings{"1"});
  two.Ack(two.sink.leased[0]);
  room.Run();
  CHECK(room.DataOf(one) == Strings{"1", "3"});
}

TEST_CASE("what waits for its key is not read again", "[queue]") {
  QueueRoom room(QueueRoom::Ordered());
  constexpr int kBatches = 200;
  for (int n = 0; n < kBatches; ++n) {
    room.PublishKeyed({{"a", absl::StrCat("a", n)}, {"b", absl::StrCat("b", n)}});
  }
  room.engine.SetCachedReads(false);
  Client& client = room.Work();
  const int64_t reads = room.engine.Stats().cold_reads;
  for (int n = 0; n < kBatches; ++n) {
    REQUIRE(client.sink.leased.size() == 2 * static_cast<size_t>(n + 1));
    client.Ack(client.sink.leased[2 * n + 1]);
    client.Ack(client.sink.leased[2 * n]);
    client.Credit(2, 1000);
    room.Run();
  }
  CHECK(room.engine.Stats().cold_reads - reads <= 1);  // Whether there is more.
}

constexpr int kKeys = 7;
constexpr int kEventsOfKey = 12;

// Members of a group with order KEY that come and go.
struct Shift : QueueRoom {
  struct Worker {
    Client* client = nullptr;
    size_t settled = 0;  // Of what it was leased.
  };

  Shift() : QueueRoom(Ordered()) {
    std::vector<std::pair<std::string, std::string>> events;
    for (int n = 0; n < kEventsOfKey; ++n) {
      for (int key = 0; key < kKeys; ++key) {
        events.emplace_back(absl::StrCat("key", key), absl::StrCat(key, " ", n));
      }
    }
    PublishKeyed(events);
  }
  void Come() { workers.push_back({&Work(), 0}); }
  // The one that is there longest.
  void Go(bool cleanly) {
    Client& client = *workers.front().client;
    workers.pop_front();
    if (cleanly) {
      client.stream->OnHalfClose();
    } else {
      client.stream->OnDisconnect();
    }
    Run();
  }
  // What they have now, and not what follows.
  void AckAll() {
    std::vector<size_t> ends;
    for (const Worker& worker : workers) ends.push_back(worker.client->sink.leased.size());
    for (size_t i = 0; i < ends.size(); ++i) {
      Worker& worker = workers[i];
      for (; worker.settled < ends[i]; ++worker.settled) {
        const RecordingSink::Leased event = worker.client->sink.leased[worker.settled];
        worker.client->Ack(event);
        processed.push_back(event.data);
      }
    }
    Run();
  }
  int64_t leased() { return Lag("workers", 0).queue().leased(); }

  std::deque<Worker> workers;
  Strings processed;
};

TEST_CASE("events without a key are never ordered, and hold nothing", "[queue]") {
  v1::QueueSettings settings = QueueRoom::Ordered(v1::ON_EXHAUSTED_HOLD_KEY);
  settings.set_max_attempts(1);
  QueueRoom room(settings);
  room.PublishKeyed({{"", "1"}, {"", "2"}, {"ann", "a1"}, {"ann", "a2"}});
  Client& client = room.Work();
  CHECK(room.DataOf(client) == Strings{"1", "2", "a1"});
  client.Nack(client.sink.leased[0]);
  client.Nack(client.sink.leased[2]);
  room.Run();
  CHECK(room.Lag("workers", 0).queue().held() == 1);
  const v1::ListDeadLettersResponse letters = room.DeadLetters();
  REQUIRE(letters.dead_letters_size() == 2);
  for (const v1::DeadLetter& letter : letters.dead_letters()) {
    CHECK(letter.held() == (letter.ref().offset() == 2));
  }
}

TEST_CASE("members come and go without stalling any key", "[queue]") {
  Shift room;
  room.Come();
  room.Come();
  room.Come();
  // No time passes: nothing waits for a lease to end.
  for (int round = 0; round < kEventsOfKey; ++round) {
    INFO(round);
    REQUIRE(room.leased() == kKeys);
    room.Go(/*cleanly=*/round % 2 == 0);
    REQUIRE(room.leased() == kKeys);
    room.Come();
    room.AckAll();
  }
  CHECK(room.Lag("workers", 0).lag_events() == 0);
  CHECK(room.DeadLetters().dead_letters().empty());
  std::map<char, int> next;  // By key.
  REQUIRE(room.processed.size() == kKeys * kEventsOfKey);
  for (const std::string& data : room.processed) {
    CHECK(data == absl::StrCat(data.substr(0, 1), " ", next[data[0]]++));
  }
}

// Each round so many events come at once, and all is settled before the next.
std::vector<size_t> ShareOut(const std::vector<int64_t>& credits, int rounds, int events) {
  QueueRoom room;
  std::vector<Client*> clients;
  std::vector<size_t> got(credits.size());
  for (const int64_t credit : credits) clients.push_back(&room.Work(credit));
  for (int round = 0; round < rounds; ++round) {
    room.PublishNumbers(0, events, events);
    room.Run();
    for (size_t i = 0; i < clients.size(); ++i) {
      Client& client = *clients[i];
      const size_t more = client.sink.leased.size() - got[i];
      for (; got[i] < client.sink.leased.size(); ++got[i]) client.Ack(client.sink.leased[got[i]]);
      if (more > 0) client.Credit(static_cast<int64_t>(more), static_cast<int64_t>(more) * 20);
    }
    room.Run();
  }
  return got;
}

TEST_CASE("over time members share by their free credit", "[queue]") {
  const std::vector<int64_t> credits = GENERATE(
      std::vector<int64_t>{30, 10}, std::vector<int64_t>{10, 30}, std::vector<int64_t>{100, 100},
      std::vector<int64_t>{50, 50, 50}, std::vector<int64_t>{100, 100, 100, 100},
      std::vector<int64_t>{80, 40, 20, 20}, std::vector<int64_t>(8, 100));
  const auto whole = static_cast<double>(std::accumulate(credits.begin(), credits.end(), 0));
  const std::vector<size_t> got = ShareOut(credits, 100, 40);
  CHECK(std::accumulate(got.begin(), got.end(), size_t{0}) == 4000);
  for (size_t i = 0; i < credits.size(); ++i) {
    INFO(i << " of " << credits.size() << ", credit " << credits[i]);
    CHECK(static_cast<double>(got[i]) / 4000 ==
          Approx(static_cast<double>(credits[i]) / whole).margin(0.02));
  }
}

// Singly, each settled before the next.
std::vector<size_t> Trickle(QueueRoom& room, const std::vector<Client*>& clients, int events) {
  std::vector<size_t> before;
  for (const Client* client : clients) before.push_back(client->sink.leased.size());
  std::vector<size_t> got(clients.size());
  for (int i = 0; i < events; ++i) {
    room.Publish(0, {"e"});
    room.Run();
    for (size_t c = 0; c < clients.size(); ++c) {
      for (; before[c] + got[c] < clients[c]->sink.leased.size(); ++got[c]) {
        clients[c]->Ack(clients[c]->sink.leased[before[c] + got[c]]);
        clients[c]->Credit(1, 100);
      }
    }
    room.Run();
  }
  return got;
}

TEST_CASE("who got little credit back, or was slow, is not made up for it with all that comes",
          "[queue]") {
  QueueRoom room;
  SECTION("one had room for one event, and now for a thousand") {
    Client& one = room.Work(1);
    Client& other = room.Work(1000);
    room.Publish(0, {"first"});
    room.Run();
    REQUIRE(one.sink.leased.size() == 1);
    one.Ack(one.sink.leased[0]);
    one.Credit(1000, 100'000);
    room.Run();
    CHECK(Trickle(room, {&one, &other}, 40)[0] >= 18);
  }
  SECTION("one was slow while there was much to do") {
    Client& one = room.Work(50);
    Client& slow = room.Work(50);
    room.PublishNumbers(0, 500, 100);
    room.Run();
    size_t acked = 0;
    while (one.sink.leased.size() + slow.sink.leased.size() < 500) {
      for (; acked < one.sink.leased.size(); ++acked) {
        one.Ack(one.sink.leased[acked]);
        one.Credit(1, 100);
      }
      room.Run();
    }
    REQUIRE(slow.sink.leased.size() == 50);
    for (; acked < one.sink.leased.size(); ++acked) {
      one.Ack(one.sink.leased[acked]);
      one.Credit(1, 100);
    }
    for (const RecordingSink::Leased& event : slow.sink.leased) slow.Ack(event);
    slow.Credit(50, 5000);
    room.Run();
    const std::vector<size_t> got = Trickle(room, {&one, &slow}, 40);
    CHECK(got[0] >= 18);
    CHECK(got[1] >= 18);
  }
}

TEST_CASE("a redrive under KEY waits until the key has nothing in flight", "[queue]") {
  QueueRoom room(QueueRoom::Ordered(v1::ON_EXHAUSTED_DEAD_LETTER));
  room.PublishKeyed({{"k", "1"}, {"k", "2"}, {"k", "3"}, {"j", "4"}});
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"1", "4"});
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[0]);
  client.Ack(client.sink.leased[1]);
  room.Run();
  REQUIRE(room.DataOf(client) == Strings{"1", "4", "2"});
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  redrive.mutable_selection()->set_all(true);
  redrive.set_accept_order(true);
  REQUIRE(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
  room.Run();
  CHECK(client.sink.leased.size() == 3);
  SECTION("and what is in flight is processed") {
    room.Wait(absl::Seconds(20));
    CHECK(client.sink.leased.size() == 3);
    room.engine.HoldDone();
    client.Ack(client.sink.leased[2]);
    room.Run();
    CHECK(client.sink.leased.size() == 3);  // Not before that is durable.
    room.engine.ReleaseDone();
    room.Run();
    REQUIRE(room.DataOf(client) == Strings{"1", "4", "2", "1"});
  }
  SECTION("and what is in flight fails, and comes first") {
    client.Nack(client.sink.leased[2]);
    room.Run();
    CHECK(client.sink.leased.size() == 3);
    room.Advance(absl::Seconds(2));
    REQUIRE(room.DataOf(client) == Strings{"1", "4", "2", "2"});
    client.Ack(client.sink.leased[3]);
    room.Run();
    REQUIRE(room.DataOf(client) == Strings{"1", "4", "2", "2", "1"});
  }
  // Now it is the one in flight, before those behind it.
  room.Wait(absl::Seconds(20));
  CHECK(client.sink.leased.back().redrives == 1);
  const size_t before = client.sink.leased.size();
  client.Ack(client.sink.leased.back());
  room.Run();
  REQUIRE(client.sink.leased.size() == before + 1);
  CHECK(client.sink.leased.back().data == "3");
}

}  // namespace
}  // namespace acta
