#pragma once

#include <vector>

#include "storage/log_engine.h"

namespace acta {

inline constexpr TopicId kOrders{1};
inline constexpr TopicId kClicks{2};
inline constexpr GroupId kReaders{1};
inline constexpr GroupId kWorkers{2};  // A QUEUE group.
inline constexpr PartitionId kOrders0(kOrders, 0);

// A row of every kind of the domain, with every field that its record had when it was made.
std::vector<RowWrite> DomainRows();

}  // namespace acta
