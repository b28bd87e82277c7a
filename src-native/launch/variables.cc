// Reads `environ`, which another thread may change at any time: what was measured is a bound for what is copied.
#include "launch/variables.h"

#include <unistd.h>

#include <cstring>

namespace nsclone {

Variables Variables::Measure() {
  Variables all;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; variable++) {
    all.count++;
    all.strings += strlen(*variable) + 1;
  }
  return all;
}

bool Variables::CopyTo(uint8_t* data, size_t at, uint32_t* relocations) const {
  auto* addresses = reinterpret_cast<uint64_t*>(data + at);
  size_t place = at + (size_t{count} + 1) * sizeof(uint64_t);
  size_t left = strings;
  for (uint32_t i = 0; i < count; i++) {
    const char* const variable = environ == nullptr ? nullptr : environ[i];
    if (variable == nullptr) return false;
    const size_t size = strlen(variable) + 1;
    if (size > left) return false;
    memcpy(data + place, variable, size);
    addresses[i] = place;
    relocations[i] = static_cast<uint32_t>(at + i * sizeof(uint64_t));
    place += size;
    left -= size;
  }
  addresses[count] = 0;
  return true;
}

}  // namespace nsclone
