#include "server/core/journeys/journeys.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/names.h"
#include "server/core/journeys/event_finder.h"
#include "server/core/journeys/journey_gathering.h"
#include "server/core/journeys/journey_tree.h"
#include "server/core/journeys/ledger_fold.h"
#include "server/core/topics/topic_rules.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int32_t kDefaultEvents = 1'000;
constexpr int32_t kMostEvents = 10'000;
// Of a page, where each of them may belong to a journey of its own.
constexpr size_t kMostAskedFor = 2'000;
// At a time, where they are looked for again.
constexpr size_t kMostAskedForAgain = 256;
// Of an answer: clients of gRPC take 4 MiB where nobody told them otherwise. One event with what
// groups did with it is less. What is found at once may be twice that: it is made smaller then.
constexpr size_t kMostBytes = EventFinder::kMostFoundBytes / 2;
constexpr absl::Duration kMostTime = absl::Seconds(2);
constexpr absl::Duration kForEvents = absl::Milliseconds(1500);
constexpr absl::Duration kForLedger = absl::Milliseconds(500);
constexpr absl::Duration kForCause = absl::Milliseconds(500);
constexpr absl::Duration kForOnceMore = absl::Milliseconds(500);  // The kernel has what was read.
// For what was published just before the call.
constexpr absl::Duration kCatchUp = absl::Milliseconds(500);
constexpr int kMostTopicsNamed = 100;

absl::Status Invalid(absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, std::string(what));
}

absl::StatusOr<size_t> PageOf(int32_t wanted) {
  if (wanted == 0) return static_cast<size_t>(kDefaultEvents);
  if (wanted >= 1 && wanted <= kMostEvents) return static_cast<size_t>(wanted);
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("page_size of ", wanted, " is not between 1 and ", kMostEvents,
                            "; 0 is ", kDefaultEvents),
               {{"field", "page_size"}});
}

absl::Status NotFound(absl::string_view what) {
  return Error(
      v1::EVENT_NOT_FOUND,
      absl::StrCat("no event ", what,
                   ": it was never published here, or waits as a schedule for its time, or "
                   "its topic is not indexed, or its retention is over"));
}

// What was not found may be among what the index does not have yet.
absl::Status OrIsNotIndexed(const absl::Status& status, const v1::JourneySelection& selection,
                            const v1::JourneyIndexState& index) {
  const bool sure = selection.has_position() || index.lag_events() == 0;
  if (sure || ReasonOf(status) != v1::EVENT_NOT_FOUND) return status;
  const std::string lag = absl::StrCat(index.lag_events());
  return Error(v1::EVENT_NOT_FOUND,
               absl::StrCat(status.message(), "; or it is among ", lag,
                            " events that are not indexed yet: ask again"),
               {{"lag_events", lag}});
}

EventFinder::Place PlaceOfFound(const FoundEvent& event) { return {event.partition, event.offset}; }

// What a selection looks for in the index. Empty: it names a position.
absl::StatusOr<std::vector<EventFinder::Wanted>> WantedOf(const v1::JourneySelection& selection,
                                                          std::string* what) {
  using By = v1::JourneySelection;
  std::vector<EventFinder::Wanted> wanted;
  switch (selection.by_case()) {
    case By::kEvent:
      if (selection.event().id().empty()) return Invalid("the event's id is empty");
      wanted = {{LinkKind::kId, selection.event().id(), selection.event().source()}};
      *what = absl::StrCat("with id '", ShownName(selection.event().id()), "'");
      break;
    case By::kCorrelationId:
      if (selection.correlation_id().empty()) return Invalid("the correlation_id is empty");
      wanted = {{LinkKind::kCorrelation, selection.correlation_id(), ""},
                {LinkKind::kId, selection.correlation_id(), ""}};
      *what = absl::StrCat("of correlation '", ShownName(selection.correlation_id()), "'");
      break;
    case By::kAffected:
      if (selection.affected().id().empty()) return Invalid("the id of what is affected is empty");
      wanted = {{LinkKind::kAffected,
                 AffectedText(selection.affected().kind(), selection.affected().id()), ""}};
      *what = absl::StrCat("that affects '", ShownName(wanted[0].text), "'");
      break;
    case By::kPosition:
      break;
    case By::BY_NOT_SET:
      return Invalid("the selection names no event, correlation, affected or position");
  }
  return wanted;
}

// Of one batch the last is the newest.
bool IsNewer(const FoundEvent& a, const FoundEvent& b) {
  return std::make_tuple(a.append_time_us, a.partition, a.offset) >
         std::make_tuple(b.append_time_us, b.partition, b.offset);
}

// Those that could be read; of others nobody knows.
bool AreOfOneSource(const std::vector<FoundEvent>& events) {
  const std::string* source = nullptr;
  for (const FoundEvent& event : events) {
    if (event.state != v1::JOURNEY_EVENT_STATE_STORED) continue;
    if (source != nullptr && *source != event.event.source()) return false;
    source = &event.event.source();
  }
  return true;
}

// What names it and its journey: of many events no more is kept.
FoundEvent NameOnly(const FoundEvent& event) {
  FoundEvent name;
  name.topic = event.topic;
  name.partition = event.partition;
  name.offset = event.offset;
  name.append_time_us = event.append_time_us;
  name.event.set_id(event.event.id());
  name.event.set_correlation_id(event.correlation());
  return name;
}

QuestionFacts::Ledger LedgerOf(const FoundEvent& event, const Outcomes::Told& outcomes) {
  using Ledger = QuestionFacts::Ledger;
  if (outcomes.too_much) return Ledger::kTooMuch;
  if (outcomes.no_ledger) return Ledger::kNone;
  if (event.topic->proto.journey() == v1::JOURNEY_MODE_OFF) return Ledger::kOff;
  const int64_t since_us = event.topic->ledger_since_us;
  if (since_us > 0 && event.append_time_us <= since_us) return Ledger::kWasOff;
  if (outcomes.damaged) return Ledger::kDamaged;
  if (outcomes.not_given) return Ledger::kNotGiven;
  if (outcomes.behind) return Ledger::kBehind;
  // Of one that cannot be read no more is known than that its topic was there before.
  const int64_t made_us = absl::ToUnixMicros(ToTime(event.topic->proto.create_time()));
  const bool older = std::max(event.append_time_us, made_us) < outcomes.trimmed_before_us;
  return older ? Ledger::kShort : Ledger::kRead;
}

// The event that a position names, and nothing else.
absl::StatusOr<FoundEvent> EventOf(const TopicRegistry& topics, EventFinder& finder,
                                   absl::string_view tenant, const v1::EventPosition& position) {
  ASSIGN_OR_RETURN(const TopicPtr topic, topics.Get(tenant, position.topic()));
  if (position.partition() < 0 || position.partition() >= topic->partitions()) {
    return PartitionNotFound(position.topic(), position.partition(), topic->partitions());
  }
  FoundEvent found =
      finder.ReadAt(topic, topic->partition(position.partition()), Offset(position.offset()));
  if (position.offset() < 0 || found.state == v1::JOURNEY_EVENT_STATE_MISSING) {
    return NotFound(absl::StrCat(
        "at '", PlaceText(position.topic(), position.partition(), Offset(position.offset())), "'"));
  }
  return found;
}

}  // namespace

EventFinder Journeys::FinderOf(const Caller& caller, absl::Duration until) const {
  return EventFinder(deps_.engine, deps_.pool, deps_.clock, deps_.topics, deps_.indexer, memory_,
                     caller.tenant, until);
}

absl::StatusOr<Journeys::Selected> Journeys::Select(EventFinder& finder, const Caller& caller,
                                                    const v1::JourneySelection& selection,
                                                    EventFinder::Place from, size_t most) const {
  Selected selected;
  std::string what;
  ASSIGN_OR_RETURN(const std::vector<EventFinder::Wanted> wanted, WantedOf(selection, &what));
  if (wanted.empty()) {
    const v1::EventPosition& position = selection.position();
    RETURN_IF_ERROR(deps_.authorizer.Authorize(caller, Verb::kBrowse,
                                               {ResourceKind::kTopic, position.topic()}));
    ASSIGN_OR_RETURN(FoundEvent event,
                     EventOf(deps_.topics, finder, caller.tenant, selection.position()));
    selected.events.push_back(std::move(event));
    return selected;
  }
  const bool first_page = from == EventFinder::Place();
  // What exists in topics that the caller may not browse is nobody's business: it is passed over.
  const auto may_browse = [&](const FoundEvent& event) { return MayBrowse(caller, *event.topic); };
  while (true) {
    selected.from = from;
    ASSIGN_OR_RETURN(selected.events, finder.Find(wanted, from, most, &selected.next));
    const bool any = std::any_of(selected.events.begin(), selected.events.end(), may_browse);
    if (any) return selected;
    selected.events.clear();
    if (!selected.next.has_value() || finder.is_over()) break;
    from = *selected.next;
  }
  if (first_page) selected.from = {};
  // An event without an id is named by its place, and so is the journey that it began.
  const bool names_place = selection.has_correlation_id() || selection.has_event();
  if (first_page && names_place) {
    auto at = finder.FindPlace(wanted[0].text);
    if (at.has_value() && may_browse(*at)) selected.events.push_back(*std::move(at));
  }
  if (selected.events.empty() && first_page && !selected.next.has_value()) return NotFound(what);
  return selected;
}

absl::StatusOr<v1::GetJourneyResponse> Journeys::Get(const Caller& caller,
                                                     const v1::GetJourneyRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(size_t page, PageOf(request.page_size()));
  ASSIGN_OR_RETURN(const JourneyPage at, JourneyPage::Parse(request.page_token()));
  const v1::JourneyIndexState index = LookAtIndex(caller);
  const absl::Duration first = deps_.clock.SinceBoot() + kForEvents;
  for (bool again = false;; again = true) {
    const absl::Duration until = std::max(first, deps_.clock.SinceBoot() + kForOnceMore);
    absl::StatusOr<Page> made = GetPage(caller, request, at, page, until);
    if (!made.ok()) return OrIsNotIndexed(made.status(), request.selection(), index);
    *made->response.mutable_index() = index;
    const size_t bytes = std::max(made->bytes, made->response.ByteSizeLong());
    if (bytes <= kMostBytes || page == 1) return std::move(made->response);
    // There may be fewer than asked for.
    page = std::min(page, static_cast<size_t>(made->response.events_size()));
    const size_t fit = page * kMostBytes / bytes * 9 / 10;
    // A few large ones may be nearly all of it, however few come beside them.
    page = std::max<size_t>(1, again ? std::min(fit, page / 2) : fit);
  }
}

absl::StatusOr<Journeys::Page> Journeys::GetPage(const Caller& caller,
                                                 const v1::GetJourneyRequest& request,
                                                 const JourneyPage& at, size_t page,
                                                 absl::Duration until) const {
  Page made;
  v1::GetJourneyResponse& response = made.response;
  EventFinder finder = FinderOf(caller, until);
  JourneyGathering gathering(finder, page);
  ASSIGN_OR_RETURN(const std::optional<JourneyPage> next,
                   at.around.has_value()
                       ? GatherAround(finder, caller, request.selection(), at, page, &gathering)
                       : Gather(finder, caller, request, at, page, &gathering));
  RETURN_IF_ERROR(gathering.Complete());
  if (next.has_value()) response.set_next_page_token(next->Token());
  const std::vector<TreeNode> tree = MakeTree(gathering.Take());
  Outcomes::Told outcomes;
  outcomes.of_events.resize(tree.size());
  if (!request.events_only()) {
    std::vector<const FoundEvent*> events;
    for (const TreeNode& node : tree) events.push_back(&node.event);
    ASSIGN_OR_RETURN(outcomes, outcomes_.Find(caller, events, until + kForLedger));
    if (outcomes.too_large) made.bytes = LedgerFold::kMostBytes;
  }
  response.set_truncated(gathering.truncated() || outcomes.too_much || outcomes.damaged ||
                         outcomes.not_given);
  for (size_t i = 0; i < tree.size(); ++i) {
    v1::JourneyEvent told = Tell(caller, tree[i]);
    Outcomes::OfEvent& groups = outcomes.of_events[i];
    if (told.state() != v1::JOURNEY_EVENT_STATE_OPAQUE) {
      for (v1::GroupOutcome& outcome : groups) *told.add_groups() = std::move(outcome);
    }
    *response.add_events() = std::move(told);
  }
  return made;
}

absl::StatusOr<std::optional<JourneyPage>> Journeys::Gather(EventFinder& finder,
                                                            const Caller& caller,
                                                            const v1::GetJourneyRequest& request,
                                                            const JourneyPage& at, size_t page,
                                                            JourneyGathering* gathering) const {
  const v1::JourneySelection& selection = request.selection();
  const bool whole = selection.has_correlation_id();
  ASSIGN_OR_RETURN(Selected selected, Select(finder, caller, selection, at.from,
                                             whole ? page : std::min(page, kMostAskedFor)));
  std::optional<JourneyPage> next;
  if (selected.next.has_value()) next = JourneyPage{*selected.next, std::nullopt};
  if (whole) {
    gathering->StartCorrelation(std::move(selected.events), selection.correlation_id(),
                                request.page_token().empty(), !next.has_value());
  } else if (!selected.events.empty()) {
    ASSIGN_OR_RETURN(const std::optional<EventFinder::Place> around,
                     gathering->StartAround(selected.events, page));
    const EventFinder::Place last = PlaceOfFound(selected.events.back());
    if (around.has_value()) next = JourneyPage{selected.from, JourneyPage::Around{last, *around}};
  }
  return next;
}

absl::StatusOr<std::optional<JourneyPage>> Journeys::GatherAround(
    EventFinder& finder, const Caller& caller, const v1::JourneySelection& selection,
    const JourneyPage& at, size_t page, JourneyGathering* gathering) const {
  const EventFinder::Place last = at.around->last;
  std::vector<FoundEvent> asked_for;
  bool more = false;  // Behind the last of them.
  Selected some;
  some.next = at.from;
  for (bool first = true; some.next.has_value() && *some.next <= last; first = false) {
    // Also where nothing was found: there may be many that the caller may not browse.
    if (!first && finder.is_over()) {
      return Error(v1::DEADLINE_PASSED,
                   "what was asked for was not found again in time: ask again");
    }
    ASSIGN_OR_RETURN(some, Select(finder, caller, selection, *some.next, kMostAskedForAgain));
    for (const FoundEvent& event : some.events) {
      more = more || PlaceOfFound(event) > last;
      if (PlaceOfFound(event) <= last) asked_for.push_back(NameOnly(event));
    }
    // As many again may have come between those of the page.
    if (asked_for.size() > 2 * kMostAskedFor) {
      return Error(v1::INVALID_ARGUMENT,
                   "page_token names more than a page has: leave it out to begin anew",
                   {{"field", "page_token"}});
    }
  }
  if (asked_for.empty()) {
    return Error(v1::EVENT_NOT_FOUND,
                 "what this page goes on from is gone: leave page_token out to begin anew");
  }
  ASSIGN_OR_RETURN(const std::optional<EventFinder::Place> around,
                   gathering->GoOnAround(asked_for, at.around->from, page));
  if (around.has_value()) return JourneyPage{at.from, JourneyPage::Around{last, *around}};
  if (!more && !some.next.has_value()) return std::nullopt;
  return JourneyPage{{last.partition, last.offset + 1}, std::nullopt};
}

absl::StatusOr<Journeys::Copies> Journeys::FindCopies(EventFinder& finder, const Caller& caller,
                                                      const v1::JourneySelection& selection) const {
  Copies copies;
  for (std::optional<EventFinder::Place> from = EventFinder::Place(); from.has_value();) {
    ASSIGN_OR_RETURN(Selected some, Select(finder, caller, selection, *from, kMostEvents));
    for (FoundEvent& event : some.events) {
      if (!MayBrowse(caller, *event.topic)) continue;
      ++copies.count;
      // What retention took is mostly older than what it did not.
      const bool read = event.state == v1::JOURNEY_EVENT_STATE_STORED ||
                        event.state == v1::JOURNEY_EVENT_STATE_TRIMMED;
      copies.read = copies.read && read;
      copies.newest.push_back(std::move(event));
    }
    std::sort(copies.newest.begin(), copies.newest.end(), IsNewer);
    if (copies.newest.size() > QuestionFacts::kMostPlaces) {
      copies.newest.resize(QuestionFacts::kMostPlaces);
    }
    from = some.next;
    copies.all = !from.has_value();
    if (finder.is_over()) break;
  }
  return copies;
}

absl::StatusOr<v1::AskQuestionsResponse> Journeys::Ask(
    const Caller& caller, const v1::AskQuestionsRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  if (!request.selection().has_event() && !request.selection().has_position()) {
    return Invalid("the questions are about one event: name it by id or position");
  }
  v1::AskQuestionsResponse response;
  *response.mutable_index() = LookAtIndex(caller);
  EventFinder finder = FinderOf(caller, deps_.clock.SinceBoot() + kMostTime);
  absl::StatusOr<Copies> found = FindCopies(finder, caller, request.selection());
  if (!found.ok()) return OrIsNotIndexed(found.status(), request.selection(), response.index());
  Copies& copies = *found;
  if (copies.newest.empty()) {
    return Error(v1::DEADLINE_PASSED, "the event was not found in time: ask again");
  }
  QuestionFacts facts;
  facts.tenant = caller.tenant;
  facts.copies = copies.count;
  facts.all_copies = copies.all;
  facts.copies_read = copies.read || copies.count == 1;
  facts.one_source = AreOfOneSource(copies.newest);
  for (const FoundEvent& event : copies.newest) facts.places.push_back(event.place());
  TreeNode node;
  node.event = std::move(copies.newest.front());
  v1::JourneyEvent& event = *response.mutable_event();
  event = Tell(caller, node);
  ASSIGN_OR_RETURN(Outcomes::Told outcomes,
                   outcomes_.Find(caller, {&node.event}, deps_.clock.SinceBoot() + kMostTime));
  for (v1::GroupOutcome& outcome : outcomes.of_events[0]) {
    *event.add_groups() = std::move(outcome);
  }
  facts.event = &event;
  facts.ledger = LedgerOf(node.event, outcomes);
  facts.named_by_place = request.selection().has_position();
  facts.index_behind = response.index().lag_events() > 0;
  facts.begins_journey = node.event.begins_journey;
  if (!node.event.cause().empty()) {
    ASSIGN_OR_RETURN(facts.cause, FindCause(caller, node.event));
  }
  for (v1::Answer& answer : AnswerQuestions(facts)) *response.add_answers() = std::move(answer);
  return response;
}

absl::StatusOr<QuestionFacts::Cause> Journeys::FindCause(const Caller& caller,
                                                         const FoundEvent& effect) const {
  using Cause = QuestionFacts::Cause;
  // Copies of the event itself may have taken all of the time that there was for them.
  EventFinder finder = FinderOf(caller, deps_.clock.SinceBoot() + kForCause);
  v1::JourneySelection selection;
  selection.mutable_event()->set_id(effect.cause());
  const auto selected = Select(finder, caller, selection, {}, kMostAskedForAgain);
  if (ReasonOf(selected.status()) == v1::EVENT_NOT_FOUND) return Cause::kNowhere;
  RETURN_IF_ERROR(selected.status());
  // It goes on behind what the caller may not browse: only the time was over.
  if (selected->events.empty()) return Cause::kNoTime;
  const bool over = finder.WindowOf(effect.cause(), effect.append_time_us).is_over();
  const bool found = std::any_of(
      selected->events.begin(), selected->events.end(),
      [&](const FoundEvent& cause) { return !over || cause.event.id() == effect.cause(); });
  return found ? Cause::kFound : Cause::kNowhere;
}

v1::JourneyIndexState Journeys::LookAtIndex(const Caller& caller) const {
  v1::JourneyIndexState state;
  if (!deps_.indexer.CatchUp(kCatchUp)) {
    state.set_lag_events(deps_.indexer.Measure().lag_events);
  } else if (deps_.indexer.MissesAny()) {
    state.set_lag_events(deps_.indexer.Measure().missed_events);
  }
  for (const TopicPtr& topic : deps_.topics.All()) {
    if (state.not_indexed_topics_size() >= kMostTopicsNamed) break;
    const bool indexed = topic->proto.journey() == v1::JOURNEY_MODE_FULL;
    if (topic->tenant != caller.tenant || indexed || !MayBrowse(caller, *topic)) continue;
    state.add_not_indexed_topics(topic->name());
  }
  return state;
}

bool Journeys::MayBrowse(const Caller& caller, const Topic& topic) const {
  return deps_.authorizer.Authorize(caller, Verb::kBrowse, {ResourceKind::kTopic, topic.name()})
      .ok();
}

v1::JourneyEvent Journeys::Tell(const Caller& caller, const TreeNode& node) const {
  const FoundEvent& found = node.event;
  v1::JourneyEvent told;
  if (node.cause.has_value()) told.set_cause(static_cast<int32_t>(*node.cause));
  told.set_in_cycle(node.in_cycle);
  if (found.topic != nullptr) {
    if (!MayBrowse(caller, *found.topic)) {
      told.set_state(v1::JOURNEY_EVENT_STATE_OPAQUE);
      return told;
    }
    v1::EventPosition* const position = told.mutable_position();
    position->set_topic(found.topic->name());
    position->set_partition(found.partition.partition());
    position->set_offset(found.offset.value());
    told.set_incarnation(found.incarnation.value());
  }
  told.set_state(found.state);
  *told.mutable_event() = found.event;
  told.set_data_bytes(found.data_bytes);
  if (found.append_time_us != 0 && found.topic != nullptr) {
    SetTimeUs(found.append_time_us, told.mutable_append_time());
  }
  told.set_principal(found.context.principal());
  told.set_app(found.context.app());
  told.set_app_version(found.context.app_version());
  told.set_instance(found.context.instance());
  told.set_cause_known(!found.context.causation_id().empty() &&
                       found.context.causation_id() == found.cause());
  return told;
}

}  // namespace acta
