// An owned file descriptor.
#ifndef NSCLONE_LAUNCH_DESCRIPTOR_H_
#define NSCLONE_LAUNCH_DESCRIPTOR_H_

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace nsclone {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      Close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }

  int number() const { return number_; }
  bool open() const { return number_ >= 0; }
  int Release() { return std::exchange(number_, -1); }
  void Close() {
    if (number_ >= 0) close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

// Where Node was started without stdio, new descriptors get the numbers 0 to 2: no place for ours, as the stdio of a
// child is made from what lies there. Not open where there is no other number; errno tells.
inline Descriptor Above(Descriptor descriptor, int lowest) {
  if (!descriptor.open() || descriptor.number() >= lowest) return descriptor;
  return Descriptor(fcntl(descriptor.number(), F_DUPFD_CLOEXEC, lowest));
}
// Puts an open file in the place of what is kept, under its number: another thread may be using that.
inline void Replace(Descriptor* kept, Descriptor file) {
  if (kept->open()) {
    dup3(file.number(), kept->number(), O_CLOEXEC);
  } else {
    *kept = std::move(file);
  }
}
inline Descriptor AboveStdio(Descriptor descriptor) { return Above(std::move(descriptor), 3); }

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_DESCRIPTOR_H_
