#include "tools/acta/commands/queue_options.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tools/acta/commands/lag_table.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

Args Typed(const std::vector<std::pair<std::string, std::string>>& options) {
  Args args;
  for (const auto& [name, value] : options) args.Add(name, value);
  return args;
}

std::string RefusedOption(const std::vector<std::pair<std::string, std::string>>& options) {
  v1::Group group;
  const absl::Status status = ReadQueueOptions(Typed(options), &group);
  CHECK(ExitStatusOf(status) == kExitUsage);
  return std::string(status.message());
}

TEST_CASE("a group is of mode stream unless it is said", "[cli]") {
  v1::Group group;
  REQUIRE_OK(ReadQueueOptions(Args(), &group));
  CHECK(group.mode() == v1::GROUP_MODE_STREAM);
  CHECK_FALSE(group.has_queue());
  CHECK(ReadMode(Args()).value() == v1::GROUP_MODE_UNSPECIFIED);
  CHECK(RefusedOption({{"--mode", "topic"}}) == "--mode: 'topic' is not stream or queue");
}

TEST_CASE("the broker knows the defaults of a queue", "[cli]") {
  v1::Group group;
  REQUIRE_OK(ReadQueueOptions(Typed({{"--mode", "queue"}}), &group));
  CHECK(group.mode() == v1::GROUP_MODE_QUEUE);
  CHECK(group.queue().ByteSizeLong() == 0);
}

TEST_CASE("every setting of a queue has its option", "[cli]") {
  v1::Group group;
  REQUIRE_OK(ReadQueueOptions(Typed({{"--mode", "queue"},
                                     {"--order", "key-relaxed"},
                                     {"--lease", "45s"},
                                     {"--max-attempts", "3"},
                                     {"--on-exhausted", "hold-key"},
                                     {"--backoff", "250ms"},
                                     {"--backoff-factor", "1.5"},
                                     {"--backoff-max", "10m"},
                                     {"--backoff-jitter", "0.25"},
                                     {"--dead-letter-retention", "30d"},
                                     {"--max-dead-letters", "500"}}),
                              &group));
  CHECK(group.queue().order() == v1::QUEUE_ORDER_KEY_RELAXED);
  CHECK(group.queue().on_exhausted() == v1::ON_EXHAUSTED_HOLD_KEY);
  CHECK(QueueText(group.queue()) ==
        "order key-relaxed, lease 45s, 3 attempts and then hold-key, backoff 250ms x1.5 up to 10m "
        "+-25%, dead letters kept 30d, at most 500");
}

TEST_CASE("a setting of a queue needs a queue", "[cli]") {
  for (const Option& option : QueueOptions()) {
    if (option.name == "--mode") continue;
    CHECK(RefusedOption({{option.name, "1"}}) ==
          option.name + " is a setting of queues: say --mode queue");
    CHECK(RefusedOption({{"--mode", "stream"}, {option.name, "1"}}) ==
          option.name + " is a setting of queues: say --mode queue");
  }
}

TEST_CASE("a setting of another form is refused by its name", "[cli]") {
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--order", "fifo"},
                                                        {"--lease", "soon"},
                                                        {"--max-attempts", "0"},
                                                        {"--on-exhausted", "drop"},
                                                        {"--backoff", "1"},
                                                        {"--backoff-factor", "0.5"},
                                                        {"--backoff-factor", "nan"},
                                                        {"--backoff-max", "-1s"},
                                                        {"--backoff-jitter", "1.1"},
                                                        {"--dead-letter-retention", "x"},
                                                        {"--max-dead-letters", "1000001"}}) {
    INFO(option);
    CHECK(RefusedOption({{"--mode", "queue"}, {option, value}}).find(option) == 0);
  }
}

TEST_CASE("an update names the settings whose options are given", "[cli]") {
  v1::QueueSettings settings;
  std::vector<std::string> fields;
  REQUIRE_OK(ReadQueueChanges(Args(), &settings, &fields));
  CHECK(fields.empty());
  REQUIRE_OK(ReadQueueChanges(
      Typed({{"--max-dead-letters", "500"}, {"--lease", "45s"}, {"--backoff", "2s"}}), &settings,
      &fields));
  CHECK(fields ==
        std::vector<std::string>{"queue.lease", "queue.backoff_initial", "queue.max_dead_letters"});
  CHECK(settings.max_dead_letters() == 500);
  CHECK_FALSE(settings.has_max_attempts());
  CHECK(ExitStatusOf(ReadQueueChanges(Typed({{"--order", "fifo"}}), &settings, &fields)) ==
        kExitUsage);
}

TEST_CASE("every option of a setting names a field of the proto", "[cli]") {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Option& option : QueueSettingOptions()) {
    all.emplace_back(option.name, option.value == "TIME"    ? "1h"
                                  : option.value == "ORDER" ? "key"
                                  : option.value == "HOW"   ? "hold-key"
                                                            : "1");
  }
  v1::QueueSettings settings;
  std::vector<std::string> fields;
  REQUIRE_OK(ReadQueueChanges(Typed(all), &settings, &fields));
  REQUIRE(static_cast<int>(fields.size()) == v1::QueueSettings::descriptor()->field_count());
  std::vector<const google::protobuf::FieldDescriptor*> set;
  v1::QueueSettings::GetReflection()->ListFields(settings, &set);
  CHECK(set.size() == fields.size());
  for (const std::string& field : fields) {
    INFO(field);
    CHECK(v1::QueueSettings::descriptor()->FindFieldByName(field.substr(6)) != nullptr);
  }
}

TEST_CASE("the lag of a queue is told by state", "[cli]") {
  v1::GetLagResponse lag;
  for (int32_t partition = 0; partition < 2; ++partition) {
    v1::PartitionLag* row = lag.add_partitions();
    row->set_topic("t");
    row->set_partition(partition);
    row->set_end_offset(100);
    row->set_lag_events(28);
    v1::QueueLag* queue = row->mutable_queue();
    queue->set_ready(1);
    queue->set_leased(2);
    queue->set_retry_wait(3);
    queue->set_blocked_by_key(4);
    queue->set_held(5);
    queue->set_not_scanned(6);
    queue->set_dead_letters(7);
    row->set_exact(partition == 0);
  }
  *lag.mutable_partitions(0)->mutable_queue()->mutable_behind_never_delivered() =
      ToProtoDuration(absl::Seconds(30));
  *lag.mutable_partitions(1)->mutable_behind() = ToProtoDuration(absl::Seconds(90));
  const Table table = LagTable(lag);
  CHECK(table.columns() == std::vector<std::string>{"TOPIC", "PARTITION", "END", "LAG", "READY",
                                                    "LEASED", "RETRY", "BLOCKED", "HELD",
                                                    "NOT_SCANNED", "DEAD_LETTERS", "BEHIND",
                                                    "NEVER_DELIVERED", "COUNT"});
  // Each partition's message says how many dead letters the group has: they are counted once.
  CHECK(table.rows()[0] == std::vector<std::string>{"t", "0", "100", "28", "1", "2", "3", "4", "5",
                                                    "6", "", "0s", "30s", "exact"});
  CHECK(table.total() == std::vector<std::string>{"total", "", "", "56", "2", "4", "6", "8", "10",
                                                  "12", "7", "1m30s", "30s", "upper_bound"});
  lag.mutable_partitions(0)->clear_queue();
  lag.mutable_partitions(1)->clear_queue();
  CHECK(LagTable(lag).columns().back() == "MEMBER");
}

}  // namespace
}  // namespace acta::cli
