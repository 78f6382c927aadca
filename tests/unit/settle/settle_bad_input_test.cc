// Steps that are not what they should be: each a typed error, and nothing happens.
#include <limits>

#include "server/core/settle/step_request.h"
#include "tests/unit/settle/step_room.h"

namespace acta {
namespace {

TEST_CASE("a token that is damaged, forged or of another group is refused", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  const RecordingSink::Leased& leased = client.sink.leased[0];
  const auto with = [&](std::string token) {
    v1::SettleRequest request = room.Step(leased, "bill");
    request.mutable_processed(0)->set_delivery_token(std::move(token));
    return request;
  };
  CHECK(room.Refused(with("")) == v1::INVALID_DELIVERY_TOKEN);
  CHECK(room.Refused(with(leased.token.substr(1))) == v1::INVALID_DELIVERY_TOKEN);
  for (const size_t at : {size_t{15}, size_t{31}, size_t{46}, size_t{63}}) {
    INFO(at);
    std::string forged = leased.token;
    forged[at] = static_cast<char>(forged[at] ^ 1);
    CHECK(room.Refused(with(forged)) == v1::INVALID_DELIVERY_TOKEN);
  }
  v1::CreateGroupRequest create;
  create.mutable_group()->set_name("others");
  create.mutable_group()->add_topics("orders");
  create.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  REQUIRE_OK(room.groups.Create(room.caller, create));
  v1::SettleRequest foreign = room.Step(leased, "bill");
  foreign.set_group("others");
  CHECK(room.Refused(foreign) == v1::INVALID_DELIVERY_TOKEN);
  CHECK(room.Bills().empty());
  CHECK(room.Outstanding() == 1);
}

TEST_CASE("a token of a former life of the broker settles nothing", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  client.Ack(client.sink.leased[1]);
  room.Run();
  const auto group = room.groups.FindForStep(room.caller, "", "workers");
  REQUIRE_OK(group);
  RecordingSink::Leased old = client.sink.leased[0];
  old.token = DeliveryTokens().Make({(*group)->id(), 1, room.Id(0), Offset(0), 2, 1});
  CHECK(room.Refused(room.Step(old, "bill")) == v1::LEASE_LOST);
  old.offset = 1;
  CHECK(room.Refused(room.Step(old, "bill")) == v1::ALREADY_SETTLED);
  CHECK(room.Bills().empty());
}

TEST_CASE("a forged token of a former life that no delivery can have is refused", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  const auto group = room.groups.FindForStep(room.caller, "", "workers");
  REQUIRE_OK(group);
  DeliveredRun run;
  run.group = (*group)->id();
  run.session = 1;
  run.partition = room.Id(0);
  run.count = 1;
  run.attempt = 1;
  SECTION("with more events than a number has") { run.count = 0xffffffff; }
  SECTION("behind every log") { run.first = Offset(std::numeric_limits<int64_t>::max()); }
  v1::SettleRequest request = room.Step(client.sink.leased[0]);
  request.mutable_processed(0)->set_delivery_token(DeliveryTokens().Make(run));
  request.mutable_processed(0)->clear_offset();
  request.mutable_processed(0)->clear_count();
  CHECK(room.Refused(request) == v1::INVALID_DELIVERY_TOKEN);
  CHECK(room.Outstanding() == 1);
}

TEST_CASE("a step names events, of one member, each once", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 2);
  Client& one = room.Work(1);
  Client& two = room.Work(1);
  REQUIRE(one.sink.leased.size() == 1);
  REQUIRE(two.sink.leased.size() == 1);
  v1::SettleRequest nothing;
  nothing.set_group("workers");
  CHECK(room.Refused(nothing) == v1::INVALID_ARGUMENT);
  v1::SettleRequest both = room.Step(one.sink.leased[0]);
  *both.add_processed() = room.Step(two.sink.leased[0]).processed(0);
  CHECK(room.Refused(both) == v1::INVALID_ARGUMENT);
  v1::SettleRequest twice = room.Step(one.sink.leased[0]);
  *twice.add_processed() = twice.processed(0);
  CHECK(room.Refused(twice) == v1::INVALID_ARGUMENT);
  v1::SettleRequest beyond = room.Step(one.sink.leased[0]);
  beyond.mutable_processed(0)->set_count(2);
  CHECK(room.Refused(beyond) == v1::INVALID_ARGUMENT);
  beyond.mutable_processed(0)->set_count(-1);
  CHECK(room.Refused(beyond) == v1::INVALID_ARGUMENT);
  v1::SettleRequest other_cause = room.Step(one.sink.leased[0], "bill");
  other_cause.mutable_caused_by()->set_delivery_token(two.sink.leased[0].token);
  other_cause.mutable_caused_by()->set_offset(two.sink.leased[0].offset);
  CHECK(room.Refused(other_cause) == v1::INVALID_ARGUMENT);
  CHECK(room.Outstanding() == 2);
  REQUIRE_OK(room.Settle(room.Step(one.sink.leased[0])));
  REQUIRE_OK(room.Settle(room.Step(two.sink.leased[0])));
}

TEST_CASE("a step has at most 1,000 deliveries and 10,000 events", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 11'001, 11'001);
  Client& client = room.Work(20'000);
  REQUIRE(client.sink.leased.size() == 11'001);
  v1::SettleRequest runs = room.Step(client.sink.leased[0]);
  for (size_t i = 1; i < 1000; ++i) {
    *runs.add_processed() = room.Step(client.sink.leased[i]).processed(0);
  }
  v1::SettleRequest more = runs;
  *more.add_processed() = room.Step(client.sink.leased[1000]).processed(0);
  CHECK(room.Refused(more) == v1::LIMIT_EXCEEDED);
  CHECK(room.LimitOf(more) == "max_step_runs");
  REQUIRE_OK(room.Settle(runs));
  v1::SettleRequest events;
  events.set_group("workers");
  for (size_t at = 1000; at < client.sink.leased.size();) {
    const std::string& token = client.sink.leased[at].token;
    v1::ProcessedEvents* processed = events.add_processed();
    processed->set_delivery_token(token);
    processed->set_offset(client.sink.leased[at].offset);
    const size_t first = at;
    while (at < client.sink.leased.size() && client.sink.leased[at].token == token) ++at;
    processed->set_count(static_cast<int32_t>(at - first));
  }
  CHECK(room.Refused(events) == v1::LIMIT_EXCEEDED);
  CHECK(room.LimitOf(events) == "max_step_events");
  v1::ProcessedEvents* last = events.mutable_processed(events.processed_size() - 1);
  last->set_count(last->count() - 1);
  REQUIRE_OK(room.Settle(events));
  CHECK(room.Outstanding() == 1);
}

TEST_CASE("steps that are not answered hold at most 64 MiB", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 6);
  Client& client = room.Work();
  room.engine.HoldDone();
  std::vector<StepRoom::Answer> answers;
  const std::string bill(900'000, 'x');
  for (size_t i = 0; i < 6; ++i) {
    v1::SettleRequest request = room.Step(client.sink.leased[i], bill);
    for (int more = 1; more < 15; ++more) {
      request.mutable_publish(0)->add_events()->set_data(bill);
    }
    answers.push_back(room.Begin(request));
  }
  REQUIRE(answers[4]->has_value());
  CHECK(ReasonOf((*answers[4])->status()) == v1::PUBLISH_QUEUE_FULL);
  CHECK(DetailsOf((*answers[4])->status()).at("limit") == "max_step_bytes_in_flight");
  for (int i = 0; i < 10; ++i) {
    room.engine.ReleaseDone();
    room.Run();
  }
  REQUIRE(answers[3]->has_value());
  REQUIRE_OK(**answers[3]);
  REQUIRE_OK(room.Settle(room.Step(client.sink.leased[4], bill)));
}

TEST_CASE("a step is of the group that is named", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0]);
  request.set_group("nothing");
  CHECK(room.Refused(request) == v1::GROUP_NOT_FOUND);
  room.Subscribe(room.Member("readers"));
  request.set_group("readers");
  CHECK(room.Refused(request) == v1::INVALID_DELIVERY_TOKEN);
  request.set_group("workers");
  request.set_tenant("other");
  CHECK(room.Refused(request) == v1::TENANT_NOT_FOUND);
}

TEST_CASE("tokens are for those who want them", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 2);
  Client& plain = room.QueueRoom::Work(1);
  CHECK(plain.sink.leased[0].token.empty());
  CHECK(plain.sink.Notices("GRANTED_FEATURE").empty());
  Client& client = room.Work(1);
  CHECK(client.sink.leased[0].token.size() == DeliveryTokens::kBytes);
  REQUIRE(client.sink.Notices("GRANTED_FEATURE").size() == 1);
  CHECK(client.sink.Notices("GRANTED_FEATURE")[0].text() == "DELIVERY_TOKENS");
}

}  // namespace
}  // namespace acta
