// The one main of all test programs: Catch's own is slow to compile.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
