// What a QUEUE group writes, and who waits for it.
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "acta/storage/v1/records.pb.h"
#include "acta/v1/publisher.pb.h"
#include "server/core/queues/group_queue.h"
#include "storage/layout/rows.h"
#include "tests/unit/groups/groups_room.h"

namespace acta {
namespace {

constexpr int64_t kJobs = 100;

// A topic `orders` of one partition with events, and a QUEUE group `workers` on it.
void MakeJobs(GroupsRoom& room) {
  room.MakeTopic("orders", 1);
  v1::PartitionBatch batch;
  for (int64_t i = 0; i < kJobs; ++i) batch.add_events()->set_data("job");
  Transaction transaction;
  Append& append = transaction.appends.emplace_back();
  append.partition = room.topics->Find("default", "orders")->partition(0);
  append.payload = SharedBytes(batch.SerializeAsString());
  append.payload_crc32c = Crc32c(append.payload.view());
  append.count = static_cast<uint32_t>(kJobs);
  transaction.done = [](const TransactionResult& result) { REQUIRE_OK(result.status); };
  REQUIRE_OK(room.engine.Submit(std::move(transaction)));
  v1::CreateGroupRequest request;
  request.mutable_group()->set_name("workers");
  request.mutable_group()->add_topics("orders");
  request.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  *request.mutable_start() = GroupsRoom::Earliest();
  REQUIRE_OK(room.groups->Create(room.caller, request));
}

PartitionId Jobs(const GroupsRoom& room) {
  return room.topics->Find("default", "orders")->partition(0);
}

// That of MakeJobs(), which has looked at all of them.
std::shared_ptr<StepGroup> ScannedGroup(GroupsRoom& room) {
  auto group = room.groups->FindForStep(room.caller, "", "workers");
  REQUIRE_OK(group);
  REQUIRE_OK((*group)->queue()->ScanThrough(Jobs(room), Offset(kJobs)));
  return *std::move(group);
}

// As years leave them.
void MakeLetters(GroupsRoom& room) {
  Transaction letters;
  for (int64_t offset = 0; offset < 25'000; ++offset) {
    letters.rows.push_back({Family::kState,
                            QueueRow(kDeadLetterRows, GroupId(1), Jobs(room), Offset(offset)),
                            std::string()});
  }
  REQUIRE_OK(room.engine.Submit(std::move(letters)));
  room.Restart();  // They count.
}

// Makes a change of the group while retention asks for copies. `fails`: its write does.
void CheckBesideRetention(GroupsRoom& room, bool fails, absl::FunctionRef<absl::Status()> change) {
  absl::Status meanwhile;
  bool asking = false;
  room.engine.on_submit = [&] {
    if (room.groups->group_count() == 0) return;  // It is asked no more.
    if (std::exchange(asking, true)) return;
    meanwhile = room.groups->KeepCopies(Jobs(room), Offset(kJobs / 2));
    asking = false;
  };
  if (fails) room.engine.FailNextWrite(Error(v1::DISK_FULL, "full"));
  CHECK(change().ok() == !fails);
  room.engine.on_submit = nullptr;
  CHECK(meanwhile.code() == absl::StatusCode::kUnavailable);
}

}  // namespace

TEST_CASE("who waits for what changed does not wait for what changes later", "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  const auto member = room.Join("workers", std::make_shared<RecordingMember>());
  REQUIRE_OK(member);
  GroupQueue& queue = *(*member)->queue();
  const uint64_t session = (*member)->session();
  std::vector<QueueDelivery> taken;
  std::vector<QueueProblem> problems;
  CHECK(queue.Take(session, {kJobs, 1 << 20}, &taken, &problems).events == kJobs);
  int64_t settled = 0;
  const auto settle = [&] {
    QueueSettlement one;
    one.partition = Jobs(room);
    one.offset = Offset(settled++);
    CHECK(queue.Settle(session, {&one, 1}, [](const absl::Status&) {}).empty());
  };
  // While something is written, the next thing is settled.
  room.engine.on_submit = [&] {
    if (settled < kJobs) settle();
  };
  settle();
  REQUIRE_OK(queue.WaitQuiet());
  CHECK(settled < 10);
  room.engine.on_submit = nullptr;
  REQUIRE_OK(queue.WaitQuiet());
  CHECK(room.Lag("workers", 0).lag_events() == kJobs - settled);
}

TEST_CASE("a reset of a queue leaves nothing behind that retention has it write meanwhile",
          "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  auto group = ScannedGroup(room);
  v1::ResetOffsetsRequest reset;
  reset.set_group("workers");
  reset.mutable_to()->set_latest(true);
  reset.set_reason("nobody needs them");
  const bool fails = GENERATE(false, true);
  CheckBesideRetention(room, fails,
                       [&] { return room.groups->ResetOffsets(room.caller, reset).status(); });
  CHECK(room.Lag("workers", 0).lag_events() == (fails ? kJobs : 0));
  CHECK_OK(group->queue()->WaitQuiet());
  CHECK(room.engine.LoadRows(Family::kState, kParkedRows)->empty());
  group.reset();
  room.Restart();
  CHECK(room.Lag("workers", 0).committed_offset() == (fails ? 0 : kJobs));
  CHECK(room.Lag("workers", 0).lag_events() == (fails ? kJobs : 0));
}

TEST_CASE("a deletion of a queue leaves nothing behind that retention has it write meanwhile",
          "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  const auto group = ScannedGroup(room);
  v1::DeleteGroupRequest deletion;
  deletion.set_name("workers");
  const bool fails = GENERATE(false, true);
  CheckBesideRetention(room, fails,
                       [&] { return room.groups->Delete(room.caller, deletion).status(); });
  CHECK_OK(group->queue()->WaitQuiet());
  for (const char* kind : {kParkedRows, kKeptRows}) {
    CHECK(room.engine.LoadRows(Family::kState, kind)->empty());
  }
  if (fails) {
    CHECK(room.Lag("workers", 0).lag_events() == kJobs);
  } else {
    CHECK(room.engine.LoadRows(Family::kState, kPositionRows)->empty());
  }
}

size_t RowsOf(const GroupsRoom& room, const char* kind) {
  return room.engine.LoadRows(Family::kState, kind)->size();
}

// Makes a change that deletes the letters of MakeLetters(). `fails`: behind the first page of that
// nothing is written any more.
void ForgetLetters(GroupsRoom& room, bool fails, absl::FunctionRef<void()> change) {
  REQUIRE(RowsOf(room, kDeadLetterRows) == 25'000);
  room.engine.most_rows = 0;
  room.engine.on_submit = [&] {
    if (!fails || room.engine.most_rows < 10'000) return;
    room.engine.refuse = Error(v1::SERVER_STOPPING, "killed");
  };
  change();
  CHECK(room.engine.most_rows == 10'000);
  room.engine.on_submit = nullptr;
  room.engine.refuse = absl::OkStatus();
}

// The same of a change that deletes their position too. `killed`: what it leaves goes at the next
// start.
void CheckLettersGo(GroupsRoom& room, bool killed, absl::FunctionRef<void()> change) {
  ForgetLetters(room, killed, change);
  CHECK((RowsOf(room, kDeadLetterRows) > 0) == killed);
  CHECK(RowsOf(room, kPositionRows) == (killed ? 1 : 0));
  room.Restart();
  CHECK(RowsOf(room, kDeadLetterRows) == 0);
  CHECK(RowsOf(room, kPositionRows) == 0);
}

// Goal: a write of all that years have left would keep everybody else waiting.
TEST_CASE("a queue with a long history is deleted by some rows a write, also over a kill",
          "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  MakeLetters(room);
  CheckLettersGo(room, GENERATE(false, true), [&room] {
    v1::DeleteGroupRequest deletion;
    deletion.set_name("workers");
    REQUIRE_OK(room.groups->Delete(room.caller, deletion));
    CHECK(room.groups->group_count() == 0);
  });
  CHECK(room.groups->group_count() == 0);
}

TEST_CASE("a topic that a queue has read for years goes by some rows a write, also over a kill",
          "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  MakeLetters(room);
  CheckLettersGo(room, GENERATE(false, true), [&room] {
    v1::DeleteTopicRequest deletion;
    deletion.set_name("orders");
    room.topics->Delete(room.caller, deletion).status().IgnoreError();
  });
  CHECK(room.groups->group_count() == 1);
}

absl::Status SetTopicsOfWorkers(GroupsRoom& room, const std::vector<std::string>& topics) {
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("workers");
  for (const std::string& topic : topics) update.mutable_group()->add_topics(topic);
  update.mutable_update_mask()->add_paths("topics");
  return room.groups->Update(room.caller, update).status();
}

// `workers` reads `flights` instead of `orders`, of which it has kept much. `fails`: behind the
// first page of that nothing is written any more.
void LeaveOrders(GroupsRoom& room, bool fails) {
  MakeJobs(room);
  room.MakeTopic("flights", 1);
  MakeLetters(room);
  ForgetLetters(room, fails, [&room] { REQUIRE_OK(SetTopicsOfWorkers(room, {"flights"})); });
  CHECK(RowsOf(room, kDeadLetterRows) == (fails ? 15'000 : 0));
  CHECK(RowsOf(room, kPositionRows) == (fails ? 2 : 1));
  CHECK(room.Lag("workers", 0, "flights").queue().dead_letters() == 0);
}

TEST_CASE("what a queue kept of a topic that it leaves goes by some rows a write, also over a kill",
          "[queue]") {
  GroupsRoom room;
  LeaveOrders(room, GENERATE(false, true));
  room.Restart();
  CHECK(RowsOf(room, kDeadLetterRows) == 0);
  CHECK(RowsOf(room, kPositionRows) == 1);
  CHECK(room.Lag("workers", 0, "flights").queue().dead_letters() == 0);
}

TEST_CASE("a queue that reads a topic again has nothing of what it kept before, and loses nothing",
          "[queue]") {
  GroupsRoom room;
  LeaveOrders(room, /*fails=*/true);
  REQUIRE_OK(SetTopicsOfWorkers(room, {"flights", "orders"}));
  CHECK(RowsOf(room, kDeadLetterRows) == 0);
  CHECK(RowsOf(room, kPositionRows) == 2);
  room.Advance(absl::Minutes(10));  // When the rest would have gone.
  CHECK(RowsOf(room, kPositionRows) == 2);
  room.Restart();
  CHECK(room.Lag("workers", 0).committed_offset() == kJobs);
  CHECK(room.Lag("workers", 0).queue().dead_letters() == 0);
}

// Goal: copies are as large as events, and only their keys are written.
TEST_CASE("what a queue kept is deleted in a handful of writes, however large its events were",
          "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  Transaction copies;
  for (int64_t offset = 0; offset < 20; ++offset) {
    copies.rows.push_back({Family::kState,
                           QueueRow(kKeptRows, GroupId(1), Jobs(room), Offset(offset)),
                           std::string(1 << 20, 'x')});
  }
  REQUIRE_OK(room.engine.Submit(std::move(copies)));
  int writes = 0;
  room.engine.on_submit = [&] { ++writes; };
  if (GENERATE(false, true)) {
    v1::DeleteTopicRequest deletion;
    deletion.set_name("orders");
    REQUIRE_OK(room.topics->Delete(room.caller, deletion));
  } else {
    v1::DeleteGroupRequest deletion;
    deletion.set_name("workers");
    REQUIRE_OK(room.groups->Delete(room.caller, deletion));
  }
  room.engine.on_submit = nullptr;
  CHECK(writes <= 4);
  for (const char* kind : {kKeptRows, kPositionRows}) {
    CHECK(room.engine.LoadRows(Family::kState, kind)->empty());
  }
}

TEST_CASE("retention goes on, and nobody sees the group, while what it kept is deleted",
          "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  MakeLetters(room);
  int behind = 0;  // Writes behind that of its record.
  room.engine.on_submit = [&] {
    if (!room.engine.LoadRows(Family::kMeta, kGroupRows)->empty()) return;
    ++behind;
    CHECK_OK(room.groups->KeepCopies(Jobs(room), Offset(kJobs / 2)));
    CHECK(room.groups->group_count() == 0);
    CHECK(room.groups->NameOf(GroupId(1)) == std::nullopt);
  };
  v1::DeleteGroupRequest deletion;
  deletion.set_name("workers");
  REQUIRE_OK(room.groups->Delete(room.caller, deletion));
  room.engine.on_submit = nullptr;
  CHECK(behind == 3);
}

// Goal: what takes long to delete keeps nobody else from a change. Method: behind the first page
// another thread makes a group, and the next page is read when it has.
TEST_CASE("groups are changed while what a queue kept is deleted", "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  room.MakeTopic("flights", 1);
  MakeLetters(room);
  room.engine.most_rows = 0;
  std::thread other;
  absl::Status made = absl::UnknownError("never done");
  std::future_status in_time = std::future_status::deferred;
  bool begun = false;
  room.engine.on_load = [&] {
    if (room.engine.most_rows < 10'000 || std::exchange(begun, true)) return;
    std::promise<void> done;
    std::future<void> is_done = done.get_future();
    other = std::thread([&room, &made, done = std::move(done)]() mutable {
      made = room.MakeGroup("billing", {"flights"});
      done.set_value();
    });
    in_time = is_done.wait_for(absl::ToChronoSeconds(absl::Seconds(10)));
  };
  SECTION("by a deletion of the group") {
    v1::DeleteGroupRequest deletion;
    deletion.set_name("workers");
    REQUIRE_OK(room.groups->Delete(room.caller, deletion));
  }
  SECTION("by a deletion of the topic") {
    v1::DeleteTopicRequest deletion;
    deletion.set_name("orders");
    REQUIRE_OK(room.topics->Delete(room.caller, deletion));
  }
  SECTION("of a topic that it leaves") { REQUIRE_OK(SetTopicsOfWorkers(room, {"flights"})); }
  other.join();
  room.engine.on_load = nullptr;
  CHECK(in_time == std::future_status::ready);
  CHECK_OK(made);
  CHECK(RowsOf(room, kDeadLetterRows) == 0);
}

TEST_CASE("what a full disk has left of a deleted queue or topic goes once there is room",
          "[queue]") {
  GroupsRoom room;
  MakeJobs(room);
  MakeLetters(room);
  const auto rows = [&](const char* kind) {
    return room.engine.LoadRows(Family::kState, kind)->size();
  };
  room.engine.on_submit = [&] {  // Full once the record is gone, or names the topic no more.
    const auto records = room.engine.LoadRows(Family::kMeta, kGroupRows);
    storage::v1::GroupRecord record;
    if (!records->empty()) REQUIRE(record.ParseFromString(records->front().second));
    if (record.topic_ids().empty()) room.engine.SetDiskState(DiskState::kHard);
  };
  if (GENERATE(false, true)) {
    v1::DeleteTopicRequest deletion;
    deletion.set_name("orders");
    REQUIRE_OK(room.topics->Delete(room.caller, deletion));
  } else {
    v1::DeleteGroupRequest deletion;
    deletion.set_name("workers");
    REQUIRE_OK(room.groups->Delete(room.caller, deletion));
  }
  room.engine.on_submit = nullptr;
  REQUIRE(rows(kDeadLetterRows) == 25'000);
  const int64_t read = room.engine.rows_loaded();
  room.Advance(absl::Minutes(10));
  CHECK(room.engine.rows_loaded() == read);  // While it is full nothing is read for it.
  room.engine.SetDiskState(DiskState::kOk);
  room.Advance(absl::Minutes(10));
  CHECK(rows(kDeadLetterRows) == 0);
  CHECK(rows(kPositionRows) == 0);
}

TEST_CASE("members have their grace when the load of the groups took longer than that",
          "[groups]") {
  GroupsRoom room;
  MakeJobs(room);
  room.MakeTopic("flights", 1);
  REQUIRE_OK(room.MakeGroup("zz", {"flights"}));
  Transaction deletion;  // Of which rows of the group are left, that the load deletes.
  deletion.rows.push_back({Family::kMeta, TopicRow("default", "flights"), std::nullopt});
  REQUIRE_OK(room.engine.Submit(std::move(deletion)));
  int writes = 0;
  room.engine.on_submit = [&] {
    ++writes;
    room.engine.Advance(absl::Minutes(1));
  };
  room.Restart();
  room.engine.on_submit = nullptr;
  REQUIRE(writes > 0);
  const auto membership = room.Join("workers", std::make_shared<RecordingMember>());
  REQUIRE_OK(membership);
  GroupQueue& queue = *(*membership)->queue();
  CHECK(queue.Look(Jobs(room))->grace_until_us > absl::ToUnixMicros(room.engine.Now()));
  const int64_t generation = queue.Generation(Jobs(room));
  const OffsetRun held = {Offset(0), Offset(2)};
  CHECK(queue.Present((*membership)->session(), Jobs(room), held, generation) == 2);
}

}  // namespace acta
