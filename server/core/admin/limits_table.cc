#include "server/core/admin/limits_table.h"

#include <string>

#include "absl/strings/string_view.h"
#include "server/core/access/names.h"
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
  rows->AddUsed("max_partitions", limits.max_partitions, use.partitions, "partitions",
                "of all topics of this server");
  rows->Add("max_partitions_per_topic", limits.max_partitions_per_topic, "partitions",
            "of one topic");
  rows->Add("max_event_bytes", limits.max_event_bytes, "bytes",
            "the highest max_event_bytes a topic may have");
  rows->Add("max_name_bytes", static_cast<int64_t>(kMaxNameBytes), "bytes",
            "names of topics, groups and members");
  rows->Add("max_labels", kMaxLabels, "labels", "of a topic or group");
  rows->Add("max_label_bytes", kMaxLabelBytes, "bytes", "all labels of a topic or group");
  rows->Add("max_retention", kMostRetention, "the longest retention a topic may have");
  rows->Add("max_dedupe_window", kMostDedupeWindow, "the longest dedupe_window");
}

void AddPublish(const PublishLimits& limits, Rows* rows) {
  rows->Add("max_frame_bytes", limits.max_frame_bytes, "bytes", "one publish frame");
  rows->Add("max_batches", limits.max_batches, "batches", "in one publish frame");
  rows->Add("max_batch_events", limits.max_batch_events, "events", "in one batch");
  rows->Add("max_key_bytes", limits.max_key_bytes, "bytes", "the key of an event");
  rows->Add("max_attributes", limits.max_attributes, "attributes", "of an event");
  rows->Add("max_attribute_bytes", limits.max_attribute_bytes, "bytes",
            "all attributes of an event");
  rows->Add("max_atomic_events", limits.max_atomic_events, "events", "in one atomic publish");
  rows->Add("max_atomic_bytes", limits.max_atomic_bytes, "bytes", "of one atomic publish");
}

void AddSubscribe(const SubscribeLimits& limits, const LimitUse& use, Rows* rows) {
  rows->Add("max_credit_events", limits.max_credit_events, "events", "credit of a stream");
  rows->Add("max_credit_bytes", limits.max_credit_bytes, "bytes", "credit of a stream");
  rows->Add("min_max_frame_bytes", limits.min_max_frame_bytes, "bytes",
            "the lowest max_frame_bytes a client may ask for");
  rows->Add("max_max_frame_bytes", limits.max_max_frame_bytes, "bytes",
            "the highest max_frame_bytes a client may ask for");
  rows->Add("max_control_bytes", limits.max_control_bytes, "bytes", "one control frame");
  rows->AddUsed("max_waiting_fetches", limits.max_waiting_fetches, use.waiting_fetches, "calls",
                "Fetch calls that wait for events");
  rows->AddUsed("max_fetch_bytes", limits.max_fetch_bytes, use.fetch_bytes, "bytes",
                "pages of Fetch that are read and not yet with their client");
  rows->Add("member_timeout", limits.member_timeout, "a silent member is out");
}

void AddGroups(const GroupLimits& limits, const LimitUse& use, Rows* rows) {
  rows->AddUsed("max_groups", limits.max_groups, use.groups, "groups", "of this server");
  rows->Add("max_topics_per_group", limits.max_topics_per_group, "topics", "a group reads");
  rows->Add("max_members_per_group", limits.max_members_per_group, "members", "of a group");
  rows->Add("max_description_bytes", kMaxDescriptionBytes, "bytes", "the description of a group");
  rows->Add("revoke_deadline", limits.revoke_deadline,
            "time a member has to hand a partition over");
  rows->Add("member_grace", limits.member_grace,
            "a named member keeps its partitions so long after a break");
}

}  // namespace

std::vector<v1::Limit> LimitsTable(const ServerLimits& limits, const LimitUse& use) {
  Rows rows;
  AddTopics(limits.topics, use, &rows);
  AddPublish(limits.publish, &rows);
  AddSubscribe(limits.subscribe, use, &rows);
  AddGroups(limits.groups, use, &rows);
  rows.AddUsed("max_connections", limits.connections.max_connections, use.connections,
               "connections", "of this server");
  rows.Add("max_connections_per_address", limits.connections.max_connections_per_address,
           "connections", "from one address; loopback is exempt");
  rows.Add("max_streams_per_connection", limits.connections.max_streams_per_connection, "streams",
           "calls at the same time on one connection");
  rows.AddUsed("commit_queue_bytes", limits.commit_queue_bytes, use.commit_queue_bytes, "bytes",
               "publishes that wait to be written");
  return rows.Take();
}

}  // namespace acta
