#pragma once

#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cpp/channel.h"
#include "client/cpp/hooks.h"

namespace acta::client {

struct FinishedBatch;
class Delivery;

// What the clients tell the hooks of their channel, which may have none. Outside of locks.

// "publisher", and so on.
absl::string_view NameOf(ClientKind client);
bool HasHooks(const Channel& channel);

void TellStream(const Channel& channel, const StreamChange& change);
void TellPublished(const Channel& channel, const std::vector<FinishedBatch>& finished);
void TellReceived(const Channel& channel, ClientKind client, const Delivery& delivery);
void TellSettled(const Channel& channel, ClientKind client, std::vector<SettledEvents> settled);
// The answer to a step.
void TellStep(const Channel& channel, ClientKind client, const Delivery& delivery,
              v1::SettleKind kind, const absl::Status& status);
// It has ended by itself.
void TellFailure(const Channel& channel, ClientKind client, const absl::Status& status);

}  // namespace acta::client
