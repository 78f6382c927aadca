#include "storage/log/server_clock.h"

#include <catch2/catch.hpp>

#include "tests/support/test_store.h"

namespace acta {
namespace {

TEST_CASE("server time goes with the wall clock and follows its drift") {
  FakeClock clock;
  ServerClock server(clock, absl::UnixEpoch());
  for (int i = 0; i < 3600; ++i) {
    clock.Advance(absl::Seconds(1));
    clock.Jump(absl::Microseconds(100));  // 100 ppm.
    server.Observe();
  }
  CHECK(absl::AbsDuration(server.Now() - clock.Wall()) < absl::Milliseconds(5));
  CHECK(server.jump() == absl::ZeroDuration());
}

TEST_CASE("a jump is ignored and reported until it is accepted") {
  FakeClock clock;
  ServerClock server(clock, absl::UnixEpoch());
  const absl::Time before = server.Now();
  clock.Jump(absl::Hours(24 * 365));
  clock.Advance(absl::Seconds(1));
  server.Observe();
  CHECK(server.Now() - before == absl::Seconds(1));
  CHECK(server.jump() == absl::Hours(24 * 365));
  server.Accept();
  CHECK(server.Now() - before == absl::Hours(24 * 365) + absl::Seconds(1));
  CHECK(server.jump() == absl::ZeroDuration());
}

TEST_CASE("a jump that is accepted before it was observed is told all the same") {
  FakeClock clock;
  ServerClock server(clock, absl::UnixEpoch());
  clock.Jump(-absl::Hours(2));
  clock.Advance(absl::Seconds(1));
  CHECK(server.Accept() == -absl::Hours(2));
  CHECK(server.Accept() == absl::ZeroDuration());
}

TEST_CASE("a small jump that stays is accepted after ten minutes, a large one is not") {
  const absl::Duration jump = GENERATE(absl::Minutes(59), absl::Minutes(61));
  FakeClock clock;
  ServerClock server(clock, absl::UnixEpoch());
  clock.Jump(jump);
  for (int i = 0; i < 602; ++i) {
    clock.Advance(absl::Seconds(1));
    server.Observe();
  }
  CHECK((server.jump() == absl::ZeroDuration()) == (jump < absl::Hours(1)));
}

TEST_CASE("server time never goes back and never starts before what was witnessed") {
  FakeClock clock;
  const absl::Time witnessed = clock.Wall() + absl::Hours(1);
  ServerClock server(clock, witnessed);
  CHECK(server.Now() == witnessed);
  clock.Jump(-absl::Hours(5));
  clock.Advance(absl::Seconds(1));
  server.Observe();
  server.Accept();
  CHECK(server.Now() >= witnessed);
}

}  // namespace
}  // namespace acta
