// Goal: V09-V18 of the contract hold for a queue in whatever order things happen. Method: random
// lives beside a plain model (queue_model.h), checked after every step; the same lives with a queue
// that is wrong in one way have to be noticed. ACTA_SEED repeats a run, ACTA_QUEUE_LIVES sets how
// many.
#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "tests/unit/delivery/queue_simulator.h"

namespace acta {
namespace {

uint64_t Number(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The first life that is wrong, as few operations as show it; empty: none of so many.
std::string FirstWrong(uint64_t seed, uint64_t lives, QueueMutant mutant) {
  for (uint64_t i = 0; i < lives; ++i) {
    const auto life = QueueSimulator::MakeLife(seed + i, 20 + i % 100);
    if (QueueSimulator::Run(life, mutant).empty()) continue;
    const auto least = QueueSimulator::Shrink(life, mutant);
    return QueueSimulator::Run(least, mutant) + "\nACTA_SEED=" + std::to_string(seed + i) +
           " ACTA_QUEUE_LIVES=1\n" + QueueSimulator::Describe(least);
  }
  return "";
}

TEST_CASE("a queue keeps its promises whatever happens") {
  const uint64_t seed = Number("ACTA_SEED", std::random_device()());
  const uint64_t lives = Number("ACTA_QUEUE_LIVES", 50'000);
  std::printf("ACTA_SEED=%lu, %lu lives\n", seed, lives);
  const std::string wrong = FirstWrong(seed, lives, QueueMutant::kNone);
  INFO(wrong);
  CHECK(wrong.empty());
}

TEST_CASE("a queue that breaks a promise is noticed") {
  const auto mutant = static_cast<QueueMutant>(
      GENERATE(range(1, static_cast<int>(QueueMutant::kForgetsFailure) + 1)));
  INFO("mutant " << static_cast<int>(mutant));
  CHECK_FALSE(FirstWrong(1, 20'000, mutant).empty());
}

}  // namespace
}  // namespace acta
