// How often what costs much is looked for.
#include <time.h>

#include <algorithm>

#include "watch/tree.h"

namespace nsclone {
namespace {

// Nanoseconds between two looks.
constexpr int64_t kFirst = 1'000'000;
constexpr int64_t kLongest = 32'000'000;
// How many times as long as a look takes there is none.
constexpr int64_t kShare = 20;

int64_t Now() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

bool Pace::Due() {
  began_ = Now();
  return began_ >= next_;
}

void Pace::Looked() {
  const int64_t end = Now();
  pause_ = std::clamp(2 * pause_, kFirst, kLongest);
  next_ = end + std::max(pause_, kShare * (end - began_));
}

void Pace::Restart() {
  pause_ = 0;
  next_ = 0;
}

}  // namespace nsclone
