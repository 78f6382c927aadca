#include "server/core/journeys/questions.h"
#include "server/core/topics/place_name.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "proto/support/proto_time.h"

namespace acta {
namespace {

constexpr char kRangesOnly[] =
    "a STREAM group knows the range that it committed, not what became of each event in it";
constexpr char kUseQueue[] = "a QUEUE group settles each event by itself";
constexpr char kMaybeRange[] =
    "of a group that was deleted, or does not read the topic any more, it is not known whether it "
    "settled the event by itself or committed a range";
constexpr char kForgotten[] =
    "a group is past it and the ledger does not say how: it began behind it, or settled it longer "
    "ago "
    "than the ledger is kept";
constexpr char kKeepLonger[] = "storage.ledger_retention says how long the ledger is kept";
constexpr char kWhenIndexed[] = "ask again when acta_journeys_index_lag_events is 0";
constexpr char kByPlace[] = "name the event by its place: acta questions --position";

// Of the lines of an answer: with all others, and the event, it is within what clients take.
constexpr size_t kMostLineBytes = size_t{3} << 18;

// One answer in the making: it is KNOWN until something is missing.
class AnswerMaker {
 public:
  explicit AnswerMaker(v1::Question question) {
    answer_.set_question(question);
    answer_.set_certainty(v1::CERTAINTY_KNOWN);
  }
  template <typename... Parts>
  void Say(const Parts&... parts) {
    std::string line(absl::StrCat(parts...));
    line_bytes_ += line.size() + kBesideLine;
    if (line_bytes_ > kMostLineBytes) {
      ++left_out_;
    } else {
      answer_.add_lines(std::move(line));
    }
  }
  // The first reason is told, the worst certainty counts.
  void Lacks(v1::Certainty certainty, absl::string_view why, absl::string_view remedy) {
    answer_.set_certainty(std::max(answer_.certainty(), certainty));
    if (!answer_.why().empty()) return;
    answer_.set_why(std::string(why));
    answer_.set_remedy(std::string(remedy));
  }
  v1::Answer Make() {
    if (left_out_ > 0) answer_.add_lines(absl::StrCat("and ", left_out_, " more"));
    return std::move(answer_);
  }

 private:
  static constexpr size_t kBesideLine = 4;

  v1::Answer answer_;
  size_t line_bytes_ = 0;
  int64_t left_out_ = 0;
};

std::string TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%E3SZ", ToTime(time), absl::UTCTimeZone());
}

std::string StateWords(v1::OutcomeState state) {
  const std::string name = absl::AsciiStrToLower(v1::OutcomeState_Name(state).substr(14));
  return absl::StrReplaceAll(name, {{"_", " "}});
}

std::string AppWords(const std::string& app, const std::string& version) {
  if (app.empty()) return "";
  return absl::StrCat(" (", app, version.empty() ? "" : " ", version, ")");
}

// It was deleted, or reads the topic no more: what is told of it is how it was then.
bool ReadsNoMore(const v1::GroupOutcome& group) {
  return group.mode() == v1::GROUP_MODE_UNSPECIFIED;
}

// Of an event that it is not past, nobody says when it has it in hand.
bool IsBeforeStream(const v1::GroupOutcome& group) {
  return group.mode() == v1::GROUP_MODE_STREAM && group.state() == v1::OUTCOME_STATE_PENDING;
}

std::string StandsWords(const v1::GroupOutcome& group) {
  const bool over = ReadsNoMore(group) && group.state() == v1::OUTCOME_STATE_PENDING;
  return absl::StrCat(StateWords(group.state()), over ? " when it last read the topic" : "");
}

// "skipped by ann: a bad batch".
std::string DecisionWords(const v1::GroupOutcome& group) {
  return absl::StrCat(StandsWords(group), group.by().empty() ? "" : " by ", group.by(),
                      group.why().empty() ? "" : ": ", group.why());
}

std::string TimesWords(int times) { return times == 1 ? "once" : absl::StrCat(times, " times"); }

std::string RedrivenWords(const v1::GroupOutcome& group) {
  const bool once = group.redrives() == 1;
  const std::string times = TimesWords(group.redrives());
  if (group.redriven_by().empty()) return absl::StrCat("redriven ", times);
  return absl::StrCat("redriven ", times, once ? " by " : ", last by ", group.redriven_by());
}

std::string PlaceWords(const v1::EventPosition& at) {
  return PlaceText(at.topic(), at.partition(), Offset(at.offset()));
}

// "published 12 times under this id, the newest first: orders/2/1, ... and 2 more".
std::string CopiesWords(const QuestionFacts& facts) {
  std::string words = absl::StrCat("published ", facts.all_copies ? "" : "at least ", facts.copies,
                                   " times under this id");
  if (facts.places.empty()) return words;
  absl::StrAppend(&words, ", the newest first: ", absl::StrJoin(facts.places, ", "));
  if (facts.copies > facts.places.size()) {
    absl::StrAppend(&words, " and ", facts.copies - facts.places.size(), " more");
  }
  return words;
}

// Of an event that cannot be read no more is known than what is told of it: what is empty says
// nothing. False: it was read.
bool IsLost(const v1::JourneyEvent& event, AnswerMaker* answer) {
  switch (event.state()) {
    case v1::JOURNEY_EVENT_STATE_TRIMMED:
      answer->Lacks(v1::CERTAINTY_UNKNOWN, "retention took the event",
                    "a backup may have it; a longer retention of its topic keeps the next ones");
      return true;
    case v1::JOURNEY_EVENT_STATE_UNREADABLE:
      answer->Lacks(v1::CERTAINTY_UNKNOWN, "its bytes are damaged",
                    "acta admin scrub names what is damaged; a backup may have it whole");
      return true;
    case v1::JOURNEY_EVENT_STATE_NOT_GIVEN:
      answer->Lacks(v1::CERTAINTY_UNKNOWN, "the disk did not give the event", "ask again");
      return true;
    default:
      return false;
  }
}

// "published by shop 1.0 as ann at 2018-01-31 01:49:59.650Z"; empty: nothing is known of it.
std::string PublishedWords(const v1::JourneyEvent& event, bool lost) {
  std::string words;
  if (!lost || !event.app().empty()) {
    absl::StrAppend(&words, " by ",
                    event.app().empty() ? "an application without a name" : event.app(),
                    event.app_version().empty() ? "" : " ", event.app_version());
  }
  if (!lost || !event.principal().empty()) {
    absl::StrAppend(&words, " as ", event.principal().empty() ? "nobody" : event.principal());
  }
  if (event.has_append_time()) absl::StrAppend(&words, " at ", TimeOf(event.append_time()));
  return words.empty() ? "" : absl::StrCat("published", words);
}

v1::Answer WhereFrom(const QuestionFacts& facts) {
  AnswerMaker answer(v1::QUESTION_WHERE_FROM);
  const v1::JourneyEvent& event = *facts.event;
  const bool lost = IsLost(event, &answer);
  if (const std::string words = PublishedWords(event, lost); !words.empty()) answer.Say(words);
  if (!event.event().source().empty()) answer.Say("source ", event.event().source());
  if (!facts.all_copies) {
    answer.Lacks(
        v1::CERTAINTY_PARTIAL,
        "there was no time to look at all events of this id: one of the others may be newer",
        kByPlace);
  }
  if (!facts.copies_read) {
    answer.Lacks(v1::CERTAINTY_PARTIAL,
                 "some events of this id could not be read: one of them may be newer", kByPlace);
  }
  if (!facts.one_source) {
    answer.Lacks(v1::CERTAINTY_PARTIAL,
                 "events of several sources have this id: it is about the newest of them",
                 "name its source: acta questions EVENT --source SOURCE");
  }
  if (facts.index_behind && !facts.named_by_place) {
    answer.Lacks(v1::CERTAINTY_PARTIAL,
                 "one of the events that are not indexed yet may be a newer one of this id",
                 kWhenIndexed);
  }
  if (!lost && event.app().empty()) {
    answer.Lacks(v1::CERTAINTY_PARTIAL, "the producer did not say which application it is",
                 "name app and app_version where the producer opens its stream");
  }
  if (facts.copies > 1) answer.Say(CopiesWords(facts));
  const std::string& cause = event.event().causation_id();
  if (cause.empty()) {
    if (!lost) answer.Say("no event caused it: it begins a journey, or nobody said so");
    return answer.Make();
  }
  answer.Say("caused by ", cause, event.cause_known() ? ", by the token of its delivery" : "");
  if (facts.cause == QuestionFacts::Cause::kNoTime) {
    answer.Lacks(v1::CERTAINTY_PARTIAL,
                 absl::StrCat("there was no time to look for the event that caused it, ", cause),
                 "ask for it by itself: acta questions EVENT");
  } else if (facts.cause == QuestionFacts::Cause::kNowhere && facts.index_behind) {
    answer.Lacks(v1::CERTAINTY_PARTIAL,
                 absl::StrCat("the event that caused it, ", cause,
                              ", is not found, and may be one of those that are not indexed yet"),
                 kWhenIndexed);
  } else if (facts.cause == QuestionFacts::Cause::kNowhere) {
    answer.Lacks(v1::CERTAINTY_PARTIAL,
                 absl::StrCat("the event that caused it, ", cause, ", is nowhere to be found"),
                 "look for its topic: it may not be indexed by id (journey OFF or CORRELATION), or "
                 "you may not browse it, or its retention is over");
  }
  return answer.Make();
}

v1::Answer WhichSchema(const QuestionFacts& facts) {
  AnswerMaker answer(v1::QUESTION_WHICH_SCHEMA);
  const v1::Event& event = facts.event->event();
  if (IsLost(*facts.event, &answer)) return answer.Make();
  if (!event.content_type().empty()) answer.Say("media type ", event.content_type());
  if (event.schema().empty()) {
    answer.Lacks(v1::CERTAINTY_UNKNOWN, "the event names no schema",
                 "set schema (CloudEvents dataschema) where it is published");
    return answer.Make();
  }
  answer.Say("schema ", event.schema());
  answer.Lacks(v1::CERTAINTY_PARTIAL,
               "the reference is the producer's word: no registry of schemas has checked it",
               "a registry is a part of Acta that does not exist yet");
  return answer.Make();
}

// How a group settled an event is not known.
void LackOfLedger(QuestionFacts::Ledger ledger, AnswerMaker* answer) {
  using Ledger = QuestionFacts::Ledger;
  switch (ledger) {
    case Ledger::kRead:
      return answer->Lacks(v1::CERTAINTY_PARTIAL, kForgotten, kKeepLonger);
    case Ledger::kTooMuch:
      return answer->Lacks(v1::CERTAINTY_PARTIAL,
                           "groups did more with it, or with events around it, than can be read "
                           "in time: told is where it is just now",
                           "ask again when the broker has less to do; acta deadletter list GROUP "
                           "has what a group gave up on");
    case Ledger::kBehind:
      return answer->Lacks(v1::CERTAINTY_PARTIAL, "a part of what groups did is not indexed yet",
                           kWhenIndexed);
    case Ledger::kDamaged:
      return answer->Lacks(v1::CERTAINTY_PARTIAL,
                           "a part of what groups did is damaged on the disk",
                           "acta admin scrub names what is damaged; a backup may have it whole");
    case Ledger::kNotGiven:
      return answer->Lacks(v1::CERTAINTY_PARTIAL, "the disk did not give a part of what groups did",
                           "ask again");
    case Ledger::kShort:
      return answer->Lacks(v1::CERTAINTY_PARTIAL,
                           "the event is older than what is kept of the ledger without a break: "
                           "what groups did with it before may be missing",
                           kKeepLonger);
    case Ledger::kOff:
      return answer->Lacks(v1::CERTAINTY_PARTIAL,
                           "the topic keeps nothing of what groups did (journey OFF)",
                           "acta topic alter TOPIC --journey full, for what is settled from then "
                           "on");
    case Ledger::kWasOff:
      return answer->Lacks(v1::CERTAINTY_PARTIAL,
                           "journeys of the topic were switched on after the event was published: "
                           "what groups did while they were off is not kept",
                           "of events that were published since it is known");
    case Ledger::kNone:
      return answer->Lacks(v1::CERTAINTY_PARTIAL,
                           "the broker keeps nothing of what groups did "
                           "(storage.ledger_retention is 0)",
                           "set storage.ledger_retention, for what is settled from then on");
  }
}

// No group reads its topic: of one that did, and was deleted, the ledger alone knows.
void LackOfGroups(const QuestionFacts& facts, AnswerMaker* answer) {
  using Ledger = QuestionFacts::Ledger;
  const bool lacks = facts.event->groups().empty() || facts.ledger == Ledger::kTooMuch;
  if (lacks && facts.ledger != Ledger::kRead) LackOfLedger(facts.ledger, answer);
}

// What the answer lacks when a group tells less than a QUEUE group would, or that one does not tell
// everything: the ledger alone knows of attempts, also where it is known how the event stands now.
void LackOf(const v1::GroupOutcome& outcome, QuestionFacts::Ledger ledger, AnswerMaker* answer) {
  const bool in_part =
      ledger != QuestionFacts::Ledger::kRead && outcome.mode() != v1::GROUP_MODE_STREAM;
  if (in_part || outcome.state() == v1::OUTCOME_STATE_SETTLED) {
    LackOfLedger(ledger, answer);
  } else if (outcome.of_range() || IsBeforeStream(outcome)) {
    answer->Lacks(v1::CERTAINTY_PARTIAL, kRangesOnly, kUseQueue);
  } else if (outcome.state() == v1::OUTCOME_STATE_PROCESSED && !outcome.has_deliver_time() &&
             ReadsNoMore(outcome)) {
    answer->Lacks(v1::CERTAINTY_PARTIAL, kMaybeRange, kUseQueue);
  }
}

// Who got it last, and when. Of a range it is known when it was committed, and so until when each
// of its events was received. Empty: nobody, or nothing is known of it.
std::string ReceiverWords(const v1::GroupOutcome& group) {
  const bool somebody = group.has_deliver_time() || group.state() == v1::OUTCOME_STATE_PROCESSED;
  const std::string member = group.member_id().empty() && somebody ? "somebody" : group.member_id();
  if (group.has_deliver_time()) return absl::StrCat(member, " at ", TimeOf(group.deliver_time()));
  if (!group.of_range() || !group.has_end_time()) return member;
  return absl::StrCat(member, " by ", TimeOf(group.end_time()), ", when the range was committed");
}

// Of whom nothing else is told.
std::string NoReceiverWords(const v1::GroupOutcome& group) {
  const bool unknown = group.state() == v1::OUTCOME_STATE_SETTLED || IsBeforeStream(group);
  return absl::StrCat(unknown ? "not known" : "nobody", " (", StandsWords(group), ")");
}

void SayEarlier(const v1::GroupOutcome& group, AnswerMaker* answer) {
  if (group.earlier_attempts() == 0) return;
  answer->Say(group.group(), ": ", group.earlier_attempts(), " earlier attempts");
}

// Of what came before a reset put it before the group again it is not told who it was.
void SayBefore(const v1::GroupOutcome& group, AnswerMaker* answer) {
  if (group.processed_before() == 0) return;
  answer->Say(group.group(), ": processed ", TimesWords(group.processed_before()),
              " before a reset put it before the group again");
  answer->Lacks(v1::CERTAINTY_PARTIAL, "who had it before the group was reset is not told",
                "the traces of that time name the member, where they are exported");
}

v1::Answer WhoReceived(const QuestionFacts& facts) {
  AnswerMaker answer(v1::QUESTION_WHO_RECEIVED);
  LackOfGroups(facts, &answer);
  for (const v1::GroupOutcome& group : facts.event->groups()) {
    LackOf(group, facts.ledger, &answer);
    SayBefore(group, &answer);
    SayEarlier(group, &answer);
    for (const v1::Attempt& attempt : group.failed_attempts()) {
      answer.Say(group.group(), ": ", attempt.member_id(),
                 AppWords(attempt.app(), attempt.app_version()), ", attempt ", attempt.attempt(),
                 " at ", TimeOf(attempt.lease_time()));
    }
    if (const std::string receiver = ReceiverWords(group); !receiver.empty()) {
      answer.Say(group.group(), ": ", receiver);
    } else if (group.failed_attempts().empty() && group.processed_before() == 0) {
      answer.Say(group.group(), ": ", NoReceiverWords(group));
    }
  }
  if (facts.event->groups().empty()) answer.Say("nobody: no group reads its topic");
  return answer.Make();
}

v1::Answer WhoProcessed(const QuestionFacts& facts) {
  AnswerMaker answer(v1::QUESTION_WHO_PROCESSED);
  LackOfGroups(facts, &answer);
  bool somebody = false;
  for (const v1::GroupOutcome& group : facts.event->groups()) {
    LackOf(group, facts.ledger, &answer);
    SayBefore(group, &answer);
    if (group.state() != v1::OUTCOME_STATE_PROCESSED) continue;
    somebody = true;
    answer.Say(group.group(), ": ", group.member_id().empty() ? "somebody" : group.member_id(),
               " at ", TimeOf(group.end_time()),
               group.of_range() ? ", with the range it committed" : "");
  }
  for (const v1::GroupOutcome& group : facts.event->groups()) {
    if (group.state() == v1::OUTCOME_STATE_PROCESSED) continue;
    answer.Say(group.group(), ": not processed (", DecisionWords(group), ")");
  }
  if (!somebody && facts.event->groups().empty()) answer.Say("nobody: no group reads its topic");
  return answer.Make();
}

v1::Answer WhoFailed(const QuestionFacts& facts) {
  AnswerMaker answer(v1::QUESTION_WHO_FAILED);
  LackOfGroups(facts, &answer);
  bool somebody = false;
  for (const v1::GroupOutcome& group : facts.event->groups()) {
    LackOf(group, facts.ledger, &answer);
    SayEarlier(group, &answer);
    for (const v1::Attempt& attempt : group.failed_attempts()) {
      somebody = true;
      answer.Say(group.group(), ": attempt ", attempt.attempt(), " by ", attempt.member_id(),
                 AppWords(attempt.app(), attempt.app_version()), " failed at ",
                 TimeOf(attempt.end_time()), attempt.reason().empty() ? "" : ": ", attempt.reason(),
                 attempt.text().empty() ? "" : ": ", attempt.text());
    }
    const bool waits = group.state() == v1::OUTCOME_STATE_RETRY_WAIT ||
                       group.state() == v1::OUTCOME_STATE_HELD ||
                       group.state() == v1::OUTCOME_STATE_BLOCKED_BY_KEY;
    if (waits || group.state() == v1::OUTCOME_STATE_DEAD_LETTERED ||
        group.state() == v1::OUTCOME_STATE_DISCARDED) {
      somebody = true;
      answer.Say(group.group(), ": ", DecisionWords(group), group.has_until_time() ? " until " : "",
                 group.has_until_time() ? TimeOf(group.until_time()) : "");
    }
    if (group.redrives() > 0) answer.Say(group.group(), ": ", RedrivenWords(group));
  }
  if (!somebody) answer.Say("nobody");
  return answer.Make();
}

v1::Answer WhichProcess(const QuestionFacts& facts) {
  AnswerMaker answer(v1::QUESTION_WHICH_PROCESS);
  const v1::Event& event = facts.event->event();
  if (!event.correlation_id().empty()) {
    answer.Say("journey ", event.correlation_id(),
               facts.begins_journey ? ", which it begins: it names no correlation" : "");
  }
  if (IsLost(*facts.event, &answer)) return answer.Make();
  if (event.process().empty() && facts.begins_journey) {
    answer.Lacks(v1::CERTAINTY_UNKNOWN, "the event names neither a process nor a correlation",
                 "set process, and where other events led to it correlation_id or caused_by");
    return answer.Make();
  }
  if (event.process().empty()) {
    answer.Lacks(v1::CERTAINTY_UNKNOWN, "the event names no process",
                 "set process where it is published");
    return answer.Make();
  }
  answer.Say("process ", event.process());
  answer.Lacks(v1::CERTAINTY_PARTIAL,
               "the name is the producer's word: processes are not declared, so nobody knows their "
               "steps",
               "declared processes are a part of Acta that does not exist yet");
  return answer.Make();
}

absl::string_view StoredWords(v1::JourneyEventState state) {
  switch (state) {
    case v1::JOURNEY_EVENT_STATE_STORED:
      return "the event is still stored";
    case v1::JOURNEY_EVENT_STATE_UNREADABLE:
      return "the event is still stored, but its bytes are damaged: nobody can read it";
    case v1::JOURNEY_EVENT_STATE_NOT_GIVEN:
      return "the event is still stored, but the disk did not give it: ask again";
    default:
      return "the event is not stored any more";
  }
}

v1::Answer MayReplay(const QuestionFacts& facts) {
  AnswerMaker answer(v1::QUESTION_MAY_REPLAY);
  const bool stored = facts.event->state() == v1::JOURNEY_EVENT_STATE_STORED;
  answer.Say(StoredWords(facts.event->state()));
  for (const v1::GroupOutcome& group : facts.event->groups()) {
    if (ReadsNoMore(group)) {
      answer.Say(group.group(), ": would not get it, it does not read the topic any more");
    } else if (stored && group.state() == v1::OUTCOME_STATE_PROCESSED) {
      answer.Say(group.group(), ": would get it again, although it processed it");
    } else if (group.state() == v1::OUTCOME_STATE_DEAD_LETTERED) {
      answer.Say(group.group(), ": gave up on it; a redrive offers it to this group only");
      answer.Say("acta deadletter redrive ", group.group(), " ",
                 PlaceWords(facts.event->position()));
    }
  }
  answer.Lacks(
      v1::CERTAINTY_PARTIAL,
      "groups do not declare what effects they have outside, nor types whether they may be "
      "replayed",
      "both are parts of Acta that do not exist yet; ask the owners of the groups above");
  return answer.Make();
}

v1::Answer WhoIsAffected(const QuestionFacts& facts) {
  AnswerMaker answer(v1::QUESTION_WHO_IS_AFFECTED);
  answer.Say("tenant ", facts.tenant);
  for (const v1::Affected& affected : facts.event->event().affected()) {
    answer.Say(affected.kind(), " ", affected.id());
  }
  if (IsLost(*facts.event, &answer)) return answer.Make();
  if (facts.event->event().affected().empty()) {
    answer.Lacks(v1::CERTAINTY_PARTIAL, "the event names nobody who is affected",
                 "set affected, as {kind: user, id: 42}, where it is published");
  }
  return answer.Make();
}

}  // namespace

std::vector<v1::Answer> AnswerQuestions(const QuestionFacts& facts) {
  return {WhereFrom(facts), WhichSchema(facts),  WhoReceived(facts), WhoProcessed(facts),
          WhoFailed(facts), WhichProcess(facts), MayReplay(facts),   WhoIsAffected(facts)};
}

}  // namespace acta
