#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "tests/fuzz/differential.h"

namespace acta {
namespace {

using Corpus = std::vector<std::string>;
using Compare = std::string (*)(absl::string_view);

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

// Draws inputs from a corpus, by seed.
class Mutator {
 public:
  Mutator(const Corpus& corpus, uint64_t seed) : corpus_(corpus), random_(seed) {}

  std::string Next() {
    std::string bytes = corpus_[Below(corpus_.size())];
    for (size_t steps = 1 + Below(4); steps > 0; --steps) Mutate(&bytes);
    return bytes;
  }

 private:
  size_t Below(size_t end) { return static_cast<size_t>(random_() % end); }
  char Byte() {
    // Ends of varints, tags of this schema, wire types that do not exist, broken UTF-8.
    static constexpr unsigned char kTelling[] = {0x00, 0x01, 0x02, 0x07, 0x0a, 0x0b, 0x0c, 0x0e,
                                                 0x22, 0x2a, 0x38, 0x62, 0x6a, 0x7a, 0x7f, 0x80,
                                                 0x81, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xf4, 0xff};
    return static_cast<char>(Below(2) == 0 ? random_() : kTelling[Below(sizeof(kTelling))]);
  }

  void Mutate(std::string* bytes) {
    const size_t at = Below(bytes->size() + 1);
    const bool inside = at < bytes->size();
    switch (Below(8)) {
      case 0:
        if (inside) (*bytes)[at] = Byte();
        break;
      case 1:
        if (inside) (*bytes)[at] = static_cast<char>((*bytes)[at] ^ 1 << Below(8));
        break;
      case 2:
        bytes->insert(at, 1, Byte());
        break;
      case 3:
        if (inside) bytes->erase(at, 1 + Below(4));
        break;
      case 4:
        bytes->resize(at);
        break;
      case 5:
        if (inside) bytes->insert(at, bytes->substr(at, 1 + Below(16)));
        break;
      case 6:
        bytes->insert(at, Field());
        break;
      default: {
        const std::string& other = corpus_[Below(corpus_.size())];
        bytes->insert(at, other.substr(Below(other.size() + 1), Below(32)));
      }
    }
  }

  // A well-formed field with a small number, or nearly one.
  std::string Field() {
    std::string field(1, static_cast<char>(Below(17) << 3 | Below(6)));
    const size_t size = Below(6);
    if ((field[0] & 7) == 2) field.push_back(static_cast<char>(size));
    for (size_t i = 0; i < size; ++i) field.push_back(Byte());
    return field;
  }

  const Corpus& corpus_;
  std::mt19937_64 random_;
};

// Goal: no bytes on which scanner and parser disagree. Method: the corpus as it is, then mutated
// until the time is over.
void Run(const std::string& name, Compare compare) {
  const Corpus corpus = LoadCorpus(name);
  REQUIRE(corpus.size() >= 10);
  std::string wrong;
  const auto check = [&](const std::string& bytes) {
    const std::string difference = compare(bytes);
    if (!difference.empty()) wrong = difference + ": " + absl::BytesToHexString(bytes);
    return difference.empty();
  };
  for (const std::string& bytes : corpus) {
    check(bytes);
    REQUIRE(wrong == "");
  }
  const uint64_t seed = NumberFromEnvironment("ACTA_FUZZ_SEED", std::random_device()());
  const std::chrono::seconds length(NumberFromEnvironment("ACTA_FUZZ_SECONDS", 30));
  Mutator mutator(corpus, seed);
  uint64_t inputs = 0;
  const auto end = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 1000 && wrong.empty(); ++i, ++inputs) check(mutator.Next());
    if (!wrong.empty()) break;
  }
  std::cout << name << ": " << inputs << " inputs, ACTA_FUZZ_SEED=" << seed << std::endl;
  CHECK(wrong == "");
}

TEST_CASE("scanner and parser agree about events") { Run("event", CompareEvent); }

TEST_CASE("frame parser and generated parser agree about publish frames") {
  Run("publish_frame", ComparePublishFrame);
}

}  // namespace
}  // namespace acta
