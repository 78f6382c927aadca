#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/crc32c.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"

namespace acta {

// Topics on an engine in memory.
class TopicsRoom {
 public:
  explicit TopicsRoom(const TopicLimits& limits = {})
      : limits_(limits), engine(std::make_unique<MemoryLogEngine>()) {
    Start();
  }

  void Restart() {
    topics.reset();
    engine = engine->Restart();
    Start();
  }

  static v1::CreateTopicRequest Named(const std::string& name, int32_t partitions = 0) {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    return request;
  }
  void Make(const std::string& name, int32_t partitions = 0) {
    REQUIRE_OK(topics->Create(caller, Named(name, partitions)));
  }
  absl::Status Delete(const std::string& name, bool force = false) {
    v1::DeleteTopicRequest request;
    request.set_name(name);
    request.set_force(force);
    return topics->Delete(caller, request).status();
  }
  static v1::UpdateTopicRequest Change(const std::string& name,
                                       const std::vector<std::string>& paths) {
    v1::UpdateTopicRequest request;
    request.mutable_topic()->set_name(name);
    for (const std::string& path : paths) request.mutable_update_mask()->add_paths(path);
    return request;
  }
  absl::Status Grow(const std::string& name, int32_t partitions, bool accept_reorder) {
    v1::UpdateTopicRequest request = Change(name, {"partitions"});
    request.mutable_topic()->set_partitions(partitions);
    request.set_accept_reorder(accept_reorder);
    return topics->Update(caller, request).status();
  }
  void Publish(const std::string& topic, int32_t partition, uint32_t count) {
    Append append;
    append.partition = topics->Find("default", topic)->partition(partition);
    append.payload = SharedBytes(std::string(count * 10, 'x'));
    append.payload_crc32c = Crc32c(append.payload.view());
    append.count = count;
    Transaction transaction;
    transaction.appends.push_back(std::move(append));
    absl::Status status = absl::UnknownError("never done");
    transaction.done = [&status](TransactionResult result) {
      status = result.appends.at(0).status;
    };
    REQUIRE_OK(engine->Submit(std::move(transaction)));
    REQUIRE_OK(status);
  }
  std::vector<std::string> Names() const {
    v1::ListTopicsRequest request;
    request.set_page_size(1000);
    const auto response = topics->List(caller, request);
    REQUIRE_OK(response);
    std::vector<std::string> names;
    for (const v1::Topic& topic : response->topics()) names.push_back(topic.name());
    return names;
  }

 private:
  void Start() {
    topics = std::make_unique<TopicRegistry>(*engine, limits_);
    REQUIRE_OK(topics->Load());
  }

  const TopicLimits limits_;

 public:
  Caller caller{"anonymous", "default", "test", absl::InfiniteDuration()};
  std::unique_ptr<MemoryLogEngine> engine;
  std::unique_ptr<TopicRegistry> topics;
};

}  // namespace acta
