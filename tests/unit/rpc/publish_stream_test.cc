#include <catch2/catch.hpp>

#include <chrono>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "acta/v1/publisher.grpc.pb.h"
#include "tests/unit/rpc/raw_call.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

v1::PublishFrame OneEvent(uint64_t frame_id, const std::string& data = "data") {
  v1::PublishFrame frame;
  frame.set_frame_id(frame_id);
  frame.add_batches()->add_events()->set_data(data);
  return frame;
}

v1::PublishFrame OpenFrame(const std::string& topic) {
  v1::PublishFrame frame;
  frame.mutable_open()->set_topic(topic);
  return frame;
}

// A stream that is open, beside a topic "orders".
class OpenedStream {
 public:
  explicit OpenedStream(RpcRoom& room, const std::string& topic = "orders")
      : OpenedStream(room, topic, room.Connect()) {}
  OpenedStream(RpcRoom& room, const std::string& topic,
               const std::shared_ptr<grpc::Channel>& connection)
      : stub_(v1::Publisher::NewStub(connection)) {
    if (room.topics.Find("default", "orders") == nullptr) room.MakeTopic("orders");
    stream_ = stub_->PublishStream(&context);
    REQUIRE(stream_->Write(OpenFrame(topic)));
    REQUIRE(Next().frame_id() == 0);
  }
  auto* operator->() { return stream_.get(); }

  // The next answer, of however many a message has; frame id 999,999 at the end.
  v1::FrameResult Next() {
    if (next_ == results_.results_size()) {
      next_ = 0;
      if (!stream_->Read(&results_)) {
        results_.Clear();
        v1::FrameResult none;
        none.set_frame_id(999'999);
        return none;
      }
      ++messages;
    }
    return results_.results(next_++);
  }

  TestContext context;
  int messages = 0;

 private:
  std::unique_ptr<v1::Publisher::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::PublishFrame, v1::PublishResults>> stream_;
  v1::PublishResults results_;
  int next_ = 0;
};

TEST_CASE("each frame of a stream is answered once and in order", "[rpc]") {
  RpcRoom room;
  OpenedStream stream(room);
  CHECK(room.server->counts().publish_streams == 1);
  constexpr uint64_t kFrames = 500;
  for (uint64_t id = 1; id <= kFrames; ++id) REQUIRE(stream->Write(OneEvent(id)));
  stream->WritesDone();
  for (uint64_t id = 1; id <= kFrames; ++id) {
    const v1::FrameResult result = stream.Next();
    REQUIRE(result.frame_id() == id);
    REQUIRE(result.batches(0).parts(0).base_offset() == static_cast<int64_t>(id) - 1);
  }
  CHECK(stream.Next().frame_id() == 999'999);
  CHECK(stream->Finish().ok());
  CHECK(WaitUntil([&] { return room.server->counts().publish_streams == 0; }));
}

TEST_CASE("a half-close waits for what is under way", "[rpc]") {
  RpcRoom room;
  OpenedStream stream(room);
  room.engine.HoldDone();
  for (uint64_t id = 1; id <= 3; ++id) REQUIRE(stream->Write(OneEvent(id)));
  stream->WritesDone();
  REQUIRE(WaitUntil([&] { return room.engine.held() == 3; }));
  room.engine.ReleaseDone();
  for (uint64_t id = 1; id <= 3; ++id) CHECK(stream.Next().frame_id() == id);
  CHECK(stream.Next().frame_id() == 999'999);
  CHECK(stream->Finish().ok());
}

TEST_CASE("answers that come together go out together", "[rpc]") {
  RpcRoom room;
  OpenedStream stream(room);
  room.engine.HoldDone();
  for (uint64_t id = 1; id <= 100; ++id) REQUIRE(stream->Write(OneEvent(id)));
  REQUIRE(WaitUntil([&] { return room.engine.held() == 100; }));
  stream.messages = 0;
  room.engine.ReleaseDone();
  for (uint64_t id = 1; id <= 100; ++id) REQUIRE(stream.Next().frame_id() == id);
  CHECK(stream.messages < 100);
}

TEST_CASE("a client that waits for answers is answered before it is read, until it does not wait",
          "[rpc]") {
  RpcRoom room;
  OpenedStream stream(room);
  uint64_t id = 0;
  room.engine.HoldDone();
  for (int i = 0; i < 20; ++i) {
    REQUIRE(stream->Write(OneEvent(++id)));
    REQUIRE(WaitUntil([&] { return room.engine.held() >= 1; }));
    room.engine.ReleaseOne();
    REQUIRE(stream.Next().frame_id() == id);
  }
  for (int i = 0; i < 3; ++i) REQUIRE(stream->Write(OneEvent(++id)));
  REQUIRE(WaitUntil([&] { return room.engine.held() == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(room.engine.held() == 1);
  // Several are under way each time, which is seen when the broker looks.
  bool ahead = false;
  for (int i = 0; i < 16 && !ahead; ++i) {
    room.engine.ReleaseOne();
    REQUIRE(stream->Write(OneEvent(++id)));
    REQUIRE(WaitUntil([&] { return room.engine.held() >= 1; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ahead = room.engine.held() >= 2;
  }
  CHECK((ahead || WaitUntil([&] { return room.engine.held() >= 2; })));
  room.engine.ReleaseDone();
  stream->WritesDone();
  std::set<uint64_t> answered;
  for (uint64_t left = 20; left < id; ++left) answered.insert(stream.Next().frame_id());
  CHECK(answered.size() == id - 20);
  CHECK(answered.count(999'999) == 0);
}

TEST_CASE("a stream with too much unanswered is not read further", "[rpc]") {
  RpcLimits limits;
  limits.max_unanswered_bytes = 4096;
  RpcRoom room(limits);
  OpenedStream stream(room);
  room.engine.HoldDone();
  constexpr uint64_t kFrames = 30;
  for (uint64_t id = 1; id <= kFrames; ++id) {
    REQUIRE(stream->Write(OneEvent(id, std::string(1000, 'x'))));
  }
  REQUIRE(WaitUntil([&] { return room.engine.held() >= 3; }));
  // A stream beside it is read, so that the server has had its time for this one.
  OpenedStream other(room);
  REQUIRE(other->Write(OneEvent(1)));
  REQUIRE(WaitUntil([&] { return room.engine.held() >= 4; }));
  CHECK(room.engine.held() == 4);
  CHECK(room.server->counts().publish_streams_unanswered == 1);
  CHECK(room.server->counts().publish_streams_without_room == 0);
  room.engine.ReleaseDone();
  // The engine answers new frames beside those it held: in any order.
  std::set<uint64_t> answered;
  for (uint64_t id = 1; id <= kFrames; ++id) answered.insert(stream.Next().frame_id());
  CHECK(answered.size() == kFrames);
  CHECK(answered.count(999'999) == 0);
  CHECK(WaitUntil([&] { return room.server->counts().publish_streams_unanswered == 0; }));
}

TEST_CASE("a stream whose answers are not taken is not read further", "[rpc]") {
  RpcLimits limits;
  limits.max_unanswered_bytes = 128 << 10;
  RpcRoom room(limits);
  // Each batch is refused with the name, escaped: a far larger answer.
  OpenedStream stream(room, std::string(249, '\x01'));
  constexpr uint64_t kFrames = 12;
  constexpr int kBatches = 1000;
  v1::PublishFrame refused;
  for (int i = 0; i < kBatches; ++i) refused.add_batches();
  for (uint64_t id = 1; id <= kFrames; ++id) {
    refused.set_frame_id(id);
    REQUIRE(stream->Write(refused));
  }
  // A stream beside it is read, so that the server has had its time for this one.
  OpenedStream other(room);
  for (uint64_t id = 1; id <= 100; ++id) {
    REQUIRE(other->Write(OneEvent(id)));
    REQUIRE(other.Next().frame_id() == id);
  }
  // The connection holds some, but not half of them.
  CHECK(room.rejections.count(v1::TOPIC_NOT_FOUND) <= 6 * kBatches);
  for (uint64_t id = 1; id <= kFrames; ++id) REQUIRE(stream.Next().frame_id() == id);
}

TEST_CASE("a stream waits for room and sees no error", "[rpc]") {
  RpcLimits limits;
  limits.max_unanswered_bytes = 1;  // One frame at a time.
  RpcRoom room(limits);
  OpenedStream stream(room);
  room.engine.HoldDone();
  REQUIRE(stream->Write(OneEvent(1)));
  REQUIRE(WaitUntil([&] { return room.engine.held() == 1; }));
  room.engine.SetRoom(false);
  room.engine.ReleaseDone();
  CHECK(stream.Next().frame_id() == 1);
  REQUIRE(stream->Write(OneEvent(2)));
  // A call beside it is refused; the server has had its time for the stream by then.
  v1::PublishFrame call = OneEvent(0);
  call.mutable_batches(0)->set_topic("orders");
  v1::PublishResults refused;
  TestContext context;
  const auto stub = v1::Publisher::NewStub(room.Connect());
  const grpc::Status status = stub->Publish(&context, call, &refused);
  CHECK(Reason(status) == v1::PUBLISH_QUEUE_FULL);
  CHECK(room.server->counts().publish_streams_without_room == 1);
  room.engine.SetRoom(true);
  const v1::FrameResult result = stream.Next();
  CHECK(result.frame_id() == 2);
  CHECK_FALSE(result.has_error());
  CHECK(result.batches(0).parts_size() == 1);
  CHECK(WaitUntil([&] { return room.server->counts().publish_streams_without_room == 0; }));
}

TEST_CASE("streams that come and go while there is no room leave nothing behind", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  room.engine.SetRoom(false);
  const auto stub = v1::Publisher::NewStub(room.Connect());
  const auto without_room = [&] { return room.server->counts().publish_streams_without_room; };
  for (int i = 0; i < 20; ++i) {
    TestContext context;
    const auto stream = stub->PublishStream(&context);
    REQUIRE(WaitUntil([&] { return without_room() == 1; }));
    context.TryCancel();
    CHECK(stream->Finish().error_code() == grpc::StatusCode::CANCELLED);
    REQUIRE(WaitUntil([&] { return without_room() == 0; }));
  }
  CHECK(room.engine.waiting_for_room() == 1);
  // Several are woken by that one.
  TestContext contexts[3];
  std::unique_ptr<grpc::ClientReaderWriter<v1::PublishFrame, v1::PublishResults>> streams[3];
  for (int i = 0; i < 3; ++i) streams[i] = stub->PublishStream(&contexts[i]);
  REQUIRE(WaitUntil([&] { return without_room() == 3; }));
  room.engine.SetRoom(true);
  for (const auto& stream : streams) {
    v1::PublishResults results;
    REQUIRE(stream->Write(OpenFrame("orders")));
    CHECK(stream->Read(&results));
  }
  CHECK(without_room() == 0);
  CHECK(room.engine.waiting_for_room() == 0);
}

TEST_CASE("a malformed frame ends the stream after the answers before it", "[rpc]") {
  RpcRoom room;
  OpenedStream stream(room);
  room.engine.HoldDone();
  REQUIRE(stream->Write(OneEvent(1)));
  v1::PublishFrame malformed = OneEvent(2);
  // An event that ends inside its id.
  malformed.mutable_batches(0)->clear_events();
  malformed.GetReflection()
      ->MutableUnknownFields(malformed.mutable_batches(0))
      ->AddLengthDelimited(15, "\x0a\x7f");
  REQUIRE(stream->Write(malformed));
  REQUIRE(WaitUntil([&] { return room.engine.held() == 1; }));
  room.engine.ReleaseDone();
  CHECK(stream.Next().frame_id() == 1);
  CHECK(stream.Next().frame_id() == 999'999);
  CHECK(Reason(stream->Finish()) == v1::MALFORMED_MESSAGE);
}

TEST_CASE("a stream whose first frame does not open it is ended", "[rpc]") {
  RpcRoom room;
  TestContext context;
  const RawAnswer answer = CallRaw(room.Connect(), "/acta.v1.Publisher/PublishStream",
                                   OneEvent(1).SerializeAsString(), &context);
  CHECK(Reason(answer.status) == v1::STREAM_NOT_OPENED);
}

TEST_CASE("a bad frame fails alone", "[rpc]") {
  RpcRoom room;
  OpenedStream stream(room);
  REQUIRE(stream->Write(OneEvent(5)));
  CHECK_FALSE(stream.Next().has_error());
  REQUIRE(stream->Write(OneEvent(5)));
  CHECK(stream.Next().error().reason() == v1::FRAME_ID_NOT_RISING);
  REQUIRE(stream->Write(OneEvent(6)));
  CHECK_FALSE(stream.Next().has_error());
  CHECK(room.rejections.count(v1::FRAME_ID_NOT_RISING) == 1);
}

TEST_CASE("a stream that waits for its next frame does not hold the one before", "[rpc]") {
  RpcRoom room;
  const auto connection = room.Connect();
  std::deque<OpenedStream> streams;
  for (int i = 0; i < kOfOneConnection; ++i) streams.emplace_back(room, "nothing", connection);
  const int64_t before = HeapBytes();
  for (OpenedStream& stream : streams) {
    REQUIRE(stream->Write(OneEvent(1, LargeText())));
    CHECK(stream.Next().batches(0).error().reason() == v1::TOPIC_NOT_FOUND);
  }
  CHECK(WaitUntil([&] { return HeapBytes() < before + kHeldByNobody; }));
}

TEST_CASE("answers for a client that went are dropped", "[rpc]") {
  RpcRoom room;
  {
    OpenedStream stream(room);
    room.engine.HoldDone();
    REQUIRE(stream->Write(OneEvent(1)));
    REQUIRE(WaitUntil([&] { return room.engine.held() == 1; }));
    stream.context.TryCancel();
    CHECK(stream->Finish().error_code() == grpc::StatusCode::CANCELLED);
  }
  CHECK(WaitUntil([&] { return room.server->counts().publish_streams == 0; }));
  room.engine.ReleaseDone();
  OpenedStream next(room);
  REQUIRE(next->Write(OneEvent(1)));
  CHECK(next.Next().batches(0).parts(0).base_offset() == 1);
}

// A frame whose cause has to be looked up, which fails: the token is none.
v1::PublishFrame CausedEvent(uint64_t frame_id) {
  v1::PublishFrame frame = OneEvent(frame_id);
  frame.mutable_batches(0)->mutable_caused_by()->set_delivery_token("none");
  return frame;
}

TEST_CASE("a frame with a cause is taken on the pool, and those behind it after it", "[rpc]") {
  RpcRoom room;
  OpenedStream stream(room);
  REQUIRE(stream->Write(CausedEvent(1)));
  REQUIRE(stream->Write(OneEvent(2)));
  REQUIRE(WaitUntil([&] { return room.pool.pending() == 1; }));
  // Nothing else is taken meanwhile.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(room.pool.pending() == 1);
  room.pool.RunAll();
  const v1::FrameResult refused = stream.Next();
  CHECK(refused.frame_id() == 1);
  CHECK(refused.batches(0).error().reason() == v1::INVALID_DELIVERY_TOKEN);
  const v1::FrameResult stored = stream.Next();
  CHECK(stored.frame_id() == 2);
  CHECK_FALSE(stored.batches(0).has_error());
}

TEST_CASE("a stream that ends while a frame is on the pool ends after its answer", "[rpc]") {
  RpcRoom room;
  OpenedStream stream(room);
  REQUIRE(stream->Write(CausedEvent(1)));
  REQUIRE(WaitUntil([&] { return room.pool.pending() == 1; }));
  SECTION("half-closed") { stream->WritesDone(); }
  SECTION("the server stops") { room.server->RefuseCalls(); }
  SECTION("the client is gone") {
    stream.context.TryCancel();
    stream->Finish();
    room.pool.RunAll();
    return;
  }
  room.pool.RunAll();
  CHECK(stream.Next().frame_id() == 1);
}

grpc::Status PublishCaused(const RpcRoom& room) {
  v1::PublishFrame frame = CausedEvent(0);
  frame.mutable_batches(0)->set_topic("orders");
  TestContext context;
  v1::PublishResults results;
  return v1::Publisher::NewStub(room.Connect())->Publish(&context, frame, &results);
}

TEST_CASE("frames with a cause have a limit of bytes together, and one above it waits", "[rpc]") {
  RpcLimits limits;
  limits.max_waiting_publish_bytes = 2 * static_cast<int64_t>(CausedEvent(1).ByteSizeLong());
  RpcRoom room(limits);
  OpenedStream streams[] = {OpenedStream(room), OpenedStream(room), OpenedStream(room)};
  for (OpenedStream& stream : streams) REQUIRE(stream->Write(CausedEvent(1)));
  REQUIRE(WaitUntil([&] { return room.pool.pending() >= 2; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(room.pool.pending() == 2);
  // They are the same bytes for unary calls.
  CHECK(Reason(PublishCaused(room)) == v1::PUBLISH_QUEUE_FULL);
  // What has no cause is not held up.
  OpenedStream other(room);
  REQUIRE(other->Write(OneEvent(1)));
  CHECK_FALSE(other.Next().batches(0).has_error());
  CHECK(room.pool.RunOne());
  CHECK(WaitUntil([&] { return room.pool.pending() == 2; }));
  room.pool.RunAll();
  for (OpenedStream& stream : streams) {
    const v1::FrameResult result = stream.Next();
    CHECK(result.frame_id() == 1);
    CHECK(result.batches(0).error().reason() == v1::INVALID_DELIVERY_TOKEN);
    // It is read on.
    REQUIRE(stream->Write(OneEvent(2)));
    CHECK_FALSE(stream.Next().batches(0).has_error());
  }
}

TEST_CASE("a stream whose first frame waits for its turn is opened with it", "[rpc]") {
  RpcLimits limits;
  limits.max_waiting_publish_bytes = 1;  // One alone may be larger.
  RpcRoom room(limits);
  OpenedStream first(room);
  REQUIRE(first->Write(CausedEvent(1)));
  REQUIRE(WaitUntil([&] { return room.pool.pending() == 1; }));
  v1::PublishFrame opening = CausedEvent(0);
  opening.mutable_open()->set_topic("orders");
  const auto stub = v1::Publisher::NewStub(room.Connect());
  TestContext context;
  const auto second = stub->PublishStream(&context);
  REQUIRE(second->Write(opening));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(room.pool.pending() == 1);
  SECTION("it is answered when the one before it is through") {
    CHECK(room.pool.RunOne());
    REQUIRE(WaitUntil([&] { return room.pool.pending() == 1; }));
    room.pool.RunAll();
    v1::PublishResults results;
    REQUIRE(second->Read(&results));
    CHECK(results.results(0).batches(0).error().reason() == v1::INVALID_DELIVERY_TOKEN);
    REQUIRE(second->Write(OneEvent(1)));
    REQUIRE(second->Read(&results));
    CHECK_FALSE(results.results(0).batches(0).has_error());
  }
  SECTION("with its client it is gone") {
    context.TryCancel();
    CHECK(second->Finish().error_code() == grpc::StatusCode::CANCELLED);
    REQUIRE(WaitUntil([&] { return room.server->counts().publish_streams == 1; }));
    CHECK(room.pool.RunAll() == 1);
  }
  CHECK(first.Next().frame_id() == 1);
  // There is room again.
  REQUIRE(first->Write(CausedEvent(2)));
  REQUIRE(WaitUntil([&] { return room.pool.pending() == 1; }));
  room.pool.RunAll();
  CHECK(first.Next().frame_id() == 2);
}

TEST_CASE("nobody overtakes a large publish that waits for its turn", "[rpc]") {
  const auto waiting = std::make_shared<WaitingPublishes>(100);
  std::vector<WaitingPublishes::Lease> held;
  const auto keep = [&](WaitingPublishes::Lease lease) { held.push_back(std::move(lease)); };
  const auto drop = [&] {
    std::vector<WaitingPublishes::Lease> dropped;  // What comes to its turn then is kept anew.
    dropped.swap(held);
  };
  auto lease = waiting->Take(60);
  REQUIRE(lease.has_value());
  const int who[3] = {};
  waiting->Await(&who[0], 40, keep);
  CHECK(held.size() == 1);
  waiting->Await(&who[1], 120, keep);
  waiting->Await(&who[2], 10, keep);
  drop();  // There would be 40 bytes for the small one.
  CHECK(held.empty());
  CHECK_FALSE(waiting->Take(10).has_value());
  SECTION("it gets them when all are back") {
    lease->End();
    CHECK(held.size() == 1);
    drop();
    CHECK(held.size() == 1);
  }
  SECTION("one that is forgotten does not") {
    waiting->Forget(&who[1]);
    lease->End();
    CHECK(held.size() == 1);
    CHECK(waiting->Take(90).has_value());
  }
}

}  // namespace
}  // namespace acta
