// What a compiler may call although nobody wrote it: a freestanding program brings it along.
#include <stddef.h>
#include <stdint.h>

extern "C" __attribute__((used)) void* memset(void* target, int value, size_t size) {
  auto* bytes = static_cast<uint8_t*>(target);
  for (size_t i = 0; i < size; i++) bytes[i] = static_cast<uint8_t>(value);
  return target;
}
