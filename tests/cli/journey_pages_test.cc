#include "tools/acta/events/journey_pages.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace acta::cli {
namespace {

v1::JourneyEvent* AddStored(v1::GetJourneyResponse* page, const std::string& id, int64_t offset,
                            const std::string& causation = "") {
  v1::JourneyEvent* const event = page->add_events();
  event->set_state(v1::JOURNEY_EVENT_STATE_STORED);
  event->mutable_position()->set_topic("t");
  event->mutable_position()->set_offset(offset);
  event->mutable_event()->set_id(id);
  event->mutable_event()->set_causation_id(causation);
  return event;
}

void AddMissing(v1::GetJourneyResponse* page, const std::string& id) {
  v1::JourneyEvent* const event = page->add_events();
  event->set_state(v1::JOURNEY_EVENT_STATE_MISSING);
  event->mutable_event()->set_id(id);
}

// "id", or "id of its cause>id".
std::vector<std::string> EdgesOf(const v1::GetJourneyResponse& journey) {
  std::vector<std::string> edges;
  for (const v1::JourneyEvent& event : journey.events()) {
    const std::string cause =
        event.has_cause() ? journey.events(event.cause()).event().id() + ">" : "";
    edges.push_back(cause + event.event().id());
  }
  return edges;
}

using Edges = std::vector<std::string>;

TEST_CASE("pages of a journey know causes on earlier pages", "[cli]") {
  v1::GetJourneyResponse first;
  AddStored(&first, "a", 0);
  AddStored(&first, "b", 1, "a")->set_cause(0);
  first.set_next_page_token("1.2");
  v1::GetJourneyResponse second;
  AddStored(&second, "c", 2, "b");
  AddStored(&second, "d", 3, "c")->set_cause(0);
  AddStored(&second, "", 4, "t/0/3");
  AddStored(&second, "e", 5, "t/0/4");
  JourneyPages pages;
  pages.Add(first);
  CHECK(pages.journey().next_page_token() == "1.2");
  pages.Add(second);
  CHECK(pages.journey().next_page_token().empty());
  // By the place of one that has an id nobody is named.
  CHECK(EdgesOf(pages.journey()) == Edges{"a", "a>b", "b>c", "c>d", "", ">e"});
}

TEST_CASE("what several pages tell is there once", "[cli]") {
  v1::GetJourneyResponse first;
  AddMissing(&first, "never");
  AddStored(&first, "a", 0, "never")->set_cause(0);
  AddStored(&first, "beside", 9, "a")->set_cause(1);
  v1::GetJourneyResponse second;
  AddMissing(&second, "never");
  AddStored(&second, "b", 1, "never")->set_cause(0);
  AddStored(&second, "beside", 9, "a");
  AddStored(&second, "c", 2, "beside")->set_cause(2);
  second.set_truncated(true);
  v1::GetJourneyResponse third;
  third.mutable_index()->set_lag_events(3);
  JourneyPages pages;
  for (const auto& page : {first, second, third}) pages.Add(page);
  CHECK(EdgesOf(pages.journey()) == Edges{"never", "never>a", "a>beside", "never>b", "beside>c"});
  CHECK(pages.journey().truncated());
  CHECK(pages.journey().index().lag_events() == 3);
}

TEST_CASE("events that one may not browse are told as often as they come", "[cli]") {
  v1::GetJourneyResponse page;
  page.add_events()->set_state(v1::JOURNEY_EVENT_STATE_OPAQUE);
  v1::JourneyEvent* const effect = page.add_events();
  effect->set_state(v1::JOURNEY_EVENT_STATE_OPAQUE);
  effect->set_cause(0);
  JourneyPages pages;
  pages.Add(page);
  pages.Add(page);
  REQUIRE(pages.journey().events_size() == 4);
  CHECK(pages.journey().events(1).cause() == 0);
  CHECK(pages.journey().events(3).cause() == 2);
}

TEST_CASE("a circle stays cut, and no cause comes behind its effect", "[cli]") {
  v1::GetJourneyResponse first;
  AddStored(&first, "x", 0, "y")->set_in_cycle(true);
  AddStored(&first, "late", 1, "z");
  v1::GetJourneyResponse second;
  AddStored(&second, "z", 2);
  AddStored(&second, "late", 1, "z")->set_cause(0);
  AddStored(&second, "x", 0, "late");
  JourneyPages pages;
  pages.Add(first);
  pages.Add(second);
  CHECK(EdgesOf(pages.journey()) == Edges{"x", "late", "z"});
}

}  // namespace
}  // namespace acta::cli
