// A worker of the client library that bills orders: `acta-step-worker HOST:PORT NAME`. For each
// event of the group `workers` it claims `pay/ID`, and then settles the event, publishes the bill
// and completes the claim in one step. It works until SIGTERM.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cpp/channel.h"
#include "client/cpp/claims.h"
#include "client/cpp/worker.h"
#include "proto/support/error.h"

namespace acta {
namespace {

std::atomic<bool> g_ends{false};

void Log(const std::string& id, absl::string_view what) {
  std::printf("%s %s\n", id.c_str(), std::string(what).c_str());
  std::fflush(stdout);
}

client::WorkerOptions OptionsOf(const std::string& name) {
  client::WorkerOptions options;
  options.group = "workers";
  options.app = "biller";
  options.member_id = name;
  options.delivery_tokens = true;
  options.credit_events = 4;
  return options;
}

client::ClaimsOptions ClaimsOf(const std::string& name) {
  client::ClaimsOptions options;
  options.group = "workers";
  options.owner = name;
  options.lease = absl::Seconds(2);  // Whoever is killed is not waited for long.
  options.retry_for = absl::Seconds(1);
  return options;
}

v1::PartitionBatch BillOf(const std::string& id) {
  v1::PartitionBatch batch;
  batch.set_topic("bills");
  batch.add_events()->set_data(id);
  return batch;
}

void PutOff(client::Worker& worker, const client::WorkItem& item, const std::string& reason) {
  client::NackOptions options;
  options.delay = absl::Milliseconds(200);
  options.reason = reason;
  worker.Nack(item, std::move(options));
}

void Bill(client::Worker& worker, client::Claims& claims, const client::WorkItem& item) {
  std::vector<v1::CompletedClaim> paid;
  std::vector<v1::PartitionBatch> bills;
  const absl::StatusOr<std::vector<v1::Event>> events = item.Parse();
  if (!events.ok()) return PutOff(worker, item, "unreadable");
  for (const v1::Event& event : *events) {
    const std::string key = absl::StrCat("pay/", event.id());
    const absl::StatusOr<v1::ClaimResponse> claim = claims.Claim(key);
    if (!claim.ok() || claim->outcome() != v1::CLAIM_OUTCOME_FIRST) {
      return PutOff(worker, item, "not_first");
    }
    v1::CompletedClaim& one = paid.emplace_back();
    one.set_key(key);
    one.set_token(claim->token());
    one.set_result(event.id());
    bills.push_back(BillOf(event.id()));
  }
  const auto settled = worker.AckAndPublish(item, std::move(bills), std::move(paid));
  for (const v1::Event& event : *events) {
    Log(event.id(), settled.ok() ? "billed" : v1::ErrorReason_Name(ReasonOf(settled.status())));
  }
  if (!settled.ok()) PutOff(worker, item, "step_failed");  // Of no use where it is another's now.
}

int Work(const std::string& address, const std::string& name) {
  const auto channel = std::make_shared<client::Channel>(address);
  client::Worker worker(channel, OptionsOf(name));
  client::Claims claims(channel, ClaimsOf(name));
  while (!g_ends) {
    const auto item = worker.Next(absl::Now() + absl::Milliseconds(100));
    if (!item.ok()) {
      std::fprintf(stderr, "%s\n", item.status().ToString().c_str());
      return 1;
    }
    if (item->has_value()) Bill(worker, claims, **item);
  }
  const absl::Status closed = worker.Close();
  if (!closed.ok()) std::fprintf(stderr, "close: %s\n", closed.ToString().c_str());
  return closed.ok() ? 0 : 1;
}

}  // namespace
}  // namespace acta

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: acta-step-worker HOST:PORT NAME\n");
    return 2;
  }
  std::signal(SIGTERM, [](int) { acta::g_ends = true; });
  return acta::Work(argv[1], argv[2]);
}
