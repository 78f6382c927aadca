#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/topics/topics_room.h"

namespace acta {
namespace {

v1::ListTopicsRequest Page(int32_t size, const std::string& token = "",
                           const std::string& prefix = "") {
  v1::ListTopicsRequest request;
  request.set_page_size(size);
  request.set_page_token(token);
  request.set_name_prefix(prefix);
  return request;
}

TEST_CASE("topics are listed by name, page by page", "[topics]") {
  TopicsRoom room;
  for (int i = 24; i >= 0; --i) room.Make(absl::StrCat("t", 100 + i), 1);
  std::vector<std::string> names;
  std::string token;
  int pages = 0;
  do {
    const auto page = room.topics->List(room.caller, Page(10, token));
    REQUIRE_OK(page);
    for (const v1::Topic& topic : page->topics()) names.push_back(topic.name());
    token = page->next_page_token();
    ++pages;
  } while (!token.empty());
  CHECK(pages == 3);
  CHECK(names == room.Names());
  CHECK(names.size() == 25);
}

TEST_CASE("a page that ends with the last topic is the last page", "[topics]") {
  TopicsRoom room;
  room.Make("a");
  room.Make("b");
  CHECK(room.topics->List(room.caller, Page(2))->next_page_token().empty());
  CHECK_FALSE(room.topics->List(room.caller, Page(1))->next_page_token().empty());
}

TEST_CASE("a page goes on although its last topic was deleted meanwhile", "[topics]") {
  TopicsRoom room;
  for (const char* name : {"a", "b", "c"}) room.Make(name);
  const auto first = room.topics->List(room.caller, Page(2));
  REQUIRE_OK(room.Delete("b"));
  const auto second = room.topics->List(room.caller, Page(2, first->next_page_token()));
  REQUIRE_OK(second);
  REQUIRE(second->topics_size() == 1);
  CHECK(second->topics(0).name() == "c");
}

TEST_CASE("a prefix chooses topics, also across pages", "[topics]") {
  TopicsRoom room;
  for (const char* name : {"a", "b.1", "b.2", "b.3", "c"}) room.Make(name);
  const auto first = room.topics->List(room.caller, Page(2, "", "b."));
  REQUIRE(first->topics_size() == 2);
  CHECK(first->topics(0).name() == "b.1");
  const auto second = room.topics->List(room.caller, Page(2, first->next_page_token(), "b."));
  REQUIRE(second->topics_size() == 1);
  CHECK(second->topics(0).name() == "b.3");
  CHECK(second->next_page_token().empty());
  CHECK(room.topics->List(room.caller, Page(0, "", "z"))->topics().empty());
}

TEST_CASE("a page has at most 1000 topics, 100 unless asked", "[topics]") {
  TopicsRoom room;
  for (int i = 0; i < 101; ++i) room.Make(absl::StrCat("t", i), 1);
  CHECK(room.topics->List(room.caller, Page(0))->topics_size() == 100);
  CHECK_OK(room.topics->List(room.caller, Page(1000)));
  CHECK(ReasonOf(room.topics->List(room.caller, Page(1001)).status()) == v1::INVALID_ARGUMENT);
  CHECK(ReasonOf(room.topics->List(room.caller, Page(-1)).status()) == v1::INVALID_ARGUMENT);
}

TEST_CASE("a token of somebody else is refused", "[topics]") {
  TopicsRoom room;
  room.Make("a");
  for (const std::string& token :
       {std::string("%%%"), std::string("a"), absl::WebSafeBase64Escape("a/b"),
        absl::WebSafeBase64Escape(std::string(250, 'x')), absl::WebSafeBase64Escape("\xff")}) {
    INFO(token);
    const auto status = room.topics->List(room.caller, Page(10, token)).status();
    CHECK(ReasonOf(status) == v1::INVALID_ARGUMENT);
    CHECK(DetailsOf(status)["field"] == "page_token");
  }
}

TEST_CASE("partitions are listed with offsets, bytes and times", "[topics]") {
  TopicsRoom room;
  room.Make("orders", 2);
  room.Publish("orders", 1, 3);
  room.engine->Advance(absl::Seconds(5));
  room.Publish("orders", 1, 2);
  v1::ListPartitionsRequest request;
  request.set_topic("orders");
  auto response = room.topics->ListPartitions(room.caller, request);
  REQUIRE_OK(response);
  REQUIRE(response->partitions_size() == 2);
  const v1::PartitionInfo& empty = response->partitions(0);
  CHECK(empty.partition() == 0);
  CHECK(empty.end_offset() == 0);
  CHECK(empty.bytes() == 0);
  CHECK_FALSE(empty.has_first_time());
  CHECK_FALSE(empty.has_last_time());
  CHECK(empty.effective_dedupe_window().seconds() == 600);
  const v1::PartitionInfo full = response->partitions(1);
  CHECK(full.partition() == 1);
  CHECK(full.first_offset() == 0);
  CHECK(full.end_offset() == 5);
  CHECK(full.bytes() == 50);
  CHECK(full.last_time().seconds() == absl::ToUnixSeconds(room.engine->Now()));
  CHECK(full.first_time().seconds() == full.last_time().seconds() - 5);
  CHECK(full.incarnation() == 1);

  const PartitionId partition = room.topics->Find("default", "orders")->partition(1);
  room.engine->TrimTo(partition, Offset(3));
  response = room.topics->ListPartitions(room.caller, request);
  CHECK(response->partitions(1).first_offset() == 3);
  CHECK(response->partitions(1).bytes() == 20);
  room.engine->TrimTo(partition, Offset(5));
  response = room.topics->ListPartitions(room.caller, request);
  CHECK(response->partitions(1).first_offset() == 5);
  CHECK(response->partitions(1).bytes() == 0);
  CHECK_FALSE(response->partitions(1).has_last_time());
}

TEST_CASE("offsets are found by append time, the end where there is none", "[topics]") {
  TopicsRoom room;
  room.Make("orders", 2);
  const absl::Time start = room.engine->Now();
  room.Publish("orders", 0, 3);
  room.engine->Advance(absl::Seconds(5));
  room.Publish("orders", 0, 2);
  room.Publish("orders", 1, 1);
  const auto find = [&room](absl::Time time, int32_t more_nanos = 0) {
    v1::FindOffsetsRequest request;
    request.set_topic("orders");
    request.mutable_time()->set_seconds(absl::ToUnixSeconds(time));
    request.mutable_time()->set_nanos(more_nanos);
    const auto response = room.topics->FindOffsets(room.caller, request);
    REQUIRE_OK(response);
    REQUIRE(response->offsets_size() == 2);
    CHECK(response->offsets(1).partition() == 1);
    CHECK(response->offsets(1).incarnation() == 1);
    return std::pair(response->offsets(0).offset(), response->offsets(1).offset());
  };
  using Offsets = std::pair<int64_t, int64_t>;
  CHECK(find(absl::UnixEpoch()) == Offsets(0, 0));
  CHECK(find(start) == Offsets(0, 0));
  CHECK(find(start, 1) == Offsets(3, 0));
  CHECK(find(start + absl::Seconds(5)) == Offsets(3, 0));
  CHECK(find(start + absl::Seconds(6)) == Offsets(5, 1));
}

TEST_CASE("a time that is none is refused", "[topics]") {
  TopicsRoom room;
  room.Make("orders", 1);
  v1::FindOffsetsRequest request;
  request.set_topic("orders");
  const auto refusal = [&] {
    return ReasonOf(room.topics->FindOffsets(room.caller, request).status());
  };
  CHECK(refusal() == v1::INVALID_ARGUMENT);
  request.mutable_time()->set_seconds(INT64_MAX);
  CHECK(refusal() == v1::INVALID_ARGUMENT);
  request.mutable_time()->set_seconds(0);
  request.mutable_time()->set_nanos(1'000'000'000);
  CHECK(refusal() == v1::INVALID_ARGUMENT);
  request.mutable_time()->set_nanos(999'999'999);
  CHECK(refusal() == v1::ERROR_REASON_UNSPECIFIED);
}

}  // namespace
}  // namespace acta
