#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/mutator.h"

namespace acta {
namespace {

Corpus LoadCorpus(const std::string& name) {
  Corpus corpus;
  for (const auto& entry :
       std::filesystem::directory_iterator(ACTA_SOURCE_DIR "/tests/fuzz/corpus/" + name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  std::sort(corpus.begin(), corpus.end());  // The order of a folder is not the same everywhere.
  return corpus;
}

uint64_t NumberFromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Tells the input at which the process ends: a target that finds something does not return.
class LastWords {
 public:
  explicit LastWords(std::string name) {
    name_ = std::move(name);
    for (const int signal : {SIGABRT, SIGSEGV}) std::signal(signal, &Tell);
  }
  ~LastWords() {
    for (const int signal : {SIGABRT, SIGSEGV}) std::signal(signal, SIG_DFL);
  }
  void Before(absl::string_view bytes) { input_ = bytes; }

 private:
  static void Tell(int signal) {
    std::signal(signal, SIG_DFL);
    std::fprintf(stderr, "%s fails with %s\n", name_.c_str(),
                 absl::BytesToHexString(input_).c_str());
    std::raise(signal);
  }

  static std::string name_;
  static absl::string_view input_;
};
std::string LastWords::name_;
absl::string_view LastWords::input_;

// Goal: no bytes that break a property of the target. Method: the corpus as it is, then mutated
// until the time is over.
void Run(const std::string& name, uint64_t seconds) {
  const auto& targets = FuzzTargets();
  const auto target = std::find_if(targets.begin(), targets.end(),
                                   [&name](const FuzzTarget& one) { return one.name == name; });
  REQUIRE(target != targets.end());
  const Corpus corpus = LoadCorpus(name);
  REQUIRE(corpus.size() >= 5);
  LastWords last(name);
  const auto run = [&](const std::string& bytes) {
    last.Before(bytes);
    target->run(bytes);
  };
  for (const std::string& bytes : corpus) run(bytes);
  const uint64_t seed = NumberFromEnvironment("ACTA_FUZZ_SEED", std::random_device()());
  std::cout << name << ": ACTA_FUZZ_SEED=" << seed << std::endl;
  const std::chrono::seconds length(NumberFromEnvironment("ACTA_FUZZ_SECONDS", seconds));
  Mutator mutator(corpus, seed);
  uint64_t inputs = 0;
  const auto end = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 100; ++i, ++inputs) run(mutator.Next());
  }
  std::cout << name << ": " << inputs << " inputs" << std::endl;
  CHECK(inputs > 0);
}

std::string TextOf(const std::string& name) {
  std::ifstream file(ACTA_SOURCE_DIR "/tests/fuzz/" + name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST_CASE("each target has its turn here and a program of libFuzzer") {
  const std::string here = TextOf("fuzz_smoke_test.cc"), build = TextOf("CMakeLists.txt");
  const std::string head = "foreach(fuzzer ";
  const size_t at = build.find(head);
  REQUIRE(at != std::string::npos);
  const size_t begin = at + head.size();
  const std::string list = build.substr(begin, build.find(')', begin) - begin);
  const std::set<std::string> programs =
      absl::StrSplit(list, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  CHECK(programs.size() == FuzzTargets().size());
  for (const FuzzTarget& target : FuzzTargets()) {
    CAPTURE(target.name);
    CHECK(programs.count(target.name) == 1);
    CHECK(absl::StrContains(here, absl::StrCat("Run(\"", target.name, "\"")));
  }
}

// Together half a minute.
constexpr uint64_t kScannerSeconds = 4;
constexpr uint64_t kSeconds = 2;
constexpr uint64_t kShortSeconds = 1;  // Of what has few forms.

TEST_CASE("scanner and parser agree about events") { Run("event", kScannerSeconds); }
TEST_CASE("frame parser and generated parser agree about publish frames") {
  Run("publish_frame", kScannerSeconds);
}
TEST_CASE("no control frames break a subscription") { Run("control", kSeconds); }
TEST_CASE("no broker breaks the client") { Run("delivery", kSeconds); }
TEST_CASE("stored batches are read as written or refused") { Run("stored_batch", kSeconds); }
TEST_CASE("witness slots are read as written or refused") { Run("witness", kSeconds); }
TEST_CASE("rows of producers are read as written or refused") { Run("producers", kSeconds); }
TEST_CASE("both readings of a table's extents agree") { Run("table_extents", kSeconds); }
TEST_CASE("whatever a log file holds, a whole group in it is found") { Run("wal", kSeconds); }
TEST_CASE("a look into a block of the index finds all that is there") {
  Run("index_block", kShortSeconds);
}
TEST_CASE("records of the ledger are read as written or refused") { Run("ledger", kShortSeconds); }
TEST_CASE("traceparents are read or passed over") { Run("traceparent", kShortSeconds); }
TEST_CASE("tokens and names of places are read as written or refused") {
  Run("tokens", kShortSeconds);
}
TEST_CASE("properties are set to what is shown or refused") { Run("config", kSeconds); }
TEST_CASE("positions, times and quantities are read or refused") { Run("syntax", kSeconds); }
TEST_CASE("pointers find what they name") { Run("pointer", kSeconds); }
TEST_CASE("CloudEvents are written as they were read") { Run("cloud_event", kSeconds); }

}  // namespace
}  // namespace acta
