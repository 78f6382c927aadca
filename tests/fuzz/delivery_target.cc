#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "client/cpp/delivery_frame.h"
#include "client/cpp/subscription_state.h"
#include "client/cpp/worker_state.h"
#include "proto/support/wire.h"
#include "storage/base/fatal.h"
#include "tests/fuzz/fuzz_targets.h"

namespace acta {
namespace {

using client::Delivery;
using client::DeliveryFrame;
using client::SubscriptionState;
using client::WorkerState;
using client::WorkItem;

void CheckDelivery(const Delivery& delivery, const v1::DeliveredBatch& parsed) {
  ACTA_CHECK(delivery.count() == parsed.events_size());
  ACTA_CHECK(delivery.base_offset() == parsed.base_offset());
  ACTA_CHECK(delivery.incarnation() == parsed.incarnation());
  ACTA_CHECK(EventElements::Count(delivery.payload()) == delivery.count());
  int64_t last = -1;
  for (int64_t i = 0; i < delivery.count(); ++i) {
    ACTA_CHECK(delivery.OffsetOf(i) > last);
    last = delivery.OffsetOf(i);
  }
  ACTA_CHECK(delivery.next_offset() > last);
  const auto events = delivery.Parse();
  ACTA_CHECK(events.ok());
  for (int i = 0; i < parsed.events_size(); ++i) {
    ACTA_CHECK((*events)[static_cast<size_t>(i)].data() == parsed.events(i).data());
  }
  (void)delivery.context();
}

// What the generated parser accepts, the reader has to understand likewise or refuse.
void CheckFrame(const DeliveryFrame& frame, absl::string_view bytes) {
  v1::DeliveryFrame parsed;
  if (!parsed.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  ACTA_CHECK(frame.deliveries.size() == static_cast<size_t>(parsed.batches_size()));
  for (int i = 0; i < parsed.batches_size(); ++i) {
    CheckDelivery(frame.deliveries[static_cast<size_t>(i)], parsed.batches(i));
  }
}

// As a program does that commits what it consumed and gives back what it is asked for.
void Consume(SubscriptionState* state) {
  while (std::optional<SubscriptionState::Item> item = state->Pop()) {
    if (const auto* revoking = std::get_if<SubscriptionState::Revoking>(&*item)) {
      state->Release(*revoking, true);
    } else if (const auto* delivery = std::get_if<Delivery>(&*item)) {
      (void)delivery->Parse();
    }
  }
  state->CommitDelivered();
  while (const auto control = state->TakeControl()) {
    if (control->has_credit()) ACTA_CHECK(control->credit().events() >= 0);
    if (control->has_commit()) ACTA_CHECK(control->commit().offset() >= 0);
  }
}

// As a program does that settles every other item as a whole, and of the others the first event.
void Settle(WorkerState* state) {
  constexpr v1::SettleKind kKinds[] = {v1::SETTLE_KIND_ACK, v1::SETTLE_KIND_NACK,
                                       v1::SETTLE_KIND_REJECT, v1::SETTLE_KIND_EXTEND,
                                       v1::SETTLE_KIND_RELEASE};
  size_t count = 0;
  while (std::optional<WorkerState::Item> item = state->Pop()) {
    const auto* const work = std::get_if<WorkItem>(&*item);
    if (work == nullptr) continue;
    const client::Verdict verdict = {kKinds[++count % std::size(kKinds)]};
    if (count % 2 == 0) {
      state->Settle(*work, verdict);
    } else {
      state->Settle(work->topic(), work->partition(), work->base_offset(), 1, verdict);
    }
  }
  while (const auto control = state->TakeControl()) {
    if (control->has_credit()) ACTA_CHECK(control->credit().events() > 0);
    for (const v1::Settlement& one : control->settle().settlements()) {
      ACTA_CHECK(one.assignment() != 0 && one.offset() >= 0 && one.count() > 0);
    }
  }
}

}  // namespace

int FuzzDelivery(absl::string_view bytes) {
  client::SubscriberOptions options;
  options.group = bytes.size() % 2 == 0 ? "g" : "";
  SubscriptionState state(options);
  state.OnOpen();
  Consume(&state);
  client::WorkerOptions working;
  working.on_settle_error = [](const client::SettleError& error) { ACTA_CHECK(error.count >= 0); };
  WorkerState worker(working);
  worker.OnOpen();
  Settle(&worker);
  const auto owner = std::make_shared<const std::string>(bytes);
  WireReader reader(*owner);
  for (absl::string_view one; reader.ReadBytes(&one) == WireFault::kNone;) {
    absl::StatusOr<DeliveryFrame> frame = client::DeliveryFrameReader::Read(owner, one);
    if (!frame.ok()) break;
    CheckFrame(*frame, one);
    worker.OnFrame(*frame);
    Settle(&worker);
    state.OnFrame(*std::move(frame));
    Consume(&state);
  }
  state.OnEnd();
  state.OnOpen();
  Consume(&state);
  worker.OnEnd();
  worker.OnOpen();
  Settle(&worker);
  return 0;
}

}  // namespace acta
