// Steps of members of STREAM groups over several partitions, of which one is busy.
#include "tests/unit/settle/stream_step_room.h"

namespace acta {
namespace {

// The n-th that the client was delivered of a partition.
RecordingSink::Piece PieceOf(const Client& client, int32_t partition, size_t n,
                             const std::string& topic = "orders") {
  for (const RecordingSink::Piece& piece : client.sink.pieces) {
    if (piece.assignment == client.sink.Handle(partition, topic) && n-- == 0) return piece;
  }
  FAIL("it was not delivered");
  return {};
}

v1::SettleRequest StepOver(const RecordingSink::Piece& one, const RecordingSink::Piece& other,
                           const std::string& bill) {
  v1::SettleRequest request = StreamStepRoom::Step(one, bill);
  *request.add_processed() = StreamStepRoom::Step(other).processed(0);
  return request;
}

void CheckWritten(const auto& step) {
  REQUIRE(step->has_value());
  CHECK_OK(**step);
}

TEST_CASE("a step that waits for one of its partitions keeps its place in the others", "[step]") {
  // By the commit that it waits for.
  const bool refused = GENERATE(false, true);
  StreamStepRoom room;
  room.GrowTopic(2);
  for (int32_t partition = 0; partition < 2; ++partition) room.PublishNumbers(partition, 4, 2);
  Client& client = room.Read("one");
  REQUIRE(client.sink.pieces.size() == 4);
  const bool released = GENERATE(true, false);
  Client* const other = released ? &room.Read("two") : nullptr;  // Partition 1 is revoked for it.
  room.engine.HoldDone();
  client.Commit(client.sink.Handle(0), refused ? 4 : 2);
  const auto step = room.Begin(StepOver(PieceOf(client, 0, 1), PieceOf(client, 1, 0), "bill"));
  CHECK_FALSE(step->has_value());
  const uint64_t handle = client.sink.Handle(1);
  const uint64_t frame = released ? client.Released(handle) : client.Commit(handle, 4);
  room.Run();
  if (released) CHECK(other->sink.by_handle.empty());
  room.engine.ReleaseDone();
  room.Run();
  CHECK(client.sink.acked_through() >= frame);
  CHECK(client.sink.ErrorOf(frame) == v1::ERROR_REASON_UNSPECIFIED);
  REQUIRE(step->has_value());
  CHECK(ReasonOf((*step)->status()) ==
        (refused ? v1::ALREADY_SETTLED : v1::ERROR_REASON_UNSPECIFIED));
  CHECK(room.Bills() == (refused ? Strings{} : Strings{"bill"}));
  CHECK(room.Committed(0) == 4);
  const int64_t behind = refused ? 0 : 2;
  CHECK(room.Committed(1) == (released ? behind : 4));
  if (!released) return;
  REQUIRE(other->sink.Handle(1) != 0);
  CHECK(other->sink.by_handle[other->sink.Handle(1)].offset() == behind);
}

TEST_CASE("steps over several partitions do not wait for each other", "[step]") {
  StreamStepRoom room;
  room.GrowTopic(3);
  for (int32_t partition = 0; partition < 3; ++partition) room.PublishNumbers(partition, 4, 2);
  Client& client = room.Read();
  room.engine.HoldDone();
  client.Commit(client.sink.Handle(2), 4);
  const auto refused = room.Begin(StepOver(PieceOf(client, 1, 0), PieceOf(client, 2, 1), "none"));
  const auto one = room.Begin(StepOver(PieceOf(client, 0, 0), PieceOf(client, 1, 0), "one"));
  const auto two = room.Begin(StepOver(PieceOf(client, 0, 1), PieceOf(client, 1, 1), "two"));
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE(refused->has_value());
  CHECK(ReasonOf((*refused)->status()) == v1::ALREADY_SETTLED);
  CheckWritten(one);
  CheckWritten(two);
  CHECK(room.Bills() == Strings{"one", "two"});
  CHECK(room.Committed(0) == 4);
  CHECK(room.Committed(1) == 4);
}

TEST_CASE("no step overtakes one that came before it, whatever that waits for", "[step]") {
  StreamStepRoom room;
  room.GrowTopic(2);
  for (int32_t partition = 0; partition < 2; ++partition) room.PublishNumbers(partition, 6, 2);
  Client& client = room.Read();
  room.engine.HoldDone();
  client.Commit(client.sink.Handle(1), 2);  // Ends first.
  room.Run();
  client.Commit(client.sink.Handle(0), 2);
  room.Run();
  const auto one = room.Begin(StepOver(PieceOf(client, 0, 1), PieceOf(client, 1, 1), "one"));
  const auto two = room.Begin(StreamStepRoom::Step(PieceOf(client, 1, 2), "two"));
  room.engine.ReleaseDone();
  room.Run();
  CheckWritten(one);
  CheckWritten(two);
  CHECK(room.Bills() == Strings{"one", "two"});
  CHECK(room.Committed(0) == 4);
  CHECK(room.Committed(1) == 6);
}

TEST_CASE("who waits for a step that waits elsewhere is answered when the topic goes", "[step]") {
  StreamStepRoom room;
  room.PublishNumbers(0, 4, 2);
  room.Publish(0, {"a", "b"}, "bills");
  v1::SubscribeStart start = room.Member("readers", "one");
  start.add_topics()->set_topic("bills");
  start.add_wanted_features("DELIVERY_TOKENS");
  Client& client = room.Subscribe(start);
  REQUIRE(client.sink.pieces.size() == 3);
  room.engine.HoldDone();
  client.Commit(client.sink.Handle(0), 2);
  const auto step = room.Begin(StepOver(PieceOf(client, 0, 1), PieceOf(client, 0, 0, "bills"), ""));
  const uint64_t commit = client.Commit(client.sink.Handle(0, "bills"), 2);
  room.engine.ReleaseDone();
  room.DeleteTopic("bills");
  room.Run();
  REQUIRE(step->has_value());
  CHECK(ReasonOf((*step)->status()) == v1::FENCED);
  CHECK(client.sink.acked_through() >= commit);
  CHECK(client.sink.ErrorOf(commit) == v1::FENCED);
  CHECK(room.Committed() == 2);
}

}  // namespace
}  // namespace acta
