// acta-oracle-check: holds a folder of histories against what a log and its queues promise.
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/oracle/checker.h"
#include "tests/oracle/queue_checker.h"
#include "tests/oracle/queue_records.h"

namespace {

template <typename Report, typename Name>
void Print(const Report& report, const Name& name_of) {
  for (const auto& [anomaly, count] : report.counts) {
    std::printf("%s %lld\n", name_of(anomaly).c_str(), static_cast<long long>(count));
    for (const std::string& example : report.examples.at(anomaly)) {
      std::printf("  %s\n", example.c_str());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  acta::oracle::CheckOptions options;
  std::string folder;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view word = argv[i];
    if (word == "--power-cut") {
      options.power_cut = true;
    } else if (folder.empty() && word.substr(0, 1) != "-") {
      folder = std::string(word);
    } else {
      folder.clear();
      break;
    }
  }
  if (folder.empty()) {
    std::fputs("acta-oracle-check [--power-cut] FOLDER\n", stderr);
    return 2;
  }
  const auto history = acta::oracle::ReadHistory(folder);
  if (!history.ok()) {
    std::fprintf(stderr, "acta-oracle-check: %s\n", history.status().ToString().c_str());
    return 2;
  }
  const auto queues = acta::oracle::ReadQueueHistory(folder);
  if (!queues.ok()) {
    std::fprintf(stderr, "acta-oracle-check: %s\n", queues.status().ToString().c_str());
    return 2;
  }
  const acta::oracle::CheckReport report = acta::oracle::Check(*history, options);
  const acta::oracle::QueueReport queue = acta::oracle::CheckQueues(*queues);
  std::printf("acknowledged %lld, delivered %lld, kept %lld",
              static_cast<long long>(report.acknowledged), static_cast<long long>(report.delivered),
              static_cast<long long>(report.kept));
  if (queue.leased > 0) {
    std::printf("; leased %lld, settled %lld, steps %lld, dead letters %lld",
                static_cast<long long>(queue.leased), static_cast<long long>(queue.settled),
                static_cast<long long>(queue.steps), static_cast<long long>(queue.letters));
  }
  std::puts("");
  Print(report, acta::oracle::AnomalyName);
  Print(queue, acta::oracle::QueueAnomalyName);
  const bool clean = report.clean() && queue.clean();
  if (clean) std::puts("no anomaly");
  return clean ? 0 : 1;
}
