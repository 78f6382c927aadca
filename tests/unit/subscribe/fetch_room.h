#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {

struct Answer : FetchedPage {
  absl::Status status;

  Strings Data() const {
    Strings all;
    for (const OutgoingBatch& batch : batches) {
      CHECK(batch.assignment == 0);
      const Strings data = DataOf(batch.payload);
      CHECK(data.size() == batch.count);
      all.insert(all.end(), data.begin(), data.end());
    }
    return all;
  }
  size_t WireBytes() const {
    v1::FetchResponse response = header;
    for (const OutgoingBatch& batch : batches) {
      v1::DeliveredBatch* out = response.add_batches();
      REQUIRE(out->ParseFromString(std::string(batch.payload.view())));
      out->set_base_offset(batch.base_offset.value());
      out->set_incarnation(batch.incarnation.value());
      out->set_append_time_us(batch.append_time_us);
      out->set_context(std::string(batch.context.view()));
    }
    return response.ByteSizeLong();
  }
};

class FetchRoom : public SubscribeRoom {
 public:
  using SubscribeRoom::SubscribeRoom;

  std::shared_ptr<std::optional<Answer>> Ask(const v1::FetchRequest& request,
                                             SubscriptionHub::FetchCancel* cancel = nullptr) {
    auto answer = std::make_shared<std::optional<Answer>>();
    auto give_up = hub->Fetch(caller, request, [answer](absl::StatusOr<FetchedPage> page) {
      REQUIRE_FALSE(answer->has_value());
      const absl::Status status = page.status();
      *answer = Answer{page.ok() ? *std::move(page) : FetchedPage(), status};
    });
    if (cancel != nullptr) *cancel = std::move(give_up);
    return answer;
  }
  Answer Get(const v1::FetchRequest& request) {
    const auto answer = Ask(request);
    Run();
    REQUIRE(answer->has_value());
    return *std::move(*answer);
  }
  static v1::FetchRequest From(int64_t offset, int32_t partition = 0) {
    v1::FetchRequest request;
    request.set_topic("orders");
    request.set_partition(partition);
    request.set_offset(offset);
    return request;
  }
  static v1::FetchRequest Waiting(int64_t offset, int seconds) {
    v1::FetchRequest request = From(offset);
    request.mutable_wait()->set_seconds(seconds);
    return request;
  }
};

}  // namespace acta
