#include "tests/crash/redrive_images.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int64_t kRate = 10;  // One at a time.

absl::StatusOr<v1::Redrive> Newest(QueueStore& store, const std::string& group) {
  v1::ListRedrivesRequest request;
  request.set_group(group);
  ASSIGN_OR_RETURN(const auto listed, store.groups().ListRedrives(store.caller(), request));
  return listed.redrives().empty() ? v1::Redrive() : listed.redrives(0);
}

}  // namespace

absl::Status RedriveAtRate(QueueStore& store, const std::string& group,
                           const v1::DeadLetterSelection& letters) {
  v1::StartRedriveRequest request;
  request.set_group(group);
  *request.mutable_selection() = letters;
  request.set_accept_order(true);
  request.set_max_redrives(1000);
  request.set_rate(kRate);
  RETURN_IF_ERROR(store.groups().StartRedrive(store.caller(), request).status());
  // It goes on when the disk has what it did, which takes its own time.
  for (int i = 0; i < 20'000; ++i) {
    store.Advance(absl::Milliseconds(10));
    absl::SleepFor(absl::Microseconds(100));
    ASSIGN_OR_RETURN(const v1::Redrive redrive, Newest(store, group));
    if (redrive.state() == v1::REDRIVE_STATE_RUNNING) continue;
    if (redrive.redriven() == letters.letters_size()) return absl::OkStatus();
    break;
  }
  return absl::InternalError("a dead letter was not redriven at its rate");
}

std::string CheckRunningRedrive(QueueStore& store, const std::string& group) {
  const auto redrive = Newest(store, group);
  if (!redrive.ok()) return std::string(redrive.status().message());
  if (redrive->state() != v1::REDRIVE_STATE_RUNNING) return "";
  v1::CancelRedriveRequest cancel;
  cancel.set_group(group);
  cancel.set_redrive_id(redrive->redrive_id());
  const auto cancelled = store.groups().CancelRedrive(store.caller(), cancel);
  if (!cancelled.ok()) return std::string(cancelled.status().message());
  v1::ListDeadLettersRequest list;
  list.set_group(group);
  *list.mutable_selection() = cancelled->redrive().selection();
  list.set_page_size(1000);
  const auto dead = store.groups().ListDeadLetters(store.caller(), list);
  if (!dead.ok()) return std::string(dead.status().message());
  const int listed = dead->dead_letters_size();
  if (listed == redrive->left() && redrive->redriven() + redrive->left() == redrive->selected()) {
    return "";
  }
  return absl::StrCat("a redrive has redriven ", redrive->redriven(), " of ", redrive->selected(),
                      ", and ", listed, " of them are dead letters or held");
}

}  // namespace acta
