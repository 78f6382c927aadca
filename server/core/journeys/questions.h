#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "acta/v1/journeys.pb.h"

namespace acta {

// What is known of an event when it is asked about. Borrowed.
struct QuestionFacts {
  const v1::JourneyEvent* event = nullptr;  // With what groups did.
  std::string tenant;
  size_t copies = 1;        // Events of its id, with itself.
  bool all_copies = true;   // False: there are more, and one of them may be newer.
  bool copies_read = true;  // False: some could not be read; the same.
  bool one_source = true;   // Of those that are named all that could be read.
  // Where they are, itself first; of more than kMostPlaces the first.
  static constexpr size_t kMostPlaces = 10;
  std::vector<std::string> places;
  // The event that it names as its cause is there for the caller.
  enum class Cause {
    kNowhere,
    kFound,
    kNoTime,  // To look at all that is in the index under its name.
  };
  Cause cause = Cause::kNowhere;
  bool named_by_place = false;  // And not by its id.
  bool index_behind = false;    // What is looked for may be among what is not indexed.
  bool begins_journey = false;  // It names no correlation, nor does its producer.
  // What is known of what groups did with it.
  enum class Ledger {
    kRead,
    kTooMuch,   // To be read: only where the event is just now is known.
    kBehind,    // What was done just now, or what the disk does not give, may be missing.
    kDamaged,   // A part of it cannot be read.
    kNotGiven,  // The disk did not give a part of it.
    kShort,     // Its retention may have taken a part of it.
    kOff,       // Of its topic nothing is kept.
    kWasOff,    // The same, for a while after it was published.
    kNone,      // Of no topic.
  };
  Ledger ledger = Ledger::kRead;
};

// The eight answers, in the order of v1::Question. Pure.
std::vector<v1::Answer> AnswerQuestions(const QuestionFacts& facts);

}  // namespace acta
