#include "server/core/topics/topic_rules.h"

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

v1::Topic Wanted() {
  v1::Topic topic;
  topic.set_name("orders");
  return topic;
}

// What a new topic with this change is refused for; UNSPECIFIED when it is accepted.
template <typename Change>
v1::ErrorReason Refusal(Change change) {
  v1::Topic topic = Wanted();
  change(&topic);
  const auto made = MakeTopicProto(topic, TopicLimits());
  INFO(made.status().ToString());
  return ReasonOf(made.status());
}

// The name of the limit that it is above.
template <typename Change>
std::string LimitOf(Change change) {
  v1::Topic topic = Wanted();
  change(&topic);
  return DetailsOf(MakeTopicProto(topic, TopicLimits()).status())["limit"];
}

constexpr v1::ErrorReason kAccepted = v1::ERROR_REASON_UNSPECIFIED;

TEST_CASE("a new topic gets every default", "[topics]") {
  const auto topic = MakeTopicProto(Wanted(), TopicLimits());
  REQUIRE_OK(topic);
  CHECK(topic->partitions() == 4);
  CHECK(topic->retention().seconds() == 7 * 24 * 3600);
  CHECK(topic->retention_bytes() == 0);
  CHECK(topic->ack_level() == v1::ACK_LEVEL_FSYNC);
  CHECK(topic->visible_at() == v1::ACK_LEVEL_FSYNC);
  CHECK(topic->dedupe() == v1::DEDUPE_MODE_IDS);
  CHECK(topic->dedupe_window().seconds() == 600);
  CHECK(topic->max_event_bytes() == 1 << 20);
  CHECK(topic->partitioner() == v1::PARTITIONER_KEY);
}

TEST_CASE("the server's own fields are not taken from a request", "[topics]") {
  v1::Topic wanted = Wanted();
  wanted.mutable_create_time()->set_seconds(5);
  wanted.mutable_update_time()->set_seconds(5);
  const auto topic = MakeTopicProto(wanted, TopicLimits());
  REQUIRE_OK(topic);
  CHECK_FALSE(topic->has_create_time());
  CHECK_FALSE(topic->has_update_time());
}

TEST_CASE("a bad topic name is refused", "[topics]") {
  CHECK(Refusal([](v1::Topic* topic) { topic->set_name("a/b"); }) == v1::INVALID_NAME);
  CHECK(Refusal([](v1::Topic* topic) { topic->clear_name(); }) == v1::INVALID_NAME);
}

TEST_CASE("a topic has 1 to 256 partitions", "[topics]") {
  const auto with = [](int32_t partitions) {
    return Refusal([partitions](v1::Topic* topic) { topic->set_partitions(partitions); });
  };
  CHECK(with(-1) == v1::INVALID_ARGUMENT);
  CHECK(with(1) == kAccepted);
  CHECK(with(256) == kAccepted);
  CHECK(with(257) == v1::LIMIT_EXCEEDED);
  v1::Topic topic = Wanted();
  topic.set_partitions(257);
  const absl::Status status = MakeTopicProto(topic, TopicLimits()).status();
  CHECK(DetailsOf(status).at("limit") == "limits.partitions_per_topic");
  CHECK(DetailsOf(status).at("limit_value") == "256");
  CHECK(DetailsOf(status).at("value") == "257");
  CHECK_THAT(std::string(status.message()), Catch::Contains("256"));
}

TEST_CASE("retention is 1 second to 100 years", "[topics]") {
  const auto with = [](int64_t seconds, int32_t nanos) {
    return Refusal([=](v1::Topic* topic) {
      topic->mutable_retention()->set_seconds(seconds);
      topic->mutable_retention()->set_nanos(nanos);
    });
  };
  const int64_t century = int64_t{36525} * 24 * 3600;
  CHECK(with(0, 999'999'999) == v1::INVALID_ARGUMENT);
  CHECK(with(1, 0) == kAccepted);
  CHECK(with(century, 0) == kAccepted);
  CHECK(with(century, 1) == v1::INVALID_ARGUMENT);
  CHECK(with(-1, 0) == v1::INVALID_ARGUMENT);
  CHECK(with(2, -1) == v1::INVALID_ARGUMENT);
  CHECK(with(INT64_MAX, 0) == v1::INVALID_ARGUMENT);
}

TEST_CASE("the dedupe window is 1 second to 24 hours", "[topics]") {
  const auto with = [](int64_t seconds, int32_t nanos) {
    return Refusal([=](v1::Topic* topic) {
      topic->mutable_dedupe_window()->set_seconds(seconds);
      topic->mutable_dedupe_window()->set_nanos(nanos);
    });
  };
  CHECK(with(0, 1) == v1::INVALID_ARGUMENT);
  CHECK(with(1, 0) == kAccepted);
  CHECK(with(86400, 0) == kAccepted);
  CHECK(with(86400, 1) == v1::INVALID_ARGUMENT);
  CHECK(with(-5, 0) == v1::INVALID_ARGUMENT);
}

TEST_CASE("sizes are not negative and stay below their limits", "[topics]") {
  CHECK(Refusal([](v1::Topic* t) { t->set_retention_bytes(-1); }) == v1::INVALID_ARGUMENT);
  CHECK(Refusal([](v1::Topic* t) { t->set_retention_bytes(INT64_MAX); }) == kAccepted);
  CHECK(Refusal([](v1::Topic* t) { t->set_max_event_bytes(-1); }) == v1::INVALID_ARGUMENT);
  CHECK(Refusal([](v1::Topic* t) { t->set_max_event_bytes(1); }) == kAccepted);
  CHECK(Refusal([](v1::Topic* t) { t->set_max_event_bytes(16 << 20); }) == kAccepted);
  CHECK(Refusal([](v1::Topic* t) { t->set_max_event_bytes((16 << 20) + 1); }) ==
        v1::LIMIT_EXCEEDED);
  CHECK(LimitOf([](v1::Topic* t) { t->set_max_event_bytes((16 << 20) + 1); }) ==
        "limits.max_event");
}

TEST_CASE("unknown enum values are refused", "[topics]") {
  CHECK(Refusal([](v1::Topic* t) { t->set_ack_level(v1::AckLevel(3)); }) == v1::UNKNOWN_ENUM_VALUE);
  CHECK(Refusal([](v1::Topic* t) { t->set_visible_at(v1::AckLevel(-1)); }) ==
        v1::UNKNOWN_ENUM_VALUE);
  CHECK(Refusal([](v1::Topic* t) { t->set_dedupe(v1::DedupeMode(4)); }) == v1::UNKNOWN_ENUM_VALUE);
  CHECK(Refusal([](v1::Topic* t) { t->set_partitioner(v1::Partitioner(3)); }) ==
        v1::UNKNOWN_ENUM_VALUE);
}

TEST_CASE("a topic has at most 64 labels of 8 KiB together", "[topics]") {
  const auto labels = [](int count, size_t value_bytes) {
    return [=](v1::Topic* topic) {
      for (int i = 0; i < count; ++i) {
        (*topic->mutable_labels())[absl::StrCat(1000 + i)] = std::string(value_bytes, 'v');
      }
    };
  };
  CHECK(Refusal(labels(64, 1)) == kAccepted);
  CHECK(Refusal(labels(65, 1)) == v1::LIMIT_EXCEEDED);
  CHECK(LimitOf(labels(65, 1)) == "max_labels");
  CHECK(Refusal(labels(1, 8188)) == kAccepted);
  CHECK(Refusal(labels(1, 8189)) == v1::LIMIT_EXCEEDED);
  CHECK(LimitOf(labels(1, 8189)) == "max_label_bytes");
  CHECK(Refusal([](v1::Topic* t) {
          t->mutable_labels()->insert({"", "x"});
        }) == v1::INVALID_ARGUMENT);
}

TEST_CASE("a topic keeps no unknown fields", "[topics]") {
  const auto add_unknown = [](google::protobuf::Message* to) {
    to->GetReflection()->MutableUnknownFields(to)->AddLengthDelimited(999, std::string(9000, 'u'));
  };
  v1::Topic wanted = Wanted();
  SetDuration(absl::Minutes(3), wanted.mutable_retention());
  add_unknown(&wanted);
  add_unknown(wanted.mutable_retention());
  const v1::Topic topic = *MakeTopicProto(wanted, TopicLimits());
  CHECK(topic.ByteSizeLong() < 1000);
  v1::UpdateTopicRequest request;
  *request.mutable_topic() = wanted;
  request.mutable_update_mask()->add_paths("retention");
  CHECK(ApplyTopicUpdate(topic, request, TopicLimits())->ByteSizeLong() < 1000);
}

TEST_CASE("settings of the engine follow the topic", "[topics]") {
  v1::Topic topic = *MakeTopicProto(Wanted(), TopicLimits());
  topic.set_visible_at(v1::ACK_LEVEL_OS);
  topic.set_dedupe(v1::DEDUPE_MODE_SEQUENCES);
  topic.set_retention_bytes(77);
  SetDuration(absl::Minutes(3), topic.mutable_retention());
  SetDuration(absl::Seconds(90), topic.mutable_dedupe_window());
  TopicSettings settings = SettingsOf(topic);
  CHECK(settings.visible_at == Level::kOs);
  CHECK(settings.dedupe == Dedupe::kSequences);
  CHECK(settings.retention_bytes == 77);
  CHECK(settings.retention == absl::Minutes(3));
  CHECK(settings.dedupe_window == absl::Seconds(90));
  topic.set_visible_at(v1::ACK_LEVEL_FSYNC);
  topic.set_dedupe(v1::DEDUPE_MODE_OFF);
  settings = SettingsOf(topic);
  CHECK(settings.visible_at == Level::kFsync);
  CHECK(settings.dedupe == Dedupe::kOff);
  topic.set_dedupe(v1::DEDUPE_MODE_IDS);
  CHECK(SettingsOf(topic).dedupe == Dedupe::kIds);
}

TEST_CASE("times and durations survive the way to proto and back", "[topics]") {
  google::protobuf::Timestamp time;
  SetTime(absl::FromUnixNanos(-1), &time);
  CHECK(time.seconds() == -1);
  CHECK(time.nanos() == 999'999'999);
  CHECK(*GetTime(time) == absl::FromUnixNanos(-1));
  google::protobuf::Duration duration;
  SetDuration(absl::Milliseconds(-1500), &duration);
  CHECK(duration.seconds() == -1);
  CHECK(duration.nanos() == -500'000'000);
  CHECK(*GetDuration(duration) == absl::Milliseconds(-1500));
}

}  // namespace
}  // namespace acta
