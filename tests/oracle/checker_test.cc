#include "tests/oracle/checker.h"

#include <catch2/catch.hpp>

#include <array>
#include <vector>

#include "tests/oracle/value.h"

namespace acta::oracle {
namespace {

// A history in which five events of one publisher are published, acknowledged, delivered to a
// reader and to a group, and kept, all in partition 0 at offsets 0 to 4.
class TestHistory {
 public:
  TestHistory() {
    for (int64_t i = 0; i < 5; ++i) {
      Add(Record::Kind::kInvoke, i);
      Add(Record::Kind::kOk, i);
      Add(Record::Kind::kFinal, i);
      Record& poll = Add(Record::Kind::kPoll, i);
      poll.reader = poll.session = 9;
      Add(Record::Kind::kPoll, i).reader = 1;
    }
    Record extent;
    extent.kind = Record::Kind::kExtent;
    extent.end = 5;
    records.push_back(extent);
    Add(Record::Kind::kAssigned, 0).time_ns = 1;
    Add(Record::Kind::kCommitted, 5).time_ns = 2;
  }

  // The event whose counter is offset + 1.
  Record& Add(Record::Kind kind, int64_t offset) {
    Record record;
    record.kind = kind;
    record.value = {1, offset + 1};
    record.offset = offset;
    record.incarnation = 1;
    return records.emplace_back(record);
  }
  void Remove(Record::Kind kind, int64_t offset, int32_t reader = 0) {
    std::erase_if(records, [&](const Record& record) {
      return record.kind == kind && record.offset == offset && record.reader == reader;
    });
  }
  Record& Find(Record::Kind kind, int64_t offset, int32_t reader = 0) {
    for (Record& record : records) {
      if (record.kind == kind && record.offset == offset && record.reader == reader) return record;
    }
    FAIL("no such record");
    return records.front();
  }
  bool Shows(Anomaly anomaly, const CheckOptions& options = {}) const {
    return Check(records, options).counts.contains(anomaly);
  }

  std::vector<Record> records;
};

}  // namespace

TEST_CASE("a history in which everything is as promised shows nothing", "[oracle]") {
  const CheckReport report = Check(TestHistory().records);
  CHECK(report.clean());
  CHECK(report.acknowledged == 5);
  CHECK(report.kept == 5);
}

TEST_CASE("an acknowledged event that is nowhere is a lost write", "[oracle]") {
  TestHistory history;
  history.Add(Record::Kind::kInvoke, 5);
  history.Add(Record::Kind::kOk, 5);
  CHECK(history.Shows(Anomaly::kLostWrite));
  SECTION("but not one of level OS after a power cut") {
    history.Find(Record::Kind::kOk, 5).os = true;
    CHECK_FALSE(history.Shows(Anomaly::kLostWrite, {.power_cut = true}));
    CHECK(history.Shows(Anomaly::kLostWrite));
  }
  SECTION("nor one that retention has removed") {
    for (Record& record : history.records) {
      if (record.kind == Record::Kind::kExtent) record.offset = record.end = 6;
    }
    CHECK_FALSE(history.Shows(Anomaly::kLostWrite));
  }
}

TEST_CASE("an event that was delivered and is gone is a lost write", "[oracle]") {
  TestHistory history;
  history.Add(Record::Kind::kInvoke, 5);
  history.Add(Record::Kind::kPoll, 5).reader = 1;
  CHECK(history.Shows(Anomaly::kLostWrite));
}

TEST_CASE("a value at two offsets is a duplicate", "[oracle]") {
  TestHistory history;
  history.Add(Record::Kind::kFinal, 5).value = {1, 3};
  CHECK(history.Shows(Anomaly::kDuplicate));
}

TEST_CASE("an offset with two values, or a value elsewhere, is inconsistent", "[oracle]") {
  TestHistory history;
  SECTION("acknowledged at an offset of another") {
    history.Find(Record::Kind::kOk, 3).offset = 2;
    CHECK(history.Shows(Anomaly::kInconsistentOffsets));
  }
  SECTION("two readers see different events") {
    history.Find(Record::Kind::kPoll, 3, 1).value = {1, 1};
    CHECK(history.Shows(Anomaly::kInconsistentOffsets));
  }
  SECTION("but not in another incarnation, where the first is gone") {
    history.Add(Record::Kind::kInvoke, 9);
    Record& lost = history.Add(Record::Kind::kOk, 4);
    lost.value = {1, 10};
    lost.incarnation = 0;
    lost.os = true;
    CHECK_FALSE(history.Shows(Anomaly::kInconsistentOffsets, {.power_cut = true}));
  }
}

TEST_CASE("a reader that goes back or leaves something out is noticed", "[oracle]") {
  TestHistory history;
  SECTION("back") {
    Record& again = history.Add(Record::Kind::kPoll, 2);
    again.reader = again.session = 9;
    CHECK(history.Shows(Anomaly::kNonmonotonicPoll));
  }
  SECTION("a skip") {
    history.Remove(Record::Kind::kPoll, 2, 9);
    CHECK(history.Shows(Anomaly::kPollSkip));
  }
  SECTION("a hole in the log itself") {
    history.Remove(Record::Kind::kFinal, 2);
    CHECK(history.Shows(Anomaly::kPollSkip));
    CHECK(history.Shows(Anomaly::kLostWrite));
  }
  SECTION("a log that ends too early") {
    history.Remove(Record::Kind::kFinal, 4);
    CHECK(history.Shows(Anomaly::kPollSkip));
  }
}

TEST_CASE("a group that passes an event that no member got has not seen it", "[oracle]") {
  TestHistory history;
  history.Remove(Record::Kind::kPoll, 2, 1);
  CHECK(history.Shows(Anomaly::kUnseen));
}

TEST_CASE("events of one publisher in another order are reordered", "[oracle]") {
  TestHistory history;
  history.Find(Record::Kind::kFinal, 1).value = {1, 3};
  history.Find(Record::Kind::kFinal, 2).value = {1, 2};
  CHECK(history.Shows(Anomaly::kReordered));
}

TEST_CASE("bytes that nobody published are altered", "[oracle]") {
  TestHistory history;
  SECTION("a value whose checksum fails") {
    history.Add(Record::Kind::kAlien, 5);
    CHECK(history.Shows(Anomaly::kAltered));
  }
  SECTION("a value that was never sent") {
    history.Add(Record::Kind::kFinal, 5);
    CHECK(history.Shows(Anomaly::kAltered));
  }
}

TEST_CASE("a refused event that is there is a phantom", "[oracle]") {
  TestHistory history;
  history.Find(Record::Kind::kOk, 3).kind = Record::Kind::kFail;
  CHECK(history.Shows(Anomaly::kPhantom));
}

TEST_CASE("a member that starts below what was confirmed has lost a commit", "[oracle]") {
  TestHistory history;
  history.Add(Record::Kind::kAssigned, 3).time_ns = 3;
  CHECK(history.Shows(Anomaly::kLostCommit));
}

TEST_CASE("a value survives its text, and a changed byte does not", "[oracle]") {
  const Value value{7, 123'456'789'012};
  std::string text = EncodeValue(value, 10);
  CHECK(DecodeValue(text) == value);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] ^= 1;
    CHECK_FALSE(DecodeValue(other).has_value());
  }
}

TEST_CASE("a member that goes back or leaves something out while it has a partition is noticed",
          "[oracle]") {
  TestHistory history;
  SECTION("back") {
    history.Add(Record::Kind::kPoll, 2).reader = 1;
    CHECK(history.Shows(Anomaly::kNonmonotonicPoll));
  }
  SECTION("before where it starts") {
    history.Add(Record::Kind::kAssigned, 3).reader = 1;
    history.Add(Record::Kind::kPoll, 2).reader = 1;
    CHECK(history.Shows(Anomaly::kNonmonotonicPoll));
  }
  SECTION("a skip") {
    history.Remove(Record::Kind::kPoll, 2, 1);
    CHECK(history.Shows(Anomaly::kPollSkip));
  }
  SECTION("but not when the partition came to it again") {
    history.Add(Record::Kind::kAssigned, 2).reader = 1;
    history.Add(Record::Kind::kPoll, 2).reader = 1;
    CHECK_FALSE(history.Shows(Anomaly::kNonmonotonicPoll));
    CHECK_FALSE(history.Shows(Anomaly::kPollSkip));
  }
}

TEST_CASE("a partition that begins or ends before what was told has moved back", "[oracle]") {
  TestHistory history;
  int64_t time_ns = 0;
  const auto tell = [&](int64_t first, int64_t end) {
    Record& span = history.Add(Record::Kind::kSpan, first);
    span.end = end;
    span.time_ns = ++time_ns;
  };
  tell(0, 5);
  tell(2, 5);
  tell(2, 7);
  CHECK_FALSE(history.Shows(Anomaly::kMovedBack));
  SECTION("what retention had taken") { tell(1, 7); }
  SECTION("what could be read") { tell(2, 6); }
  CHECK(history.Shows(Anomaly::kMovedBack));
}

TEST_CASE("retention takes a prefix and no more", "[oracle]") {
  TestHistory history;
  for (Record& record : history.records) {
    if (record.kind == Record::Kind::kExtent) record.offset = 2;
  }
  SECTION("also while the log is written down") {
    history.Remove(Record::Kind::kFinal, 1);
    CHECK(Check(history.records).clean());
  }
  SECTION("but nothing behind it") {
    history.Remove(Record::Kind::kFinal, 3);
    CHECK(history.Shows(Anomaly::kPollSkip));
    CHECK(history.Shows(Anomaly::kLostWrite));
  }
  SECTION("nor what it says it keeps") {
    history.Remove(Record::Kind::kFinal, 0);
    history.Remove(Record::Kind::kFinal, 1);
    history.Remove(Record::Kind::kFinal, 2);
    CHECK(history.Shows(Anomaly::kPollSkip));
  }
}

TEST_CASE("a record survives its line", "[oracle]") {
  Record record;
  record.kind = Record::Kind::kCommitted;
  record.time_ns = 5;
  record.value = {1, 2};
  record.reader = 3;
  record.session = 4;
  record.partition = 5;
  record.offset = 6;
  record.end = 7;
  record.incarnation = 8;
  record.os = true;
  std::string line = FormatRecord(record);
  line.pop_back();
  const auto parsed = ParseRecord(line);
  REQUIRE(parsed.ok());
  CHECK(*parsed == record);
  CHECK_FALSE(ParseRecord("ok 1 2").ok());
}

}  // namespace acta::oracle
