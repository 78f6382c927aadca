#pragma once

#include <string>

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
  return start;
}

}  // namespace acta::client
