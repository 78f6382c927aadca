#include "server/rpc/method_table.h"

#include <algorithm>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace acta {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

constexpr ResourceKind kServer = ResourceKind::kServer;
constexpr ResourceKind kTopic = ResourceKind::kTopic;
constexpr ResourceKind kGroup = ResourceKind::kGroup;
constexpr Naming kNone = Naming::kNone;
constexpr Naming kField = Naming::kField;
constexpr Naming kInFrames = Naming::kInFrames;

constexpr Method kMethods[] = {
    {"/acta.v1.Publisher/Publish", false, Verb::kPublish, kTopic, kInFrames, ""},
    {"/acta.v1.Publisher/PublishStream", true, Verb::kPublish, kTopic, kInFrames, ""},

    {"/acta.v1.Subscriber/Subscribe", true, Verb::kSubscribe, kTopic, kInFrames, ""},
    {"/acta.v1.Subscriber/Settle", false, Verb::kSubscribe, kGroup, kField, "group"},
    {"/acta.v1.Subscriber/Fetch", false, Verb::kBrowse, kTopic, kField, "topic"},

    {"/acta.v1.Topics/CreateTopic", false, Verb::kAdminTopics, kTopic, kField, "topic.name"},
    {"/acta.v1.Topics/GetTopic", false, Verb::kObserve, kTopic, kField, "name"},
    {"/acta.v1.Topics/ListTopics", false, Verb::kObserve, kTopic, kNone, ""},
    {"/acta.v1.Topics/UpdateTopic", false, Verb::kAdminTopics, kTopic, kField, "topic.name"},
    {"/acta.v1.Topics/DeleteTopic", false, Verb::kAdminTopics, kTopic, kField, "name"},
    {"/acta.v1.Topics/ListPartitions", false, Verb::kObserve, kTopic, kField, "topic"},
    {"/acta.v1.Topics/FindOffsets", false, Verb::kBrowse, kTopic, kField, "topic"},

    {"/acta.v1.Groups/CreateGroup", false, Verb::kAdminGroups, kGroup, kField, "group.name"},
    {"/acta.v1.Groups/GetGroup", false, Verb::kObserve, kGroup, kField, "name"},
    {"/acta.v1.Groups/ListGroups", false, Verb::kObserve, kGroup, kNone, ""},
    {"/acta.v1.Groups/UpdateGroup", false, Verb::kAdminGroups, kGroup, kField, "group.name"},
    {"/acta.v1.Groups/DeleteGroup", false, Verb::kAdminGroups, kGroup, kField, "name"},
    {"/acta.v1.Groups/GetLag", false, Verb::kObserve, kGroup, kField, "group"},
    {"/acta.v1.Groups/MeasureGroups", false, Verb::kObserve, kGroup, kNone, ""},
    {"/acta.v1.Groups/CommitOffsets", false, Verb::kSubscribe, kGroup, kField, "group"},
    {"/acta.v1.Groups/ResetOffsets", false, Verb::kAdminGroups, kGroup, kField, "group"},
    {"/acta.v1.Groups/PauseGroup", false, Verb::kAdminGroups, kGroup, kField, "group"},
    {"/acta.v1.Groups/ResumeGroup", false, Verb::kAdminGroups, kGroup, kField, "group"},
    {"/acta.v1.Groups/ExplainGroup", false, Verb::kObserve, kGroup, kField, "group"},
    {"/acta.v1.Groups/SkipOffsets", false, Verb::kAdminGroups, kGroup, kField, "group"},
    {"/acta.v1.Groups/ListExpired", false, Verb::kObserve, kGroup, kField, "group"},

    {"/acta.v1.DeadLetters/ListDeadLetters", false, Verb::kObserve, kGroup, kField, "group"},
    {"/acta.v1.DeadLetters/GetDeadLetter", false, Verb::kObserve, kGroup, kField, "group"},
    {"/acta.v1.DeadLetters/SummarizeDeadLetters", false, Verb::kObserve, kGroup, kField, "group"},
    {"/acta.v1.DeadLetters/RedriveDeadLetters", false, Verb::kAdminGroups, kGroup, kField, "group"},
    {"/acta.v1.DeadLetters/StartRedrive", false, Verb::kAdminGroups, kGroup, kField, "group"},
    {"/acta.v1.DeadLetters/ListRedrives", false, Verb::kObserve, kGroup, kField, "group"},
    {"/acta.v1.DeadLetters/CancelRedrive", false, Verb::kAdminGroups, kGroup, kField, "group"},
    {"/acta.v1.DeadLetters/EditDeadLetter", false, Verb::kAdminGroups, kGroup, kField, "group"},
    {"/acta.v1.DeadLetters/DiscardDeadLetters", false, Verb::kAdminGroups, kGroup, kField, "group"},

    {"/acta.v1.Schedules/ListSchedules", false, Verb::kObserve, kTopic, kField, "topic"},
    {"/acta.v1.Schedules/GetSchedule", false, Verb::kBrowse, kTopic, kField, "topic"},
    {"/acta.v1.Schedules/MoveSchedule", false, Verb::kPublish, kTopic, kField, "topic"},
    {"/acta.v1.Schedules/CancelSchedule", false, Verb::kPublish, kTopic, kField, "topic"},

    {"/acta.v1.Claims/Claim", false, Verb::kSubscribe, kGroup, kField, "group"},
    {"/acta.v1.Claims/CompleteClaim", false, Verb::kSubscribe, kGroup, kField, "group"},
    {"/acta.v1.Claims/ReleaseClaim", false, Verb::kSubscribe, kGroup, kField, "group"},
    // With its result, which is data of clients; a list has none.
    {"/acta.v1.Claims/GetClaim", false, Verb::kBrowse, kGroup, kField, "group"},
    {"/acta.v1.Claims/ListClaims", false, Verb::kObserve, kGroup, kField, "group"},

    // Topics of what is found are asked for one by one.
    {"/acta.v1.Journeys/GetJourney", false, Verb::kObserve, kTopic, kNone, ""},
    {"/acta.v1.Journeys/AskQuestions", false, Verb::kObserve, kTopic, kNone, ""},

    {"/acta.v1.Admin/GetServer", false, Verb::kObserve, kServer, kNone, ""},
    {"/acta.v1.Admin/GetStatus", false, Verb::kObserve, kServer, kNone, ""},
    {"/acta.v1.Admin/GetConfig", false, Verb::kAdminServer, kServer, kNone, ""},
    {"/acta.v1.Admin/GetLimits", false, Verb::kObserve, kServer, kNone, ""},
    {"/acta.v1.Admin/Scrub", false, Verb::kAdminServer, kServer, kNone, ""},
    {"/acta.v1.Admin/AcceptClock", false, Verb::kAdminServer, kServer, kNone, ""},
    {"/acta.v1.Admin/SetLogLevel", false, Verb::kAdminServer, kServer, kNone, ""},
    {"/acta.v1.Admin/StartBackup", false, Verb::kAdminServer, kServer, kNone, ""},
    {"/acta.v1.Admin/ListBackups", false, Verb::kAdminServer, kServer, kNone, ""},
    {"/acta.v1.Admin/StopBackup", false, Verb::kAdminServer, kServer, kNone, ""},
    {"/acta.v1.Admin/DeleteBackup", false, Verb::kAdminServer, kServer, kNone, ""},

    {"/grpc.health.v1.Health/Check", false, Verb::kObserve, kServer, kNone, ""},
    {"/grpc.health.v1.Health/Watch", true, Verb::kObserve, kServer, kNone, ""},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", true, Verb::kObserve,
     kServer, kNone, ""},
};

using MethodMap = absl::flat_hash_map<absl::string_view, const Method*>;

const MethodMap& ByName() {
  static const auto* const map = [] {
    auto* made = new MethodMap();
    for (const Method& method : kMethods) made->emplace(method.name, &method);
    return made;
  }();
  return *map;
}

absl::Status Mismatch(absl::string_view name, absl::string_view what) {
  return absl::InternalError(absl::StrCat("method table: '", name, "' ", what));
}

std::string WireName(const MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

// The path leads over singular messages to a singular string.
bool IsStringField(const Descriptor* message, absl::string_view path) {
  const FieldDescriptor* field = nullptr;
  for (const absl::string_view part : absl::StrSplit(path, '.')) {
    if (message == nullptr) return false;
    field = message->FindFieldByName(std::string(part));
    if (field == nullptr || field->is_repeated()) return false;
    message = field->message_type();
  }
  return field != nullptr && field->type() == FieldDescriptor::TYPE_STRING;
}

absl::Status CheckEntry(const MethodDescriptor& descriptor) {
  const std::string name = WireName(descriptor);
  const Method* method = FindMethod(name);
  if (method == nullptr) return Mismatch(name, "has no entry");
  if (method->streaming != (descriptor.client_streaming() || descriptor.server_streaming())) {
    return Mismatch(name, "streams differently than its entry says");
  }
  if ((method->naming == kField) != !method->field.empty()) {
    return Mismatch(name, "names a field and does not use it, or the other way round");
  }
  if (method->naming == kField && !IsStringField(descriptor.input_type(), method->field)) {
    return Mismatch(name, absl::StrCat("has no string field '", method->field, "'"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Span<const Method> Methods() { return kMethods; }

const Method* FindMethod(absl::string_view name) {
  const auto found = ByName().find(name);
  return found == ByName().end() ? nullptr : found->second;
}

std::vector<std::string> ServiceNames() {
  std::set<std::string> names;
  for (const Method& method : kMethods) {
    names.emplace(method.name.substr(1, method.name.rfind('/') - 1));
  }
  return {names.begin(), names.end()};
}

std::string ResourceName(const Method& method, const google::protobuf::Message& request) {
  if (method.naming != kField) return "";
  const google::protobuf::Message* message = &request;
  const std::vector<std::string> path = absl::StrSplit(method.field, '.');
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(path[i]);
    if (field == nullptr) return "";
    message = &message->GetReflection()->GetMessage(*message, field);
  }
  const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(path.back());
  return field == nullptr ? "" : message->GetReflection()->GetString(*message, field);
}

absl::Status CheckMethodTable() {
  size_t described = 0;
  for (const std::string& name : ServiceNames()) {
    const ServiceDescriptor* service = DescriptorPool::generated_pool()->FindServiceByName(name);
    if (service == nullptr) return Mismatch(name, "is not a linked service");
    for (int i = 0; i < service->method_count(); ++i) {
      const absl::Status checked = CheckEntry(*service->method(i));
      if (!checked.ok()) return checked;
    }
    described += static_cast<size_t>(service->method_count());
  }
  if (ByName().size() != std::size(kMethods)) return Mismatch("a method", "has two entries");
  // Every method has an entry, so more entries than methods means one without a method.
  if (described != std::size(kMethods)) return Mismatch("an entry", "has no method");
  return absl::OkStatus();
}

}  // namespace acta
