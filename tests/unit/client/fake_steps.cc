#include "tests/unit/client/fake_steps.h"

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "tests/unit/client/to_grpc.h"

namespace acta::client {

std::string FakeSteps::TokenOf(int32_t partition, int64_t first, int count) {
  return absl::StrCat("partition ", partition, ", ", count, " from ", first);
}

void FakeSteps::AnswerNext(grpc::Status answer, bool done) {
  MutexLock lock(mu_);
  next_.emplace(std::move(answer), done);
}

void FakeSteps::Hold(bool hold) {
  MutexLock lock(mu_);
  hold_ = hold;
  changed_.SignalAll();
}

grpc::Status FakeSteps::Settle(const v1::SettleRequest& request, v1::SettleResponse* response) {
  MutexLock lock(mu_);
  asked_.push_back(request);
  while (hold_) changed_.Wait(mu_);
  const auto next = std::exchange(next_, std::nullopt);
  if (next.has_value() && !next->second) return next->first;
  if (!Do(request)) return ToGrpc(Error(v1::ALREADY_SETTLED, "by a step before"));
  if (next.has_value()) return next->first;
  for (int i = 0; i < request.publish_size(); ++i) {
    response->add_batches()->add_parts()->set_base_offset(i);
  }
  return grpc::Status::OK;
}

bool FakeSteps::Do(const v1::SettleRequest& request) {
  std::set<std::string> tokens;
  for (const auto& events : request.processed()) tokens.insert(events.delivery_token());
  for (const auto& events : request.failed()) tokens.insert(events.delivery_token());
  for (const std::string& token : tokens) {
    if (settled_.count(token) > 0) return false;
  }
  settled_.insert(tokens.begin(), tokens.end());
  for (const v1::PartitionBatch& batch : request.publish()) {
    for (const v1::Event& event : batch.events()) published_.push_back(event.data());
  }
  return true;
}

std::vector<v1::SettleRequest> FakeSteps::asked() {
  MutexLock lock(mu_);
  return asked_;
}

std::vector<std::string> FakeSteps::published() {
  MutexLock lock(mu_);
  return published_;
}

}  // namespace acta::client
