#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace acta {

using Corpus = std::vector<std::string>;

// Draws inputs from a corpus, by seed. The corpus is borrowed.
class Mutator {
 public:
  Mutator(const Corpus& corpus, uint64_t seed) : corpus_(corpus), random_(seed) {}

  std::string Next();

 private:
  size_t Below(size_t end) { return static_cast<size_t>(random_() % end); }
  char Byte();
  void Mutate(std::string* bytes);
  // A well-formed field of protobuf with a small number, or nearly one.
  std::string Field();
  // A number that parsers trip over.
  std::string Number();

  const Corpus& corpus_;
  std::mt19937_64 random_;
};

}  // namespace acta
