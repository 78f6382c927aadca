#include "proto/support/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "google/protobuf/descriptor.h"
#include "proto/support/proto_time.h"
#include "proto/support/wire.h"

namespace acta {
namespace {

constexpr char kPayloadUrl[] = "type.googleapis.com/acta.v1.Status";
constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";

void SetDelay(absl::Duration delay, google::protobuf::Duration* out) {
  const int64_t millis = absl::ToInt64Milliseconds(delay);
  out->set_seconds(millis / 1000);
  out->set_nanos(static_cast<int32_t>(millis % 1000 * 1000000));
}

// A message of other bytes than UTF-8 cannot be parsed: the reason would be lost.
std::string Readable(absl::string_view text) {
  return IsUtf8(text) ? std::string(text) : absl::CHexEscape(text);
}

absl::Status Make(v1::Status proto) {
  absl::Status status(static_cast<absl::StatusCode>(proto.code()), proto.message());
  status.SetPayload(kPayloadUrl, absl::Cord(proto.SerializeAsString()));
  return status;
}

bool Load(const absl::Status& status, v1::Status* out) {
  const auto payload = status.GetPayload(kPayloadUrl);
  return payload.has_value() && out->ParseFromString(std::string(*payload));
}

}  // namespace

const v1::ErrorRule& RuleOf(v1::ErrorReason reason) {
  const auto* value = v1::ErrorReason_descriptor()->FindValueByNumber(reason);
  static const v1::ErrorRule none;
  return value == nullptr ? none : value->options().GetExtension(v1::error);
}

absl::Status Error(v1::ErrorReason reason, absl::string_view message, ErrorDetails details) {
  const absl::Duration delay = absl::Milliseconds(RuleOf(reason).retry_after_ms());
  return ErrorRetryAfter(reason, message, delay, std::move(details));
}

absl::Status ErrorRetryAfter(v1::ErrorReason reason, absl::string_view message,
                             absl::Duration delay, ErrorDetails details) {
  v1::Status proto;
  const v1::ErrorRule& rule = RuleOf(reason);
  proto.set_code(rule.status_code());
  proto.set_reason(reason);
  proto.set_message(Readable(message));
  for (auto& [key, value] : details) (*proto.mutable_details())[key] = Readable(value);
  if (rule.retryable()) SetDelay(delay, proto.mutable_retry_after());
  return Make(std::move(proto));
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  v1::Status proto;
  return Load(status, &proto) ? proto.reason() : v1::ERROR_REASON_UNSPECIFIED;
}

std::map<std::string, std::string> DetailsOf(const absl::Status& status) {
  v1::Status proto;
  std::map<std::string, std::string> details;
  if (Load(status, &proto)) details.insert(proto.details().begin(), proto.details().end());
  return details;
}

absl::Status WithDetails(const absl::Status& status, const ErrorDetails& details) {
  v1::Status proto;
  if (!Load(status, &proto)) return status;
  for (const auto& [key, value] : details) (*proto.mutable_details())[key] = Readable(value);
  return Make(std::move(proto));
}

absl::Duration RetryAfterOf(const absl::Status& status) {
  v1::Status proto;
  if (!Load(status, &proto) || !proto.has_retry_after()) return absl::ZeroDuration();
  return ToDuration(proto.retry_after());
}

v1::Status ToProto(const absl::Status& status) {
  v1::Status proto;
  if (status.ok() || Load(status, &proto)) return proto;
  proto.set_code(static_cast<int32_t>(absl::StatusCode::kInternal));
  proto.set_reason(v1::INTERNAL);
  proto.set_message("internal error; the server's log has the cause");
  return proto;
}

absl::Status FromProto(const v1::Status& status) {
  return status.code() == 0 ? absl::OkStatus() : Make(status);
}

std::string EncodeStatusDetails(const absl::Status& status) {
  const v1::Status proto = ToProto(status);
  v1::StatusDetails out;
  out.set_code(proto.code());
  out.set_message(proto.message());
  v1::ErrorInfo info;
  info.set_domain("acta");
  info.set_reason(v1::ErrorReason_Name(proto.reason()));
  info.mutable_metadata()->insert(proto.details().begin(), proto.details().end());
  v1::ErrorDetail* detail = out.add_details();
  detail->set_type_url(kErrorInfoUrl);
  detail->set_value(info.SerializeAsString());
  if (proto.has_retry_after()) {
    v1::RetryInfo retry;
    *retry.mutable_retry_delay() = proto.retry_after();
    detail = out.add_details();
    detail->set_type_url(kRetryInfoUrl);
    detail->set_value(retry.SerializeAsString());
  }
  return out.SerializeAsString();
}

absl::Status DecodeStatusDetails(int code, absl::string_view message, absl::string_view details) {
  v1::Status proto;
  proto.set_code(code);
  proto.set_message(std::string(message));
  v1::StatusDetails in;
  if (!in.ParseFromArray(details.data(), static_cast<int>(details.size()))) {
    return Make(std::move(proto));
  }
  for (const v1::ErrorDetail& detail : in.details()) {
    v1::ErrorInfo info;
    v1::RetryInfo retry;
    if (detail.type_url() == kErrorInfoUrl && info.ParseFromString(detail.value())) {
      v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
      if (info.domain() == "acta") v1::ErrorReason_Parse(info.reason(), &reason);
      proto.set_reason(reason);
      proto.mutable_details()->insert(info.metadata().begin(), info.metadata().end());
    } else if (detail.type_url() == kRetryInfoUrl && retry.ParseFromString(detail.value())) {
      *proto.mutable_retry_after() = retry.retry_delay();
    }
  }
  return Make(std::move(proto));
}

}  // namespace acta
