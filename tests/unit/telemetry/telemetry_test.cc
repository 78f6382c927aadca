#include "server/telemetry/telemetry.h"

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "server/telemetry/process_metrics.h"

namespace acta {
namespace {

using Catch::Contains;

TEST_CASE("a metric is written with its help and type", "[telemetry]") {
  MetricWriter writer(10);
  writer.Add(Metric::kLogWalBytes, 4096);
  CHECK(writer.Text() ==
        "# HELP acta_log_wal_bytes Bytes of live write-ahead log files.\n"
        "# TYPE acta_log_wal_bytes gauge\n"
        "acta_log_wal_bytes 4096\n");
}

TEST_CASE("metrics come in the order of the table, and without samples not at all", "[telemetry]") {
  MetricWriter writer(10);
  writer.Add(Metric::kAppReady, 1);
  writer.Add(Metric::kLogAppendedEvents, 2);
  const std::string text = writer.Text();
  CHECK(text.find("acta_log_appended_events_total 2") < text.find("acta_app_ready 1"));
  CHECK_THAT(text, !Contains("acta_log_wal_bytes"));
}

TEST_CASE("numbers are exact", "[telemetry]") {
  MetricWriter writer(10);
  writer.Add(Metric::kLogClockJump, -0.25);
  writer.Add(Metric::kLogAppendedBytes, 9007199254740991.0);
  writer.Add(Metric::kProcessCpu, 0.1);
  writer.Add(Metric::kLogDiskFreeBytes, std::numeric_limits<double>::infinity());
  const std::string text = writer.Text();
  CHECK_THAT(text, Contains("acta_log_clock_jump_seconds -0.25\n"));
  CHECK_THAT(text, Contains("acta_log_appended_bytes_total 9007199254740991\n"));
  CHECK_THAT(text, Contains("acta_process_cpu_seconds_total 0.1\n"));
  CHECK_THAT(text, Contains("acta_log_disk_free_bytes +Inf\n"));
}

TEST_CASE("label values are escaped", "[telemetry]") {
  MetricWriter writer(10);
  writer.Add(Metric::kRpcRejections, "a\"b\\c\nd", 1);
  CHECK_THAT(writer.Text(), Contains("acta_rpc_rejections_total{reason=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST_CASE("a metric may have several labels", "[telemetry]") {
  MetricWriter writer(2);
  writer.Add(Metric::kQueuesOutstandingEvents, {"billing", "ready"}, 3);
  writer.Add(Metric::kQueuesOutstandingEvents, {"a\"b", "held"}, 0);
  writer.Add(Metric::kQueuesOutstandingEvents, {"billing", "leased"}, 1);
  CHECK_THAT(writer.Text(),
             Contains("acta_queues_outstanding_events{group=\"billing\",state=\"ready\"} 3\n"
                      "acta_queues_outstanding_events{group=\"a\\\"b\",state=\"held\"} 0\n") &&
                 !Contains("leased\"} 1"));
  CHECK(writer.hidden() == 1);
}

TEST_CASE("what is above the cap on series is left out and counted", "[telemetry]") {
  MetricWriter writer(2);
  for (const char* reason : {"A", "B", "C", "D"}) writer.Add(Metric::kRpcRejections, reason, 1);
  writer.Add(Metric::kAppReady, 1);
  CHECK(writer.hidden() == 2);
  CHECK_THAT(writer.Text(), Contains("{reason=\"B\"}") && !Contains("{reason=\"C\"}") &&
                                Contains("acta_app_ready 1"));
}

TEST_CASE("hidden samples add up over scrapes", "[telemetry]") {
  Telemetry telemetry({.max_series = 1});
  telemetry.rejections().Count(v1::TOPIC_NOT_FOUND);
  telemetry.rejections().Count(v1::GAP);
  telemetry.Expose();
  CHECK_THAT(telemetry.Expose(), Contains("acta_telemetry_hidden_samples_total 2\n"));
}

TEST_CASE("a histogram counts up to each bound", "[telemetry]") {
  Histogram histogram({0.001, 0.5});
  histogram.Observe(absl::Milliseconds(1));
  histogram.Observe(absl::Milliseconds(2));
  histogram.Observe(absl::Seconds(2));
  MetricWriter writer(10);
  writer.Add(Metric::kTelemetryCollect, histogram);
  CHECK_THAT(writer.Text(), Contains("# TYPE acta_telemetry_collect_seconds histogram\n"
                                     "acta_telemetry_collect_seconds_bucket{le=\"0.001\"} 1\n"
                                     "acta_telemetry_collect_seconds_bucket{le=\"0.5\"} 2\n"
                                     "acta_telemetry_collect_seconds_bucket{le=\"+Inf\"} 3\n"
                                     "acta_telemetry_collect_seconds_sum 2.003\n"
                                     "acta_telemetry_collect_seconds_count 3\n"));
}

TEST_CASE("rejections are counted by reason from any thread", "[telemetry]") {
  Telemetry telemetry({});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&telemetry] {
      for (int n = 0; n < 1000; ++n) telemetry.rejections().Count(v1::PUBLISH_QUEUE_FULL);
    });
  }
  for (std::thread& thread : threads) thread.join();
  telemetry.rejections().Count(v1::ERROR_REASON_UNSPECIFIED);
  telemetry.rejections().Count(static_cast<v1::ErrorReason>(9999));
  const std::string text = telemetry.Expose();
  CHECK_THAT(text, Contains("acta_rpc_rejections_total{reason=\"PUBLISH_QUEUE_FULL\"} 4000\n"));
  CHECK_THAT(text, Contains("acta_rpc_rejections_total{reason=\"INTERNAL\"} 2\n"));
  CHECK_THAT(text, !Contains("TOPIC_NOT_FOUND"));
}

TEST_CASE("collectors are asked at each scrape until they are cleared", "[telemetry]") {
  Telemetry telemetry({});
  int asked = 0;
  telemetry.AddCollector(
      [&asked](MetricWriter& writer) { writer.Add(Metric::kTopicsTopics, ++asked); });
  CHECK_THAT(telemetry.Expose(), Contains("acta_topics_topics 1\n"));
  CHECK_THAT(telemetry.Expose(), Contains("acta_topics_topics 2\n"));
  telemetry.ClearCollectors();
  CHECK_THAT(telemetry.Expose(), !Contains("acta_topics_topics"));
  CHECK(asked == 2);
}

TEST_CASE("the process tells about itself", "[telemetry]") {
  MetricWriter writer(10);
  CollectProcess(writer);
  const std::string text = writer.Text();
  for (const char* name : {"acta_process_resident_bytes ", "acta_process_open_descriptors ",
                           "acta_process_max_descriptors ", "acta_process_threads ",
                           "acta_process_cpu_seconds_total "}) {
    INFO(name);
    const size_t at = text.find("\n" + std::string(name));
    REQUIRE(at != std::string::npos);
    CHECK(std::stod(text.substr(at + 1 + std::string(name).size())) > 0);
  }
}

}  // namespace
}  // namespace acta
