#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/groups.pb.h"
#include "acta/v1/topics.pb.h"

namespace acta::cli {

// How tables say numbers, times and enums.

// What others wrote into events and answers moves no cursor, begins no line and spoils no picture:
// what may not be shown is `?`.
std::string Plain(absl::string_view text);
// "1 event", "3 events".
std::string CountText(int64_t count, absl::string_view what);
// "1.2 GiB"; bytes below 1,024 as they are: "17 B".
std::string BytesText(int64_t bytes);
// "7d", "1h30m", "1.25s", "2.5ms", "0s": of a minute and more two units at most.
std::string DurationText(absl::Duration duration);
std::string DurationText(const google::protobuf::Duration& duration);
// "2018-02-04 12:00:00Z"; "-" when it is not set.
std::string TimeText(const google::protobuf::Timestamp& time);
// To the millisecond: "2018-02-04 12:00:00.250Z"; "-" when it is not set.
std::string MillisTimeText(const google::protobuf::Timestamp& time);

// "PREFIX_ATTEMPTS_EXHAUSTED" as "attempts-exhausted"; "-" for what is not specified.
std::string EnumText(absl::string_view name, absl::string_view prefix);
// "fsync", "os".
std::string LevelText(v1::AckLevel level);
// "ids", "sequences", "off".
std::string DedupeText(v1::DedupeMode mode);
// "stream", "queue".
std::string ModeText(v1::GroupMode mode);
// "unordered", "key", "key-relaxed".
std::string OrderText(v1::QueueOrder order);
// "dead-letter", "hold-key".
std::string OnExhaustedText(v1::OnExhausted how);
// "a=1 b=2", sorted.
std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels);

absl::Duration FromProtoDuration(const google::protobuf::Duration& duration);
google::protobuf::Duration ToProtoDuration(absl::Duration duration);
// To the microsecond.
google::protobuf::Timestamp ToProtoTime(absl::Time time);
absl::Time FromProtoTime(const google::protobuf::Timestamp& time);

}  // namespace acta::cli
