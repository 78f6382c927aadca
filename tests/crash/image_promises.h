#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/crash/history.h"
#include "tests/crash/image_check.h"

namespace acta {

// Promises that one partition of an image has to keep whatever the history says of its
// transactions. Each answers what is broken, empty: nothing.

// What a reader had been told was trimmed stays so.
std::string FindUntrimmed(const History& history, const ImageCut& cut, PartitionId partition,
                          const PartitionExtent& extent);
// What a reader had been shown is there, but for what a power cut may take: events that are visible
// before they are synced.
std::string FindVanished(const History& history, const ImageCut& cut, PartitionId partition,
                         const PartitionExtent& extent);
// No id is stored twice within the window of the topic.
std::string FindStoredTwice(const TopicSettings& settings, const std::vector<BatchPtr>& batches);
// What each producer published last, of the parts of one partition.
std::map<uint64_t, HistoryPart> NewestOfProducers(const std::vector<HistoryPart>& parts);

}  // namespace acta
