#pragma once

#include <string>
#include <utility>
#include <vector>

#include "acta/v1/subscriber.pb.h"

namespace acta::client {

// What every subscription says of itself: all of the start frame but its topics. `drawn_id` is the
// member id that the broker drew, which an id of the options wins over.
template <typename Options>
v1::SubscribeStart MakeSubscribeStart(const Options& options, const std::string& drawn_id) {
  v1::SubscribeStart start;
  start.set_group(options.group);
  start.set_mode(options.create_mode);
  if (options.create_at.has_value()) *start.mutable_create_at() = *options.create_at;
  start.set_member_id(options.member_id.empty() ? drawn_id : options.member_id);
  start.mutable_credit()->set_events(options.credit_events);
  start.mutable_credit()->set_bytes(options.credit_bytes);
  start.set_max_frame_bytes(options.max_frame_bytes);
  start.set_app(options.app);
  start.set_app_version(options.app_version);
  start.set_instance(options.instance);
  if (options.delivery_tokens) start.add_wanted_features("DELIVERY_TOKENS");
  return start;
}

// A step of this subscription without the events that it settles.
template <typename Options>
v1::SettleRequest MakeSettleRequest(const Options& options, std::vector<v1::PartitionBatch> publish,
                                    std::vector<v1::CompletedClaim> claims) {
  v1::SettleRequest request;
  request.set_group(options.group);
  request.set_app(options.app);
  request.set_app_version(options.app_version);
  request.set_instance(options.instance);
  for (v1::PartitionBatch& batch : publish) *request.add_publish() = std::move(batch);
  for (v1::CompletedClaim& claim : claims) *request.add_claims() = std::move(claim);
  return request;
}

}  // namespace acta::client
