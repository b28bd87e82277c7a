// The list of adopted children.
#include "watch/reaper.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

namespace nsclone {
namespace {

struct Adopted {
  std::mutex mutex;
  std::vector<std::unique_ptr<Child>> children;
  std::atomic<size_t> count{0};
};

// Never destroyed: the last Worker may end while the process exits.
Adopted& TheAdopted() {
  static Adopted* const adopted = new Adopted;
  return *adopted;
}

}  // namespace

void Adopt(std::unique_ptr<Child> child) {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  adopted.children.push_back(std::move(child));
  adopted.count = adopted.children.size();
}

size_t ReapAdopted() {
  Adopted& adopted = TheAdopted();
  if (adopted.count == 0) return 0;
  const std::lock_guard lock(adopted.mutex);
  std::erase_if(adopted.children, [](const std::unique_ptr<Child>& child) {
    if (child->channel() >= 0) child->Receive();
    while (child->Advance()) {
    }
    return child->phase() == Phase::kEnded || child->phase() == Phase::kFailed;
  });
  adopted.count = adopted.children.size();
  return static_cast<size_t>(std::count_if(adopted.children.begin(), adopted.children.end(),
                                           [](const std::unique_ptr<Child>& child) { return child->dying(); }));
}

}  // namespace nsclone
