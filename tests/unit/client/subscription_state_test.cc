#include "client/cpp/subscription_state.h"

#include <string>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/talk_to.h"

namespace acta::client {
namespace {

SubscriberOptions InGroup() {
  SubscriberOptions options;
  options.group = std::string("g");
  options.topics.emplace_back().set_topic("t");
  options.credit_events = 8;
  return options;
}

SubscriberOptions Alone() {
  SubscriberOptions options;
  v1::TopicPosition& topic = options.topics.emplace_back();
  topic.set_topic("t");
  topic.mutable_from()->set_earliest(true);
  topic.set_until_end(true);
  return options;
}

using Talk = TalkTo<SubscriptionState>;

// With partition 0 of "t" under assignment 1.
class OpenTalk : public Talk {
 public:
  explicit OpenTalk(const SubscriberOptions& options) : Talk(options) {
    Open();
    Assign(1, 0, 0);
  }
};

TEST_CASE("a member starts with its group and credit, and again under its name", "[client]") {
  Talk talk(InGroup());
  const v1::SubscribeStart start = talk.Open();
  CHECK(start.group() == "g");
  CHECK(start.credit().events() == 8);
  CHECK(start.topics(0).topic() == "t");
  CHECK(start.member_id().empty());
  talk.Note("MEMBER_ID", "m7");
  CHECK(talk.NextItem<SubscriptionState::Noticed>().notice.text() == "m7");
  talk.state.OnEnd();
  CHECK(talk.Open().member_id() == "m7");
}

TEST_CASE("of one frame what is said of the group comes first, of a partition last", "[client]") {
  OpenTalk talk(InGroup());
  v1::DeliveryFrame frame;
  frame.add_batches()->set_assignment(1);
  frame.mutable_batches(0)->add_events()->set_id("x");
  frame.add_notice()->set_code("REACHED_END");
  frame.mutable_notice(0)->set_assignment(1);
  frame.add_notice()->set_code("GROUP_CREATED");
  talk.Hear(frame);
  CHECK(talk.NextItem<SubscriptionState::Noticed>().notice.code() == "GROUP_CREATED");
  CHECK(talk.NextOffset() == 0);
  CHECK(talk.NextItem<SubscriptionState::Noticed>().notice.code() == "REACHED_END");
}

TEST_CASE("a reader without a group goes on behind what it consumed", "[client]") {
  Talk talk(Alone());
  CHECK(talk.Open().topics(0).partitions_size() == 0);
  talk.Assign(1, 0, 5);
  talk.Assign(2, 1, 0);
  talk.Deliver(1, 5, 3);
  talk.Deliver(1, 8);
  CHECK(talk.NextOffset() == 5);
  talk.state.OnEnd();
  const v1::TopicPosition topic = talk.Open().topics(0);
  REQUIRE(topic.partitions_size() == 2);
  CHECK(topic.partitions(0).offset() == 8);
  CHECK(topic.partitions(0).incarnation() == 2);
  CHECK(topic.partitions(1).offset() == 0);
  CHECK(topic.from().earliest());
  CHECK(talk.NextOffset() == -1);  // The event at 8 comes again.
}

TEST_CASE("a reader gets all of a partition that was added while it was away", "[client]") {
  SubscriberOptions options = Alone();
  options.topics[0].mutable_from()->set_latest(true);
  options.topics.push_back(options.topics[0]);
  options.topics[1].set_topic("not read yet");
  Talk talk(options);
  CHECK(talk.Open().topics(0).from().latest());
  talk.Assign(1, 0, 5);
  talk.state.OnEnd();
  const v1::SubscribeStart start = talk.Open();
  CHECK(start.topics(0).from().earliest());
  CHECK(start.topics(1).from().latest());
}

TEST_CASE("a member loses what it has not consumed, a reader does when it reconnects", "[client]") {
  OpenTalk member(InGroup());
  member.Deliver(1, 0);
  member.state.OnEnd();
  CHECK(member.NextOffset() == -1);
  CHECK(member.state.partitions().empty());

  OpenTalk reader(Alone());
  reader.Deliver(1, 0);
  reader.state.OnEnd();
  CHECK(reader.NextOffset() == 0);
}

TEST_CASE("credit comes back in large pieces, for dropped events too", "[client]") {
  OpenTalk talk(InGroup());
  talk.Deliver(1, 0);
  CHECK(talk.NextOffset() == 0);
  CHECK(talk.NextOffset() == -1);
  CHECK_FALSE(talk.state.HasControl());
  talk.Deliver(1, 1);
  talk.Lose(1);
  CHECK(talk.NextOffset() == -1);
  CHECK(talk.NextOffset() == -1);
  const v1::SubscribeControl credit = talk.NextControl();
  CHECK(credit.credit().events() == 2);
  CHECK(credit.credit().bytes() == 10);  // Two elements of five bytes.
  CHECK_FALSE(talk.state.HasControl());
}

TEST_CASE("credit of events that nobody reads any more is back before more is waited for",
          "[client]") {
  OpenTalk talk(InGroup());
  talk.Deliver(1, 0, 8);  // All the credit there is.
  talk.Lose(1);
  CHECK(talk.NextOffset() == -1);  // Who gets nothing waits, and asks no second time.
  CHECK(talk.NextControl().credit().events() == 8);
}

TEST_CASE("many commits travel as one and are settled by its answer", "[client]") {
  Talk talk(InGroup());
  talk.Open();
  talk.Assign(1, 0, 10);
  for (int64_t offset = 11; offset <= 20; ++offset) {
    REQUIRE_OK(talk.state.Commit("t", 0, offset));
  }
  REQUIRE_OK(talk.state.Commit("t", 0, 15));
  CHECK_FALSE(talk.state.CommitsSettled());
  const v1::SubscribeControl commit = talk.NextControl();
  CHECK(commit.commit().assignment() == 1);
  CHECK(commit.commit().offset() == 20);
  CHECK_FALSE(talk.state.HasControl());
  CHECK_FALSE(talk.state.CommitsSettled());
  talk.Ack(commit.frame_id());
  CHECK(talk.state.CommitsSettled());
  CHECK_OK(talk.state.TakeCommitFailure());
}

TEST_CASE("a commit of a partition that is not ours is FENCED", "[client]") {
  OpenTalk talk(InGroup());
  CHECK(ReasonOf(talk.state.Commit("t", 1, 3)) == v1::FENCED);
  CHECK(ReasonOf(talk.state.Commit("other", 0, 3)) == v1::FENCED);
  REQUIRE_OK(talk.state.Commit("t", 0, 1));
  const uint64_t frame = talk.NextControl().frame_id();
  talk.Ack(frame, frame);
  CHECK(talk.state.CommitsSettled());
  CHECK(ReasonOf(talk.state.TakeCommitFailure()) == v1::FENCED);
  CHECK_OK(talk.state.TakeCommitFailure());
}

TEST_CASE("a commit lost in a break is told unless it was stored or is made up for", "[client]") {
  const auto commit_and_break = [](Talk& talk) {
    talk.Open();
    talk.Assign(1, 0, 0);
    REQUIRE_OK(talk.state.Commit("t", 0, 9));
    talk.NextControl();
    talk.state.OnEnd();
    CHECK(talk.state.CommitsSettled());
    talk.Open();
  };
  Talk lost(InGroup());
  commit_and_break(lost);
  lost.Assign(2, 0, 0);
  CHECK(lost.state.TakeCommitFailure().code() == absl::StatusCode::kUnavailable);

  Talk stored(InGroup());
  commit_and_break(stored);
  stored.Assign(2, 0, 9);
  CHECK_OK(stored.state.TakeCommitFailure());

  Talk again(InGroup());
  commit_and_break(again);
  again.Assign(2, 0, 0);
  REQUIRE_OK(again.state.Commit("t", 0, 10));
  again.Ack(again.NextControl().frame_id());
  CHECK_OK(again.state.TakeCommitFailure());
}

TEST_CASE("what came before a reset is not committed behind it", "[client]") {
  OpenTalk talk(InGroup());
  talk.Deliver(1, 0, 8);
  CHECK(talk.NextOffset() == 0);
  talk.Deliver(1, 8);
  talk.state.OnEnd();
  talk.state.OnReset({});
  talk.Open();
  talk.NextItem<SubscriptionState::Noticed>();  // Before what comes behind it.
  talk.Assign(2, 0, 3);
  talk.state.CommitDelivered();
  CHECK_FALSE(talk.state.HasControl());
  CHECK(ReasonOf(talk.state.Commit("t", 0, 8)) == v1::FENCED);
  talk.Deliver(2, 3);
  CHECK(talk.NextOffset() == 3);
  CHECK(ReasonOf(talk.state.Commit("t", 0, 8)) == v1::FENCED);
  REQUIRE_OK(talk.state.Commit("t", 0, 4));
  CHECK(talk.NextControl().commit().offset() == 4);
}

TEST_CASE("what a reset passed over is not committed behind it", "[client]") {
  OpenTalk talk(InGroup());
  talk.Deliver(1, 0, 8);
  CHECK(talk.NextOffset() == 0);
  talk.state.OnEnd();
  talk.state.OnReset({});
  talk.Open();
  talk.NextItem<SubscriptionState::Noticed>();
  talk.Assign(2, 0, 8);
  CHECK(ReasonOf(talk.state.Commit("t", 0, 7)) == v1::FENCED);
  CHECK_OK(talk.state.Commit("t", 0, 8));
  CHECK_FALSE(talk.state.HasControl());
  // And back again, unseen.
  talk.state.OnEnd();
  talk.Open();
  talk.Assign(3, 0, 2);
  talk.Deliver(3, 2);
  CHECK(talk.NextOffset() == 2);
  CHECK(ReasonOf(talk.state.Commit("t", 0, 8)) == v1::FENCED);
  CHECK_OK(talk.state.Commit("t", 0, 3));
}

TEST_CASE("a commit that a reset took is no failure once the caller knows of the reset",
          "[client]") {
  const bool knows = GENERATE(false, true);
  OpenTalk talk(InGroup());
  REQUIRE_OK(talk.state.Commit("t", 0, 9));
  talk.NextControl();
  talk.state.OnEnd();
  v1::Notice reset;
  reset.set_code("GROUP_RESET");
  talk.state.OnReset(reset);
  talk.Open();
  talk.Assign(2, 0, 3);
  if (knows) talk.NextItem<SubscriptionState::Noticed>();
  CHECK(talk.state.TakeCommitFailure().ok() == knows);
}

TEST_CASE("a position that went back while a member was away is a reset, too", "[client]") {
  OpenTalk talk(InGroup());
  REQUIRE_OK(talk.state.Commit("t", 0, 5));
  talk.Ack(talk.NextControl().frame_id());
  talk.state.OnEnd();
  talk.Open();
  talk.Assign(2, 0, 2);
  CHECK(ReasonOf(talk.state.Commit("t", 0, 8)) == v1::FENCED);
}

// Events 0 to 7 were given to the caller, a commit up to 3 is on its way: the stream breaks.
class BrokenTalk : public OpenTalk {
 public:
  BrokenTalk() : OpenTalk(InGroup()) {
    Deliver(1, 0, 8);
    CHECK(NextOffset() == 0);
    REQUIRE_OK(state.Commit("t", 0, 3));
    NextControl();
    state.OnEnd();
  }
};

TEST_CASE("a position that went on by others while a member was away is none of its own",
          "[client]") {
  BrokenTalk talk;
  talk.Open();
  talk.Assign(2, 0, 5);
  CHECK(ReasonOf(talk.state.Commit("t", 0, 4)) == v1::FENCED);
  CHECK(ReasonOf(talk.state.Commit("t", 0, 8)) == v1::FENCED);
  talk.Deliver(2, 5, 2);
  CHECK(talk.NextOffset() == 5);
  REQUIRE_OK(talk.state.Commit("t", 0, 6));
  CHECK(talk.NextControl().commit().offset() == 6);
  // A mere break behind it: what was given since counts.
  talk.state.OnEnd();
  talk.Open();
  talk.Assign(3, 0, 6);
  CHECK(ReasonOf(talk.state.Commit("t", 0, 8)) == v1::FENCED);
  CHECK_OK(talk.state.Commit("t", 0, 7));
}

TEST_CASE("a position that went on by what the member itself did is its own", "[client]") {
  BrokenTalk talk;
  SECTION("as the stream broke") {
    talk.Open();
    talk.Assign(2, 0, 3);
  }
  SECTION("by a step, answered or not, from when it is called") {
    OpenTalk other(InGroup());
    other.Deliver(1, 0, 5);
    talk.state.BeginStep(other.NextItem<Delivery>());
    talk.Open();
    talk.Assign(2, 0, 5);
  }
  CHECK_OK(talk.state.Commit("t", 0, 2));
  REQUIRE_OK(talk.state.Commit("t", 0, 8));
  CHECK(talk.NextControl().commit().offset() == 8);
}

TEST_CASE("what came before a power cut is not committed behind it", "[client]") {
  const int64_t life = GENERATE(2, 3, 1);  // 1: another restore of the backup.
  const bool cut = life != 2;
  OpenTalk talk(InGroup());
  talk.Deliver(1, 0, 8);
  CHECK(talk.NextOffset() == 0);
  talk.state.OnEnd();
  talk.Open();
  v1::DeliveryFrame frame;
  v1::Assigned* const assigned = frame.add_assigned();
  assigned->set_assignment(2);
  assigned->set_topic("t");
  assigned->set_incarnation(life);
  talk.Hear(frame);
  if (cut) {
    CHECK(ReasonOf(talk.state.Commit("t", 0, 8)) == v1::FENCED);
    CHECK_FALSE(talk.state.HasControl());
    talk.Deliver(2, 0, 2);
    CHECK(talk.NextOffset() == 0);
  }
  REQUIRE_OK(talk.state.Commit("t", 0, cut ? 2 : 8));
  CHECK(talk.NextControl().commit().offset() == (cut ? 2 : 8));
}

TEST_CASE("a commit whose partition goes before it is sent is FENCED", "[client]") {
  OpenTalk talk(InGroup());
  REQUIRE_OK(talk.state.Commit("t", 0, 9));
  talk.Lose(1);
  CHECK_FALSE(talk.state.TakeControl().has_value());
  CHECK(talk.state.CommitsSettled());
  CHECK(ReasonOf(talk.state.TakeCommitFailure()) == v1::FENCED);

  talk.Assign(2, 0, 0);
  REQUIRE_OK(talk.state.Commit("t", 0, 9));
  talk.Lose(2);
  talk.state.OnEnd();
  CHECK(talk.state.CommitsSettled());
  CHECK(ReasonOf(talk.state.TakeCommitFailure()) == v1::FENCED);
}

TEST_CASE("a break loses the commit of a partition that was given back", "[client]") {
  OpenTalk talk(InGroup());
  REQUIRE_OK(talk.state.Commit("t", 0, 9));
  talk.Revoke(1);
  talk.state.Release(talk.NextItem<SubscriptionState::Revoking>(), true);
  CHECK(talk.NextControl().has_commit());
  CHECK(talk.NextControl().has_released());
  talk.state.OnEnd();
  CHECK(talk.state.TakeCommitFailure().code() == absl::StatusCode::kUnavailable);
  CHECK_OK(talk.state.TakeCommitFailure());
}

TEST_CASE("a partition moves away behind its events, its commit goes first", "[client]") {
  OpenTalk talk(InGroup());
  talk.Deliver(1, 0);
  talk.Revoke(1);
  CHECK(talk.NextOffset() == 0);
  const auto revoking = talk.NextItem<SubscriptionState::Revoking>();
  CHECK(revoking.partition.next_offset == 1);
  talk.state.Release(revoking, true);
  CHECK(talk.NextControl().commit().offset() == 1);
  CHECK(talk.NextControl().released().assignment() == 1);
  CHECK(talk.state.partitions().empty());
}

TEST_CASE("a partition that is given back after a break is none of the new stream", "[client]") {
  OpenTalk talk(InGroup());
  talk.Revoke(1);
  const auto revoking = talk.NextItem<SubscriptionState::Revoking>();
  talk.state.OnEnd();
  talk.Open();
  talk.Assign(1, 1, 5);  // A broker that was restarted numbers anew.
  talk.state.Release(revoking, true);
  CHECK_FALSE(talk.state.HasControl());
  talk.Deliver(1, 5);
  CHECK(talk.NextOffset() == 5);
}

TEST_CASE("an error of one partition names it", "[client]") {
  Talk talk(Alone());
  talk.Open();
  talk.Assign(1, 3, 0);
  talk.Gap(1);
  const auto status = talk.NextItem<absl::Status>();
  CHECK(ReasonOf(status) == v1::GAP);
  CHECK(DetailsOf(status)["topic"] == "t");
  CHECK(DetailsOf(status)["partition"] == "3");
}

TEST_CASE("a refused start ends the subscription", "[client]") {
  Talk talk(InGroup());
  talk.Open();
  talk.Ack(1, 1);
  CHECK(ReasonOf(talk.state.failure()) == v1::FENCED);
}

TEST_CASE("all ends are reached when every partition says so", "[client]") {
  Talk talk(Alone());
  CHECK_FALSE(talk.state.ReachedAllEnds());
  talk.Open();
  talk.Assign(1, 0, 0);
  talk.Assign(2, 1, 0);
  talk.Note("REACHED_END", "", 1);
  CHECK_FALSE(talk.state.ReachedAllEnds());
  talk.Note("REACHED_END", "", 2);
  CHECK(talk.state.ReachedAllEnds());
  CHECK(talk.NextItem<SubscriptionState::Noticed>().partition->partition == 0);
}

TEST_CASE("a partition that stops for good is at its end", "[client]") {
  OpenTalk talk(Alone());
  talk.Assign(2, 1, 0);
  talk.Assign(3, 2, 0);
  talk.Gap(1);
  talk.Lose(2);
  CHECK_FALSE(talk.state.ReachedAllEnds());
  talk.Note("REACHED_END", "", 3);
  CHECK(talk.state.ReachedAllEnds());
  CHECK_OK(talk.state.failure());
  talk.state.OnEnd();
  CHECK(talk.Open().topics(0).partitions_size() == 2);  // What is gone is not asked for.
}

TEST_CASE("a reader whose last partition is deleted fails", "[client]") {
  OpenTalk talk(Alone());
  talk.Assign(2, 1, 0);
  talk.Lose(1);
  CHECK_OK(talk.state.failure());
  talk.Lose(2);
  CHECK(ReasonOf(talk.state.failure()) == v1::TOPIC_NOT_FOUND);
  CHECK_FALSE(talk.state.ReachedAllEnds());
}

TEST_CASE("a reader does not ask again for a topic that was deleted while it read others",
          "[client]") {
  SubscriberOptions options = Alone();
  options.topics.push_back(options.topics[0]);
  options.topics[1].set_topic("other");
  OpenTalk talk(options);
  v1::DeliveryFrame other;
  other.add_assigned()->set_assignment(3);
  other.mutable_assigned(0)->set_topic("other");
  talk.Assign(2, 1, 0);
  talk.Hear(other);
  talk.Lose(1);  // The broker has not come to the other partition yet.
  talk.state.OnEnd();
  const v1::SubscribeStart start = talk.Open();
  REQUIRE(start.topics_size() == 1);
  CHECK(start.topics(0).topic() == "other");
  talk.Hear(other);
  CHECK_FALSE(talk.state.ReachedAllEnds());
  talk.Note("REACHED_END", "", 3);
  CHECK(talk.state.ReachedAllEnds());
}

TEST_CASE("a reader whose only topic is being deleted asks for it again", "[client]") {
  OpenTalk talk(Alone());
  talk.Assign(2, 1, 0);
  talk.Lose(1);
  talk.state.OnEnd();
  CHECK(talk.Open().topics(0).topic() == "t");
  CHECK_FALSE(talk.state.ReachedAllEnds());
}

TEST_CASE("a silent member ticks", "[client]") {
  Talk talk(InGroup());
  talk.Open();
  talk.state.Tick();
  talk.state.Tick();
  CHECK(talk.NextControl().has_tick());
  CHECK_FALSE(talk.state.HasControl());
}

}  // namespace
}  // namespace acta::client
