#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/bench/cpu_watch.h"
#include "tools/bench/event_form.h"
#include "tools/bench/fill.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kTopics = 20;
constexpr int32_t kPartitions = 16;
constexpr int32_t kEventBytes = 100;
constexpr int64_t kBytesOfTopic = int64_t{1} << 20;

// Groups over topics that have events, all of which wait.
absl::Status MakeGroups(Bed& bed) {
  client::Admin admin(bed.NewChannel());
  const EventForm form(kEventBytes, kPartitions);
  const int32_t each = std::max(1, bed.durations().many / 10 / kTopics);
  for (int32_t i = 0; i < kTopics; ++i) {
    ASSIGN_OR_RETURN(const std::string topic,
                     bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kFull));
    for (int32_t k = 0; k < each; ++k) {
      v1::CreateGroupRequest request;
      request.mutable_group()->set_name(absl::StrCat(topic, "-", k));
      request.mutable_group()->add_topics(topic);
      request.mutable_group()->set_mode(k % 2 == 0 ? v1::GROUP_MODE_STREAM : v1::GROUP_MODE_QUEUE);
      request.mutable_start()->set_earliest(true);
      RETURN_IF_ERROR(admin.CreateGroup(request).status());
    }
    RETURN_IF_ERROR(Fill(bed, form, topic, kBytesOfTopic).status());
  }
  return absl::OkStatus();
}

// Of an address of the loopback, as the broker tells it.
absl::StatusOr<int> Connect(const std::string& address) {
  int port = 0;
  const size_t colon = address.rfind(':');
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  const bool known = colon != std::string::npos &&
                     absl::SimpleAtoi(address.substr(colon + 1), &port) &&
                     inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) == 1;
  if (!known) return absl::InvalidArgumentError(absl::StrCat("no address: ", address));
  to.sin_port = htons(static_cast<uint16_t>(port));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0) return fd;
  if (fd >= 0) close(fd);
  return absl::UnavailableError(absl::StrCat("nobody listens at ", address));
}

absl::StatusOr<std::string> Scrape(const std::string& address) {
  constexpr absl::string_view kAsk = "GET /metrics HTTP/1.0\r\nHost: broker\r\n\r\n";
  ASSIGN_OR_RETURN(const int fd, Connect(address));
  const absl::Cleanup close_fd = [fd] { close(fd); };
  if (write(fd, kAsk.data(), kAsk.size()) != static_cast<ssize_t>(kAsk.size())) {
    return absl::UnavailableError("the broker's metrics cannot be asked for");
  }
  std::string page;
  char bytes[16 << 10];
  for (ssize_t count = 0; (count = read(fd, bytes, sizeof(bytes))) > 0;) {
    page.append(bytes, static_cast<size_t>(count));
  }
  if (absl::StrContains(page.substr(0, page.find('\n')), " 200 ")) return page;
  return absl::UnavailableError("the broker's metrics cannot be read");
}

// What a look at all metrics costs a broker, whatever else it does.
absl::StatusOr<Outcome> RunScrape(Bed& bed) {
  RETURN_IF_ERROR(MakeGroups(bed));
  ASSIGN_OR_RETURN(const std::string first, Scrape(bed.http_address()));
  Latencies latencies;
  const CpuWatch cpu(bed);
  const int64_t end = NowNanos() + static_cast<int64_t>(bed.durations().seconds * 1e9);
  int64_t scrapes = 0;
  for (int64_t begin = NowNanos(); begin < end || scrapes == 0; begin = NowNanos(), ++scrapes) {
    RETURN_IF_ERROR(Scrape(bed.http_address()).status());
    latencies.Add(NowNanos() - begin);
  }
  Outcome outcome;
  cpu.Read(static_cast<double>(scrapes), &outcome);
  std::optional<double> ms;
  if (outcome.broker_cpu_s_per_million) ms = *outcome.broker_cpu_s_per_million / 1e3;
  outcome.values = {ms, latencies.Millis(0.5), static_cast<double>(first.size()) / 1e3};
  return outcome;
}

}  // namespace

void AddScrapeMeasures(std::vector<Measure>* measures) {
  Measure scrape;
  scrape.name = "scrape";
  scrape.help =
      "CPU of a scrape of the metrics with 100 groups over 20 topics of 16 partitions: 10 ms are 1 "
      "% of a core each second";
  scrape.figures = {{"", "ms", true, 10, 5}, {".p50", "ms", true}, {".page", "kB", true}};
  scrape.needs_own_broker = true;
  scrape.run = RunScrape;
  measures->push_back(std::move(scrape));
}

}  // namespace acta::bench
