#include "tests/fuzz/mutator.h"

#include <iterator>

namespace acta {

std::string Mutator::Next() {
  std::string bytes = corpus_[Below(corpus_.size())];
  for (size_t steps = 1 + Below(4); steps > 0; --steps) Mutate(&bytes);
  return bytes;
}

char Mutator::Byte() {
  // Ends of varints, tags of protobuf, wire types that do not exist, broken UTF-8.
  static constexpr unsigned char kTelling[] = {0x00, 0x01, 0x02, 0x07, 0x0a, 0x0b, 0x0c, 0x0e,
                                               0x22, 0x2a, 0x38, 0x62, 0x6a, 0x7a, 0x7f, 0x80,
                                               0x81, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xf4, 0xff};
  return static_cast<char>(Below(2) == 0 ? random_() : kTelling[Below(sizeof(kTelling))]);
}

void Mutator::Mutate(std::string* bytes) {
  const size_t at = Below(bytes->size() + 1);
  const bool inside = at < bytes->size();
  switch (Below(9)) {
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
    case 7:
      bytes->insert(at, Number());
      break;
    default: {
      const std::string& other = corpus_[Below(corpus_.size())];
      bytes->insert(at, other.substr(Below(other.size() + 1), Below(32)));
    }
  }
}

std::string Mutator::Field() {
  std::string field(1, static_cast<char>(Below(17) << 3 | Below(6)));
  const size_t size = Below(6);
  if ((field[0] & 7) == 2) field.push_back(static_cast<char>(size));
  for (size_t i = 0; i < size; ++i) field.push_back(Byte());
  return field;
}

std::string Mutator::Number() {
  static const char* const kNumbers[] = {
      "0",     "-1",  "4294967296",           "9223372036854775807", "18446744073709551615",
      "1e309", "0.1", "-9223372036854775808", "9223372036854776",    "123456.789"};
  return kNumbers[Below(std::size(kNumbers))];
}

}  // namespace acta
