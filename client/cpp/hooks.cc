#include "client/cpp/hooks.h"

namespace acta::client {

Metrics::~Metrics() = default;
void Metrics::OnStream(const StreamChange&) {}
void Metrics::OnPublished(const PublishedBatch&) {}
void Metrics::OnReceived(const ReceivedEvents&) {}
void Metrics::OnSettled(const SettledEvents&) {}

}  // namespace acta::client
