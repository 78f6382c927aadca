#include <string>
#include <vector>

#include <unistd.h>

#include "server/app/program.h"
#include "storage/base/standard_streams.h"

int main(int argc, char** argv) {
  acta::OccupyStandardStreams();
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return acta::RunProgram(words, environment);
}
