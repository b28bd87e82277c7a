// The fuzzer: any bytes as a program. The loader refuses them, or the loop runs them to an end within block and report.
#include <cstdlib>
#include <cstring>

#include "loop/loop.h"
#include "loop/syscall.h"

namespace nsclone {
namespace {

// The loop's own bound on tries of one call, and the sched_yield(2) between two of them.
constexpr uint64_t kCallsOfOneInstruction = 2 * 1000 + 1;

// What the kernel could answer: errnos that rules name often, both borders of the range of errnos, small and large
// results.
constexpr int64_t kAnswers[] = {0,   1,   3,     4096,  INT64_MAX, -2,        -11,
                                -17, -13, -4095, -4096, INT64_MIN, INT32_MAX, -INT64_MAX};

uint64_t g_calls = 0;
uint64_t g_seed = 0;

void Require(bool holds) {
  if (!holds) abort();
}

// FNV-1a: the same input always gets the same answers.
uint64_t Hash(const uint8_t* bytes, size_t size) {
  uint64_t hash = 14695981039346656037U;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 1099511628211U;
  return hash;
}

// In memory of exactly this size, so that AddressSanitizer sees the first byte outside.
template <typename T>
T* Allocate(size_t size) {
  void* memory = malloc(size);
  Require(memory != nullptr);
  return static_cast<T*>(memory);
}

void RunAsTheStubDoes(const Program& program) {
  auto* report = Allocate<Report>(sizeof(Report));
  memset(static_cast<void*>(report), 0, sizeof(Report));
  volatile int64_t sum = 0;
  for (uint32_t i = 0; i < program.header->kept_count; i++) sum = sum + program.kept[i];
  *reinterpret_cast<int32_t*>(program.data + kChannelWord) = 3;

  g_calls = 0;
  Stay stay;
  Run(program, report, &stay);
  Require(g_calls <= uint64_t{program.count} * kCallsOfOneInstruction);
  Require(report->instruction < program.count || program.count == 0);
  Require(report->state <= static_cast<uint32_t>(State::kFailed));
  free(report);
}

}  // namespace

int64_t Call6(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t) {
  g_calls++;
  g_seed ^= g_seed << 13;
  g_seed ^= g_seed >> 7;
  g_seed ^= g_seed << 17;
  return kAnswers[g_seed % (sizeof(kAnswers) / sizeof(kAnswers[0]))];
}

}  // namespace nsclone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace nsclone;
  // malloc(0) may be a null pointer, and the loader is never given one.
  auto* block = Allocate<uint8_t>(size + (size == 0));
  if (size > 0) memcpy(block, bytes, size);
  g_seed = Hash(bytes, size) | 1;
  Program program = {};
  uint32_t culprit = 0;
  if (Load(block, size, &program, &culprit)) {
    RunAsTheStubDoes(program);
  } else {
    Require(culprit == kLoading || culprit < kMaxInstructions);
  }
  free(block);
  return 0;
}
