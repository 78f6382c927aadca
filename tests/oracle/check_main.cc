// acta-oracle-check: holds a folder of histories against what a log promises.
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/oracle/checker.h"

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
  const acta::oracle::CheckReport report = acta::oracle::Check(*history, options);
  std::printf("acknowledged %lld, delivered %lld, kept %lld\n",
              static_cast<long long>(report.acknowledged), static_cast<long long>(report.delivered),
              static_cast<long long>(report.kept));
  for (const auto& [anomaly, count] : report.counts) {
    std::printf("%s %lld\n", acta::oracle::AnomalyName(anomaly).c_str(),
                static_cast<long long>(count));
    for (const std::string& example : report.examples.at(anomaly)) {
      std::printf("  %s\n", example.c_str());
    }
  }
  if (report.clean()) std::puts("no anomaly");
  return report.clean() ? 0 : 1;
}
