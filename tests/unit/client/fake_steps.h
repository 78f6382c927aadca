#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "acta/v1/subscriber.pb.h"
#include "storage/base/mutex.h"

namespace acta::client {

// The steps of a broker: one that settles what another has settled before is refused.
//
// Threads: any.
class FakeSteps {
 public:
  // Of consecutive events that are delivered together.
  static std::string TokenOf(int32_t partition, int64_t first, int count);

  // The answer to the next step, which is done before or not at all.
  void AnswerNext(grpc::Status answer, bool done);
  // Steps wait until it is taken back.
  void Hold(bool hold);

  grpc::Status Settle(const v1::SettleRequest& request, v1::SettleResponse* response);

  // All that came, in order.
  std::vector<v1::SettleRequest> asked();
  // The data of what those have published that were done.
  std::vector<std::string> published();

 private:
  // False: somebody has settled some of it.
  bool Do(const v1::SettleRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Mutex mu_;
  CondVar changed_;
  bool hold_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<std::pair<grpc::Status, bool>> next_ ABSL_GUARDED_BY(mu_);
  std::vector<v1::SettleRequest> asked_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> published_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> settled_ ABSL_GUARDED_BY(mu_);  // Tokens.
};

}  // namespace acta::client
