#include "storage/submit_and_wait.h"

#include <thread>

#include "tests/unit/support/memory_fixture.h"

namespace acta {
namespace {

Transaction OneRow() {
  Transaction transaction;
  transaction.rows.push_back({Family::kMeta, "row", "value"});
  return transaction;
}

TEST_CASE("waiting for a transaction gives its result", "[support]") {
  MemoryLogEngine engine;
  CHECK_OK(SubmitAndWait(engine, OneRow()).status);
  CHECK(engine.LoadRows(Family::kMeta, "row")->size() == 1);
}

TEST_CASE("waiting for a transaction gives the refusal and the failed write", "[support]") {
  MemoryLogEngine engine;
  engine.FailNextSubmit(Error(v1::SERVER_STOPPING, "stopping"));
  CHECK(ReasonOf(SubmitAndWait(engine, OneRow()).status) == v1::SERVER_STOPPING);
  engine.FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "sync failed"));
  CHECK(ReasonOf(SubmitAndWait(engine, OneRow()).status) == v1::OUTCOME_UNKNOWN);
}

TEST_CASE("waiting for a transaction blocks until another thread answers", "[support]") {
  MemoryLogEngine engine;
  engine.HoldDone();
  std::thread releaser([&engine] {
    while (engine.held() == 0) std::this_thread::yield();
    engine.ReleaseDone();
  });
  const TransactionResult result = SubmitAndWait(engine, OneRow());
  releaser.join();
  CHECK_OK(result.status);
}

}  // namespace
}  // namespace acta
