// Goal: V09-V18 of the contract hold for a queue in whatever order things happen. Method: random
// lives beside a plain model (queue_model.h), checked after every step; the same lives with a queue
// that is wrong in one way have to be noticed. ACTA_SEED repeats a run, ACTA_QUEUE_LIVES sets how
// many.
#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>

#include "tests/unit/delivery/queue_simulator.h"

namespace acta {
namespace {

uint64_t Number(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// As few operations as show what is wrong.
struct WrongLife {
  QueueSimulator::Life least;
  std::string text;
};

// The first of so many lives that is wrong.
std::optional<WrongLife> FirstWrong(uint64_t seed, uint64_t lives, QueueMutant mutant) {
  for (uint64_t i = 0; i < lives; ++i) {
    const auto life = QueueSimulator::MakeLife(seed + i);
    if (QueueSimulator::Run(life, mutant).empty()) continue;
    WrongLife wrong{QueueSimulator::Shrink(life, mutant), ""};
    wrong.text = QueueSimulator::Run(wrong.least, mutant) +
                 "\nACTA_SEED=" + std::to_string(seed + i) + " ACTA_QUEUE_LIVES=1\n" +
                 QueueSimulator::Describe(wrong.least);
    return wrong;
  }
  return std::nullopt;
}

TEST_CASE("a queue keeps its promises whatever happens") {
  const uint64_t seed = Number("ACTA_SEED", std::random_device()());
  const uint64_t lives = Number("ACTA_QUEUE_LIVES", 50'000);
  std::printf("ACTA_SEED=%lu, %lu lives\n", seed, lives);
  const auto wrong = FirstWrong(seed, lives, QueueMutant::kNone);
  INFO((wrong.has_value() ? wrong->text : ""));
  CHECK_FALSE(wrong.has_value());
}

TEST_CASE("a queue that breaks a promise is noticed, and a few operations show it") {
  constexpr size_t kFew = 12;
  const auto mutant =
      static_cast<QueueMutant>(GENERATE(range(1, static_cast<int>(QueueMutant::kEnd))));
  INFO("mutant " << static_cast<int>(mutant));
  const auto wrong = FirstWrong(1, 20'000, mutant);
  REQUIRE(wrong.has_value());
  INFO(wrong->text);
  CHECK(wrong->least.operations.size() <= kFew);
}

}  // namespace
}  // namespace acta
