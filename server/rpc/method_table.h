#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/core/access/authorizer.h"

namespace google::protobuf {
class Message;
}

namespace acta {

// Where a request says which resource it means.
enum class Naming {
  kNone,      // The call concerns all resources of the kind.
  kField,     // Method::field holds the plain name.
  kInFrames,  // Batches and control frames name them; core asks the Authorizer for each.
};

// One method of the edge: what a caller needs to be allowed to call it.
struct Method {
  absl::string_view name;  // As on the wire: "/acta.v1.Topics/GetTopic".
  bool streaming = false;  // In any direction.
  Verb verb = Verb::kObserve;
  ResourceKind kind = ResourceKind::kServer;
  Naming naming = Naming::kNone;
  absl::string_view field;  // Path of a string field of the request: "topic.name".
};

// Every method of every service, health and reflection included.
absl::Span<const Method> Methods();
// Null when there is no entry: such a method is not served.
const Method* FindMethod(absl::string_view name);
// Full names of the services: "acta.v1.Topics".
std::vector<std::string> ServiceNames();
// The plain name the request gives; empty where naming is not kField.
std::string ResourceName(const Method& method, const google::protobuf::Message& request);

// Compares the table with the descriptors of its services. Errors: INTERNAL naming the first method
// without an entry, entry without a method, or entry that does not fit its method.
absl::Status CheckMethodTable();

}  // namespace acta
