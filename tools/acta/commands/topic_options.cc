#include "tools/acta/commands/topic_options.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::StatusOr<v1::DedupeMode> ReadDedupe(const std::string& text) {
  if (text == "ids") return v1::DEDUPE_MODE_IDS;
  if (text == "sequences") return v1::DEDUPE_MODE_SEQUENCES;
  if (text == "off") return v1::DEDUPE_MODE_OFF;
  return UsageError(absl::StrCat("--dedupe: '", text, "' is not ids, sequences or off"));
}

absl::StatusOr<v1::JourneyMode> ReadJourney(const std::string& text) {
  if (text == "full") return v1::JOURNEY_MODE_FULL;
  if (text == "correlation") return v1::JOURNEY_MODE_CORRELATION;
  if (text == "off") return v1::JOURNEY_MODE_OFF;
  return UsageError(absl::StrCat("--journey: '", text, "' is not full, correlation or off"));
}

absl::Status ReadDurations(const Args& args, v1::Topic* topic, std::vector<std::string>* fields) {
  ASSIGN_OR_RETURN(const auto retention, args.Duration("--retention"));
  if (retention) {
    *topic->mutable_retention() = ToProtoDuration(*retention);
    fields->push_back("retention");
  }
  ASSIGN_OR_RETURN(const auto window, args.Duration("--dedupe-window"));
  if (window) {
    *topic->mutable_dedupe_window() = ToProtoDuration(*window);
    fields->push_back("dedupe_window");
  }
  return absl::OkStatus();
}

absl::Status ReadSizes(const Args& args, v1::Topic* topic, std::vector<std::string>* fields) {
  ASSIGN_OR_RETURN(const auto partitions, args.Integer("--partitions", 1, 256));
  if (partitions) {
    topic->set_partitions(static_cast<int32_t>(*partitions));
    fields->push_back("partitions");
  }
  ASSIGN_OR_RETURN(const auto retention_bytes, args.Size("--retention-bytes"));
  if (retention_bytes) {
    topic->set_retention_bytes(*retention_bytes);
    fields->push_back("retention_bytes");
  }
  ASSIGN_OR_RETURN(const auto max_event, args.Size("--max-event"));
  if (max_event) {
    if (*max_event > std::numeric_limits<int32_t>::max()) {
      return UsageError("--max-event: at most 16MiB");
    }
    topic->set_max_event_bytes(static_cast<int32_t>(*max_event));
    fields->push_back("max_event_bytes");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<Option> TopicOptions() {
  return {
      {"--partitions", "N", "1 to 256 (4)"},
      {"--retention", "TIME", "remove events older than this (7d)"},
      {"--retention-bytes", "SIZE", "keep at most so much of a partition (no limit)"},
      {"--ack", "LEVEL", "fsync or os: when a publish is done (fsync)"},
      {"--dedupe", "MODE", "ids, sequences or off (ids)"},
      {"--dedupe-window", "TIME", "how far back ids are remembered (10m)"},
      {"--journey", "MODE", "full, correlation or off: what `acta journey` finds (full)"},
      {"--max-event", "SIZE", "largest event, up to 16MiB (1MiB)"},
      {"--label", "NAME=VALUE", "a note for people and programs", true},
  };
}

absl::Status ReadTopicOptions(const Args& args, v1::Topic* topic,
                              std::vector<std::string>* fields) {
  topic->set_name(args.Get("TOPIC"));
  RETURN_IF_ERROR(ReadSizes(args, topic, fields));
  RETURN_IF_ERROR(ReadDurations(args, topic, fields));
  ASSIGN_OR_RETURN(const v1::AckLevel level, ReadLevel(args, "--ack"));
  if (level != v1::ACK_LEVEL_UNSPECIFIED) {
    topic->set_ack_level(level);
    fields->push_back("ack_level");
  }
  if (args.Has("--dedupe")) {
    ASSIGN_OR_RETURN(const v1::DedupeMode mode, ReadDedupe(args.Get("--dedupe")));
    topic->set_dedupe(mode);
    fields->push_back("dedupe");
  }
  if (args.Has("--journey")) {
    ASSIGN_OR_RETURN(const v1::JourneyMode mode, ReadJourney(args.Get("--journey")));
    topic->set_journey(mode);
    fields->push_back("journey");
  }
  RETURN_IF_ERROR(ReadPairs(args, "--label", topic->mutable_labels()));
  if (args.Has("--label")) fields->push_back("labels");
  return absl::OkStatus();
}

absl::StatusOr<v1::AckLevel> ReadLevel(const Args& args, absl::string_view option) {
  if (!args.Has(option)) return v1::ACK_LEVEL_UNSPECIFIED;
  const std::string& text = args.Get(option);
  if (text == "fsync") return v1::ACK_LEVEL_FSYNC;
  if (text == "os") return v1::ACK_LEVEL_OS;
  return UsageError(absl::StrCat(option, ": '", text, "' is not fsync or os"));
}

absl::Status ReadPairs(const Args& args, absl::string_view option,
                       google::protobuf::Map<std::string, std::string>* pairs) {
  for (const std::string& pair : args.All(option)) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageError(absl::StrCat(option, ": '", pair, "' is not NAME=VALUE"));
    }
    (*pairs)[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return absl::OkStatus();
}

}  // namespace acta::cli
