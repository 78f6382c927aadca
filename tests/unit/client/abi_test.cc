#include <cstddef>

#include "client/cpp/admin.h"
#include "client/cpp/channel.h"
#include "client/cpp/claims.h"
#include "client/cpp/publisher.h"
#include "client/cpp/subscriber.h"
#include "client/cpp/worker.h"
#include "tests/support/status_matchers.h"

namespace acta::client {
namespace {

#if defined(__x86_64__) && defined(__GLIBCXX__)
// Programs that are built make these by themselves, with the size they know. Another size, as a new
// option gives it, needs another ACTA_CLIENT_SOVERSION (client/cpp/install.cmake).
TEST_CASE("what programs make by themselves keeps its size", "[client]") {
  CHECK(sizeof(AdminOptions) == 24);
  CHECK(sizeof(BatchOutcome) == 56);
  CHECK(sizeof(ChannelOptions) == 104);
  CHECK(sizeof(ClaimsOptions) == 128);
  CHECK(sizeof(EventResult) == 48);
  CHECK(sizeof(NackOptions) == 88);
  CHECK(sizeof(PublisherOptions) == 176);
  CHECK(sizeof(RejectOptions) == 64);
  CHECK(sizeof(SettleError) == 72);
  CHECK(sizeof(SubscribedPartition) == 56);
  CHECK(sizeof(SubscriberOptions) == 344);
  CHECK(sizeof(WorkerOptions) == 344);
}
#endif

// They are a pointer to what they are: it may change as it likes.
TEST_CASE("classes of the client have no members that programs see", "[client]") {
  CHECK(sizeof(Admin) == sizeof(void*));
  CHECK(sizeof(Channel) == sizeof(void*));
  CHECK(sizeof(Claims) == sizeof(void*));
  CHECK(sizeof(Publisher) == sizeof(void*));
  CHECK(sizeof(Subscriber) == sizeof(void*));
  CHECK(sizeof(Worker) == sizeof(void*));
  CHECK(sizeof(Delivery) == 2 * sizeof(void*));
  CHECK(sizeof(WorkItem) == sizeof(Delivery));
}

}  // namespace
}  // namespace acta::client
