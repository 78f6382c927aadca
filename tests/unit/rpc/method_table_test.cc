#include "server/rpc/method_table.h"

#include <catch2/catch.hpp>

#include <set>
#include <string>

#include "acta/v1/topics.pb.h"
#include "google/protobuf/descriptor.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

TEST_CASE("the method table fits its services", "[rpc]") { CHECK_OK(CheckMethodTable()); }

TEST_CASE("every method of every service in the protos has an entry", "[rpc]") {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  std::set<std::string> found;
  for (const char* file :
       {"acta/v1/publisher.proto", "acta/v1/subscriber.proto", "acta/v1/topics.proto",
        "acta/v1/groups.proto", "acta/v1/admin.proto", "grpc/health/v1/health.proto",
        "grpc/reflection/v1alpha/reflection.proto"}) {
    const auto* descriptor = pool->FindFileByName(file);
    REQUIRE(descriptor != nullptr);
    for (int i = 0; i < descriptor->service_count(); ++i) {
      const auto* service = descriptor->service(i);
      for (int k = 0; k < service->method_count(); ++k) {
        const std::string name = "/" + service->full_name() + "/" + service->method(k)->name();
        INFO(name);
        CHECK(FindMethod(name) != nullptr);
        found.insert(name);
      }
    }
  }
  CHECK(found.size() == Methods().size());
}

TEST_CASE("a request's resource is read from the field its method names", "[rpc]") {
  v1::CreateTopicRequest create;
  create.mutable_topic()->set_name("orders");
  CHECK(ResourceName(*FindMethod("/acta.v1.Topics/CreateTopic"), create) == "orders");
  v1::DeleteTopicRequest remove;
  remove.set_name("orders");
  CHECK(ResourceName(*FindMethod("/acta.v1.Topics/DeleteTopic"), remove) == "orders");
  CHECK(ResourceName(*FindMethod("/acta.v1.Topics/ListTopics"), v1::ListTopicsRequest()).empty());
}

TEST_CASE("a method without an entry is not found", "[rpc]") {
  CHECK(FindMethod("/acta.v1.Topics/DropEverything") == nullptr);
}

}  // namespace
}  // namespace acta
