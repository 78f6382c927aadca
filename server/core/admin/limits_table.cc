#include "server/core/admin/limits_table.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/core/access/names.h"
#include "server/core/groups/dead_letter_rows.h"
#include "server/core/journeys/event_finder.h"
#include "server/core/queues/settle_error.h"
#include "server/core/queues/settlement_rules.h"
#include "server/core/settle/causation.h"
#include "server/core/settle/settler.h"
#include "server/core/settle/step_claims.h"
#include "server/core/settle/step_request.h"
#include "server/core/topics/topic_rules.h"

namespace acta {
namespace {

class Rows {
 public:
  void Add(absl::string_view name, int64_t value, absl::string_view unit,
           absl::string_view meaning) {
    v1::Limit& row = rows_.emplace_back();
    row.set_name(std::string(name));
    row.set_value(value);
    row.set_unit(std::string(unit));
    row.set_meaning(std::string(meaning));
  }
  void AddUsed(absl::string_view name, int64_t value, int64_t current, absl::string_view unit,
               absl::string_view meaning) {
    Add(name, value, unit, meaning);
    rows_.back().set_current(current);
  }
  void Add(absl::string_view name, absl::Duration value, absl::string_view meaning) {
    Add(name, absl::ToInt64Milliseconds(value), "ms", meaning);
  }
  std::vector<v1::Limit> Take() { return std::move(rows_); }

 private:
  std::vector<v1::Limit> rows_;
};

void AddTopics(const TopicLimits& limits, const LimitUse& use, Rows* rows) {
  rows->AddUsed("limits.partitions", limits.max_partitions, use.partitions, "partitions",
                "of all topics of this server");
  rows->Add("limits.partitions_per_topic", limits.max_partitions_per_topic, "partitions",
            "of one topic");
  rows->Add("limits.max_event", limits.max_event_bytes, "bytes",
            "the highest max_event_bytes a topic may have");
  rows->Add("max_name_bytes", static_cast<int64_t>(kMaxNameBytes), "bytes",
            "names of topics, groups and members");
  rows->Add("max_app_name_bytes", static_cast<int64_t>(kMaxAppNameBytes), "bytes",
            "application, version and instance of a producer or member");
  rows->Add("max_labels", kMaxLabels, "labels", "of a topic or group");
  rows->Add("max_label_bytes", kMaxLabelBytes, "bytes", "all labels of a topic or group");
  rows->Add("max_retention", kMostRetention, "the longest retention a topic may have");
  rows->Add("max_dedupe_window", kMostDedupeWindow, "the longest dedupe_window");
}

void AddPublish(const PublishLimits& limits, Rows* rows) {
  rows->Add("limits.max_frame", limits.max_frame_bytes, "bytes", "one publish frame");
  rows->Add("limits.batches_per_frame", limits.max_batches, "batches", "in one publish frame");
  rows->Add("limits.events_per_batch", limits.max_batch_events, "events", "in one batch");
  rows->Add("limits.events_per_frame", limits.max_frame_events, "events", "in one publish frame");
  rows->Add("limits.key", limits.max_key_bytes, "bytes", "the key of an event");
  rows->Add("max_event_text_bytes", kMaxEventTextBytes, "bytes",
            "each text of an event: id, source, correlation_id and so on, kind and id of affected");
  rows->Add("max_frame_context_bytes", kMaxFrameContextBytes, "bytes",
            "what is stored beside the batches of a frame, above 256 for each of their partitions");
  rows->Add("limits.attributes_per_event", limits.max_attributes, "attributes", "of an event");
  rows->Add("limits.attributes", limits.max_attribute_bytes, "bytes", "all attributes of an event");
  rows->Add("limits.affected_per_event", limits.max_affected, "entries",
            "of affected, of an event");
  rows->Add("limits.events_per_atomic", limits.max_atomic_events, "events",
            "in one atomic publish");
  rows->Add("limits.atomic", limits.max_atomic_bytes, "bytes", "of one atomic publish");
}

void AddSchedules(const ServerLimits& limits, const LimitUse& use, Rows* rows) {
  rows->AddUsed("limits.scheduled_events", limits.schedules.max_events, use.scheduled_events,
                "events", "that wait to be published, of all topics");
  rows->Add("max_scheduled_per_frame", limits.publish.max_scheduled_events, "events",
            "to be published later, in one publish frame");
  rows->Add("max_schedule_ahead", kFarthestSchedule, "an event waits at most so long");
}

void AddSubscribe(const SubscribeLimits& limits, const LimitUse& use, Rows* rows) {
  rows->Add("limits.default_credit_events", limits.default_credit_events, "events",
            "credit of a stream that does not say");
  rows->Add("limits.default_credit", limits.default_credit_bytes, "bytes",
            "credit of a stream that does not say");
  rows->Add("limits.max_credit_events", limits.max_credit_events, "events", "credit of a stream");
  rows->Add("limits.max_credit", limits.max_credit_bytes, "bytes", "credit of a stream");
  rows->Add("limits.delivery_frame", limits.target_frame_bytes, "bytes",
            "one delivery frame, unless one event alone is larger");
  rows->Add("min_max_frame_bytes", limits.min_max_frame_bytes, "bytes",
            "the lowest max_frame_bytes a client may ask for");
  rows->Add("max_max_frame_bytes", limits.max_max_frame_bytes, "bytes",
            "the highest max_frame_bytes a client may ask for");
  rows->Add("limits.control_frame", limits.max_control_bytes, "bytes", "one control frame");
  rows->Add("max_unanswered_controls", static_cast<int64_t>(kMaxUnansweredControls), "frames",
            "control frames of a stream that are not answered, or answers that are not read");
  rows->Add("max_waiting_control_bytes", static_cast<int64_t>(kMaxWaitingControlBytes), "bytes",
            "control frames of a stream that wait for their turn");
  rows->Add("max_wanted_features", kMaxWantedFeatures, "features",
            "that the start of a stream wants");
  rows->Add("max_waiting_settle_errors", static_cast<int64_t>(kMaxWaitingSettleErrors), "errors",
            "of single settlements of a stream that wait until their frames are settled");
  rows->AddUsed("limits.waiting_fetches", limits.max_waiting_fetches, use.waiting_fetches, "calls",
                "Fetch calls that wait for events");
  rows->AddUsed("limits.fetch_bytes", limits.max_fetch_bytes, use.fetch_bytes, "bytes",
                "pages of Fetch that are read and not yet with their client");
  rows->Add("max_fetch_events", kMaxFetchEvents, "events", "of one Fetch");
  rows->Add("max_fetch_bytes", kMaxFetchBytes, "bytes", "of one Fetch");
  rows->Add("limits.catch_up_rate", limits.catch_up_bytes_per_second, "bytes/s",
            "that streams read from the disk while events are appended, or twice those");
  rows->Add("max_fetch_wait", kMaxFetchWait, "a Fetch waits for events");
  rows->Add("limits.member_timeout", limits.member_timeout, "a silent member is out");
}

void AddSettling(Rows* rows) {
  rows->Add("max_settlements_per_frame", kMaxSettlements, "settlements", "in one control frame");
  rows->Add("max_settled_events_per_frame", kMaxSettledEvents, "events",
            "that one control frame settles");
  rows->Add("max_settle_text_bytes", static_cast<int64_t>(kMaxSettleTextBytes), "bytes",
            "the text of a nack or reject");
  rows->Add("max_lease_hours", absl::ToInt64Hours(kMostExtension), "hours",
            "a lease of a QUEUE group with its extensions");
  rows->Add("max_named_dead_letters", kMaxNamedLetters, "dead letters", "that one selection names");
}

void AddSteps(Rows* rows) {
  rows->Add("max_step_runs", kMaxStepRuns, "deliveries", "in one Settle call");
  rows->Add("max_step_events", kMaxStepEvents, "events", "processed in one Settle call");
  rows->Add("max_step_claims", kMaxStepClaims, "claims", "completed in one Settle call");
  rows->Add("max_step_result_bytes", kMaxStepResultBytes, "bytes",
            "results of claims in one Settle call");
  rows->Add("max_step_bytes_in_flight", kMaxStepBytesInFlight, "bytes",
            "Settle calls that are not answered");
  rows->Add("max_causation_depth", kMaxCausationDepth, "events", "that cause one another");
}

void AddGroups(const GroupLimits& limits, const LimitUse& use, Rows* rows) {
  rows->AddUsed("limits.groups", limits.max_groups, use.groups, "groups", "of this server");
  rows->Add("limits.topics_per_group", limits.max_topics_per_group, "topics", "a group reads");
  rows->Add("limits.members_per_group", limits.max_members_per_group, "members", "of a group");
  rows->Add("max_description_bytes", kMaxDescriptionBytes, "bytes", "the description of a group");
  rows->Add("max_reset_rows", limits.max_reset_rows, "rows",
            "attempts, copies and parked events that one reset of a QUEUE group deletes");
  rows->Add("limits.revoke_deadline", limits.revoke_deadline,
            "time a member has to hand a partition over");
  rows->Add("limits.member_grace", limits.member_grace,
            "a named member keeps its partitions so long after a break");
}

void AddClaims(const ClaimLimits& limits, Rows* rows) {
  rows->Add("limits.claims_per_group", limits.max_claims_per_group, "claims",
            "of a group that are kept");
  rows->Add("max_claim_key_bytes", static_cast<int64_t>(kMaxClaimKeyBytes), "bytes",
            "the key of a claim");
  rows->Add("max_claim_result_bytes", static_cast<int64_t>(kMaxClaimResultBytes), "bytes",
            "the result of a claim");
  rows->Add("max_claim_owner_bytes", static_cast<int64_t>(kMaxClaimOwnerBytes), "bytes",
            "the owner of a claim, and its request_id");
  rows->Add("max_claim_lease", kMostClaimLease, "the longest lease a claim may have");
  rows->Add("max_claim_ttl", kMostClaimTtl, "the longest a completed claim may be kept");
  rows->Add("max_late_completion", kLateCompletion,
            "a claim that nobody took over may be completed so long after its lease");
}

void AddEdge(const EdgeLimits& limits, const LimitUse& use, Rows* rows) {
  const ConnectionLimits& connections = limits.connections;
  rows->AddUsed("listen.max_connections", connections.max_connections, use.connections,
                "connections", "of gRPC");
  rows->Add("listen.max_connections_per_address", connections.max_connections_per_address,
            "connections", "from one address; loopback is exempt");
  rows->AddUsed("listen.max_http_connections", limits.max_http_connections, use.http_connections,
                "connections", "of HTTP");
  rows->AddUsed("max_open_files", limits.max_open_files, use.open_files, "descriptors",
                "of the process: LimitNOFILE, ulimit -n");
  rows->Add("limits.streams_per_connection", connections.max_streams_per_connection, "streams",
            "calls at the same time on one connection");
  rows->Add("limits.unanswered", limits.max_unanswered_bytes, "bytes",
            "of one publish stream; above it the stream is not read further");
  rows->Add("limits.grpc_memory", limits.max_buffer_bytes, "bytes",
            "buffers of gRPC for all connections");
  rows->Add("limits.metadata", limits.max_metadata_bytes, "bytes", "metadata of one call");
  rows->Add("max_waiting_publish_bytes", limits.max_waiting_publish_bytes, "bytes",
            "publishes whose cause is looked for; above it unary ones are refused, streams wait");
  rows->Add("max_cold_calls", limits.max_cold_calls, "calls",
            "at the same time, but for publishing, subscribing, settling and Fetch");
  rows->Add("max_claim_calls", limits.max_claim_calls, "calls", "of Claims at the same time");
  rows->Add("max_journey_batch_bytes", kMaxJourneyBatchBytes, "bytes",
            "batches that all journeys and questions keep; above it they are read again");
  rows->Add("telemetry.max_series", limits.max_series, "series", "shown of one metric");
}

// Of a share of the disk and a number of bytes the smaller counts.
void AddWatermark(absl::string_view level, const Watermark& watermark, absl::string_view effect,
                  const LimitUse& use, Rows* rows) {
  rows->AddUsed(absl::StrCat("storage.disk_", level, "_bytes"), watermark.Of(use.disk_total_bytes),
                use.disk_free_bytes, "bytes",
                absl::StrCat("free on the disk; below it ", effect, "; lower where disk_", level,
                             "_percent of the disk is less"));
}

void AddStorage(const StorageLimits& limits, const LimitUse& use, Rows* rows) {
  rows->AddUsed("storage.in_flight", limits.in_flight_bytes, use.in_flight_bytes, "bytes",
                "publishes that wait to be written");
  rows->AddUsed("storage.tail_cache", limits.tail_cache_bytes, use.tail_cache_bytes, "bytes",
                "the newest events in memory");
  rows->Add("storage.memtable", limits.memtable_bytes, "bytes",
            "memory for what is not yet in table files");
  rows->AddUsed("storage.dedupe_memory", limits.dedupe_bytes, use.dedupe_bytes, "bytes",
                "event ids of all topics");
  rows->Add("storage.dedupe_max_ids", limits.dedupe_max_ids, "ids", "remembered for one topic");
  rows->AddUsed("storage.max_slices", limits.max_slices, use.slices, "slices",
                "of all topics; those with an index count twice");
  AddWatermark("warn", limits.watermarks.warn, "an alarm is raised", use, rows);
  AddWatermark("soft", limits.watermarks.soft, "publishes are refused", use, rows);
  AddWatermark("hard", limits.watermarks.hard, "every write is refused", use, rows);
}

}  // namespace

std::vector<v1::Limit> LimitsTable(const ServerLimits& limits, const LimitUse& use) {
  Rows rows;
  AddTopics(limits.topics, use, &rows);
  AddPublish(limits.publish, &rows);
  AddSchedules(limits, use, &rows);
  AddSubscribe(limits.subscribe, use, &rows);
  AddGroups(limits.groups, use, &rows);
  AddSettling(&rows);
  AddSteps(&rows);
  AddClaims(limits.claims, &rows);
  AddEdge(limits.edge, use, &rows);
  AddStorage(limits.storage, use, &rows);
  return rows.Take();
}

}  // namespace acta
