#include "client/cpp/publish_queue.h"

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/publisher.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/model_log.h"

namespace acta::client {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

v1::FrameResult Refuse(const PublishQueue::Frame& frame, v1::ErrorReason reason) {
  v1::FrameResult answer;
  answer.set_frame_id(frame.id);
  for (size_t i = 0; i < frame.batches.size(); ++i) {
    *answer.add_batches()->mutable_error() = ToProto(Error(reason, "refused"));
  }
  return answer;
}

// A queue between a producer of numbered events and a model broker, on a clock of its own. Answers
// are kept until they are handed over, so that a break can lose them.
class Line {
 public:
  explicit Line(const PublishQueue::Options& options = {}) : queue_(options) {}

  void Publish(int32_t partition) {
    const size_t number = results_.size();
    results_.emplace_back();
    partition_of_.push_back(partition);
    auto done = [this, number](const EventResult& result) { results_[number].push_back(result); };
    queue_.AddEvent("t", partition, {Element(absl::StrCat(number)), done, {}},
                    [this] { return now_; });
  }

  // False: there is nothing to send just now.
  bool Send() {
    const auto frame = Take();
    if (!frame.has_value()) return false;
    CHECK(frame->id == ++last_frame_);
    answers_.push_back(Apply(*frame));
    return true;
  }

  // What the broker does with a frame; `reason` refuses every batch.
  void SendRefused(v1::ErrorReason reason) {
    const auto frame = Take();
    if (!frame.has_value()) return;
    CHECK(frame->id == ++last_frame_);
    // Whoever says OUTCOME_UNKNOWN may have stored it.
    if (reason == v1::OUTCOME_UNKNOWN && random_() % 2 == 0) Apply(*frame);
    answers_.push_back(Refuse(*frame, reason));
  }

  void Answer() {
    if (answers_.empty()) return;
    PublishQueue::Finished finished;
    queue_.OnAnswer(std::move(answers_.front()), now_, &finished);
    answers_.pop_front();
    Run(finished);
  }

  // The stream breaks: answers on their way are lost, what was sent may have arrived or not.
  void Break() { End(absl::UnavailableError("broken"), true); }
  void End(const absl::Status& status, bool retry) {
    answers_.clear();
    PublishQueue::Finished finished;
    queue_.OnStreamEnd(status, retry, now_, &finished);
    Run(finished);
  }
  // What the broker has taken is answered before it ends the stream for good; the rest is lost.
  void EndForGood() {
    while (!answers_.empty()) Answer();
    if (Take().has_value()) ++last_frame_;
    End(Error(v1::UNAUTHENTICATED, "no"), false);
  }
  // The frame never reaches the broker, and so none behind it on its stream.
  void LoseAndBreak() {
    if (Take().has_value()) ++last_frame_;
    Break();
  }

  void Pass(absl::Duration time) { now_ += time; }
  void Seed(uint32_t seed) { random_.seed(seed); }
  uint32_t Draw(uint32_t below) { return static_cast<uint32_t>(random_() % below); }

  PublishQueue& queue() { return queue_; }
  ModelLog& log() { return log_; }
  absl::Time now() const { return now_; }
  const std::vector<std::vector<EventResult>>& results() const { return results_; }
  int32_t PartitionOf(size_t number) const { return partition_of_[number]; }
  void Run(PublishQueue::Finished& finished) {
    for (FinishedBatch& batch : finished) RunCallbacks(batch);
  }

 private:
  std::optional<PublishQueue::Frame> Take() {
    return queue_.Take([this] { return now_; });
  }
  v1::FrameResult Apply(const PublishQueue::Frame& frame) {
    v1::FrameResult answer;
    answer.set_frame_id(frame.id);
    for (const PublishBatch* batch : frame.batches) {
      *answer.add_batches() = log_.Append(
          {batch->partition(), 1, batch->epoch, batch->first_sequence, *batch->payload});
    }
    return answer;
  }

  PublishQueue queue_;
  ModelLog log_;
  absl::Time now_ = kNow;
  std::mt19937 random_;
  uint64_t last_frame_ = 0;
  std::deque<v1::FrameResult> answers_;
  std::vector<std::vector<EventResult>> results_;  // Of each event; exactly one in the end.
  std::vector<int32_t> partition_of_;
};

void Drain(Line& line) {
  for (int i = 0; !line.queue().empty() && i < 100'000; ++i) {
    line.Pass(absl::Milliseconds(10));
    while (line.Send()) continue;
    line.Answer();
  }
  REQUIRE(line.queue().empty());
  CHECK(line.queue().bytes() == 0);
}

// Every event has one result; the stored ones stand once, in the order they were published; a
// result that says stored names the place.
void CheckStoredInOrder(Line& line, int32_t partitions) {
  for (int32_t partition = 0; partition < partitions; ++partition) {
    int64_t before = -1;
    for (const std::string& event : line.log().stored(partition)) {
      const int64_t number = std::stoll(event);
      CHECK(number > before);
      before = number;
    }
  }
  for (size_t number = 0; number < line.results().size(); ++number) {
    REQUIRE(line.results()[number].size() == 1);
    const EventResult& result = line.results()[number][0];
    if (!result.status.ok()) continue;
    const std::vector<std::string>& stored = line.log().stored(line.PartitionOf(number));
    REQUIRE(result.offset >= 0);
    REQUIRE(result.offset < static_cast<int64_t>(stored.size()));
    CHECK(stored[static_cast<size_t>(result.offset)] == absl::StrCat(number));
  }
}

// Of a run in which events are refused for good, and no time is over.
void CheckFailures(Line& line) {
  for (size_t number = 0; number < line.results().size(); ++number) {
    const v1::ErrorReason reason = ReasonOf(line.results()[number][0].status);
    if (line.results()[number][0].status.ok() || reason == v1::OUTCOME_UNKNOWN) continue;
    CHECK((reason == v1::EVENT_TOO_LARGE || reason == v1::UNAUTHENTICATED));
    const std::vector<std::string>& stored = line.log().stored(line.PartitionOf(number));
    CHECK(std::count(stored.begin(), stored.end(), absl::StrCat(number)) == 0);
  }
}

TEST_CASE("a lone event leaves at once and a flood travels in large batches", "[client]") {
  Line line;
  line.Publish(0);
  const auto first = line.queue().Take([] { return kNow; });
  REQUIRE(first.has_value());
  CHECK(first->batches[0]->count == 1);
  for (int i = 0; i < 1000; ++i) line.Publish(1);
  const auto second = line.queue().Take([] { return kNow; });
  REQUIRE(second.has_value());
  REQUIRE(second->batches.size() == 1);
  CHECK(second->batches[0]->count == 1000);
}

TEST_CASE("one batch is in flight until the broker has confirmed the epoch", "[client]") {
  Line line;
  line.Publish(0);
  CHECK(line.Send());
  line.Publish(0);
  CHECK_FALSE(line.Send());
  line.Answer();
  CHECK(line.Send());
  line.Publish(0);
  CHECK(line.Send());
}

TEST_CASE("events of another cause go into another batch", "[client]") {
  PublishQueue queue{PublishQueue::Options()};
  const auto add = [&queue](const char* token, int64_t offset) {
    std::optional<v1::CausedBy> cause;
    if (*token != 0) {
      cause.emplace().set_delivery_token(token);
      cause->set_offset(offset);
    }
    queue.AddEvent("t", 0, {"e", nullptr, std::move(cause)}, [] { return kNow; });
  };
  add("", 0);
  add("a", 1);
  add("a", 1);
  add("a", 2);
  add("b", 2);
  add("", 0);
  std::vector<std::pair<std::string, uint32_t>> batches;
  PublishQueue::Finished finished;
  while (const auto frame = queue.Take([] { return kNow; })) {
    v1::FrameResult answer;
    answer.set_frame_id(frame->id);
    for (const PublishBatch* batch : frame->batches) {
      batches.emplace_back(
          batch->cause ? absl::StrCat(batch->cause->delivery_token(), batch->cause->offset()) : "",
          batch->count);
      answer.add_batches()->add_parts();
    }
    queue.OnAnswer(std::move(answer), kNow, &finished);
  }
  CHECK(batches == std::vector<std::pair<std::string, uint32_t>>{
                       {"", 1}, {"a1", 2}, {"a2", 1}, {"b2", 1}, {"", 1}});
}

TEST_CASE("frames in flight are bounded", "[client]") {
  PublishQueue::Options options;
  options.max_frames_in_flight = 2;
  Line line(options);
  for (int32_t partition = 0; partition < 3; ++partition) {
    line.Publish(partition);
    line.Send();
  }
  line.Publish(4);
  CHECK_FALSE(line.Send());
  line.Answer();
  CHECK(line.Send());
}

TEST_CASE("a refusal that may pass is tried again after its delay, with all behind it",
          "[client]") {
  Line line;
  line.Publish(0);
  line.Send();
  line.Answer();
  line.Publish(0);
  line.SendRefused(v1::PUBLISH_QUEUE_FULL);
  line.Publish(0);
  CHECK(line.Send());  // Is out of sequence at the broker.
  line.Answer();
  line.Answer();
  CHECK_FALSE(line.Send());
  CHECK(line.queue().NextDue(kNow) == kNow + absl::Milliseconds(100));
  line.Pass(absl::Milliseconds(100));
  Drain(line);
  CHECK(line.log().stored(0) == std::vector<std::string>{"0", "1", "2"});
  CheckStoredInOrder(line, 1);
}

TEST_CASE("a delay that is over wakes nobody again before something can be sent", "[client]") {
  PublishQueue::Options options;
  options.retry_for = absl::Seconds(10);
  options.max_frames_in_flight = 1;
  Line line(options);
  line.Publish(0);
  line.SendRefused(v1::PUBLISH_QUEUE_FULL);
  line.Answer();
  CHECK_FALSE(line.Send());
  CHECK(line.queue().NextDue(kNow) == kNow + absl::Milliseconds(100));
  SECTION("because there is no stream") {
    line.Break();
    line.Pass(absl::Seconds(1));
    CHECK(line.queue().NextDue(line.now()) == absl::InfiniteFuture());
    line.Pass(options.retry_for);
    PublishQueue::Finished finished;
    line.queue().Expire(line.now(), absl::UnavailableError("none"), &finished);
    line.Run(finished);
    CHECK(line.queue().empty());
    CHECK(line.queue().NextDue(line.now()) == absl::InfiniteFuture());
  }
  SECTION("because too much is in flight") {
    line.Publish(1);
    CHECK(line.Send());
    line.Pass(absl::Seconds(1));
    CHECK_FALSE(line.Send());
    CHECK(line.queue().NextDue(line.now()) == absl::InfiniteFuture());
    line.Answer();
    CHECK(line.Send());
  }
}

TEST_CASE("a refusal for good fails its batch and nothing behind it", "[client]") {
  Line line;
  line.Publish(0);
  line.Send();
  line.Answer();
  line.Publish(0);
  line.SendRefused(v1::EVENT_TOO_LARGE);
  line.Publish(0);
  line.Send();
  Drain(line);
  REQUIRE(line.results()[1].size() == 1);
  CHECK(ReasonOf(line.results()[1][0].status) == v1::EVENT_TOO_LARGE);
  CHECK(line.log().stored(0) == std::vector<std::string>{"0", "2"});
}

TEST_CASE("after a break the same batches are sent again and stored once", "[client]") {
  Line line;
  line.Publish(0);
  line.Send();
  line.Break();
  Drain(line);
  CHECK(line.log().stored(0) == std::vector<std::string>{"0"});
  CHECK(line.results()[0][0].duplicate);
  CHECK(line.results()[0][0].offset == 0);
}

TEST_CASE("what cannot be delivered for too long fails with the last error", "[client]") {
  PublishQueue::Options options;
  options.retry_for = absl::Seconds(10);
  Line line(options);
  line.Publish(0);
  line.SendRefused(v1::PUBLISH_QUEUE_FULL);
  line.Answer();
  line.Pass(absl::Seconds(9));
  PublishQueue::Finished finished;
  line.queue().Expire(line.now(), absl::UnavailableError("none"), &finished);
  CHECK(finished.empty());
  line.Pass(absl::Seconds(1));
  line.queue().Expire(line.now(), absl::UnavailableError("none"), &finished);
  line.Run(finished);
  CHECK(ReasonOf(line.results()[0][0].status) == v1::PUBLISH_QUEUE_FULL);
  CHECK(line.queue().empty());
}

TEST_CASE("what was sent without an answer and is refused until its time is over may be stored",
          "[client]") {
  PublishQueue::Options options;
  options.retry_for = absl::Seconds(10);
  Line line(options);
  line.Publish(0);
  line.Send();
  line.Break();
  line.SendRefused(v1::DISK_FULL);
  line.Answer();
  CHECK(line.results()[0].empty());
  line.Pass(options.retry_for);
  SECTION("when it is refused once more") {
    line.SendRefused(v1::DISK_FULL);
    line.Answer();
  }
  SECTION("while it waits") {
    PublishQueue::Finished finished;
    line.queue().Expire(line.now(), absl::UnavailableError("none"), &finished);
    line.Run(finished);
  }
  SECTION("when the broker stops before it is answered") {
    CHECK(line.Send());
    line.End(Error(v1::SERVER_STOPPING, "stopping"), true);
  }
  REQUIRE(line.results()[0].size() == 1);
  CHECK(ReasonOf(line.results()[0][0].status) == v1::OUTCOME_UNKNOWN);
  CHECK(line.queue().empty());
  CHECK(line.log().stored(0) == std::vector<std::string>{"0"});
}

TEST_CASE("what is given up with one whose time is over may be stored too", "[client]") {
  PublishQueue::Options options;
  options.retry_for = absl::Seconds(10);
  Line line(options);
  line.Publish(0);
  line.Send();
  line.Answer();
  line.Publish(0);
  CHECK(line.Send());
  line.Pass(absl::Seconds(1));
  line.Publish(0);
  CHECK(line.Send());
  line.Break();
  line.Pass(options.retry_for - absl::Seconds(1));
  CHECK(line.Send());
  line.End(Error(v1::SERVER_STOPPING, "stopping"), true);
  for (const size_t number : {1, 2}) {
    REQUIRE(line.results()[number].size() == 1);
    CHECK(ReasonOf(line.results()[number][0].status) == v1::OUTCOME_UNKNOWN);
  }
  CHECK(line.queue().empty());
  CHECK(line.log().stored(0) == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("what was sent without an answer and is refused for good may be stored", "[client]") {
  Line line;
  line.Publish(0);
  line.Send();
  line.Break();
  v1::ErrorReason refusal = v1::UNAUTHENTICATED;
  SECTION("by itself") {
    refusal = GENERATE(v1::TOPIC_NOT_FOUND, v1::PERMISSION_DENIED, v1::EVENT_TOO_LARGE);
    line.SendRefused(refusal);
    line.Answer();
  }
  SECTION("with the stream that carries it") {
    CHECK(line.Send());
    line.End(Error(refusal, "no"), false);
  }
  SECTION("with a stream that carried nothing") { line.End(Error(refusal, "no"), false); }
  REQUIRE(line.results()[0].size() == 1);
  const absl::Status& status = line.results()[0][0].status;
  CHECK(ReasonOf(status) == v1::OUTCOME_UNKNOWN);
  CHECK(DetailsOf(status)["refusal"] == v1::ErrorReason_Name(refusal));
  CHECK(absl::StrContains(status.message(), v1::ErrorReason_Name(refusal)));
  CHECK(line.queue().empty());
  CHECK(line.log().stored(0) == std::vector<std::string>{"0"});
}

TEST_CASE("what its sequence proves not to be stored fails with its refusal", "[client]") {
  Line line;
  line.Publish(0);
  for (int restart = 0; restart < 3; ++restart) {
    line.SendRefused(v1::OUT_OF_SEQUENCE);
    line.Answer();
  }
  line.LoseAndBreak();
  REQUIRE(line.results()[0].empty());
  line.SendRefused(v1::OUT_OF_SEQUENCE);
  line.Answer();
  REQUIRE(line.results()[0].size() == 1);
  CHECK(ReasonOf(line.results()[0][0].status) == v1::OUT_OF_SEQUENCE);
  CHECK(line.log().stored(0).empty());
}

TEST_CASE("a stream refused before it carried anything refuses what waits", "[client]") {
  Line line;
  line.Publish(0);
  PublishQueue::Finished finished;
  line.queue().OnStreamEnd(Error(v1::UNAUTHENTICATED, "no"), false, kNow, &finished);
  line.Run(finished);
  CHECK(ReasonOf(line.results()[0][0].status) == v1::UNAUTHENTICATED);
}

TEST_CASE("a stream that ends for good takes only what it carried with it", "[client]") {
  Line line;
  line.Publish(0);
  CHECK(line.Send());
  line.Publish(0);
  CHECK_FALSE(line.Send());
  line.End(Error(v1::UNAUTHENTICATED, "no"), false);
  CHECK(ReasonOf(line.results()[0][0].status) == v1::UNAUTHENTICATED);
  REQUIRE(line.Send());
  line.Answer();
  CHECK_OK(line.results()[1][0].status);
}

// Goal: whatever is refused and wherever the stream breaks, events of one partition are stored once
// and in order, refused ones not. Method: 300 seeded schedules, and the sequence rules of a broker.
TEST_CASE("events are stored once and in order under faults", "[client]") {
  constexpr int32_t kPartitions = 3;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    PublishQueue::Options options;
    options.batch_bytes = 20;
    options.max_frame_bytes = 50;
    Line line(options);
    line.Seed(seed);
    for (int step = 0; step < 400; ++step) {
      const uint32_t choice = line.Draw(100);
      if (choice < 40) {
        line.Publish(static_cast<int32_t>(line.Draw(kPartitions)));
      } else if (choice < 65) {
        line.Send();
      } else if (choice < 85) {
        line.Answer();
      } else if (choice < 90) {
        line.Pass(absl::Milliseconds(50));
      } else if (choice < 93) {
        line.SendRefused(v1::PUBLISH_QUEUE_FULL);
      } else if (choice < 95) {
        line.SendRefused(v1::OUTCOME_UNKNOWN);
      } else if (choice < 96) {
        line.SendRefused(v1::EVENT_TOO_LARGE);
      } else if (choice < 97) {
        line.Break();
      } else if (choice < 98) {
        line.EndForGood();
      } else {
        line.LoseAndBreak();
      }
    }
    Drain(line);
    CheckStoredInOrder(line, kPartitions);
    CheckFailures(line);
  }
}

}  // namespace
}  // namespace acta::client
