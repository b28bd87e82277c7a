// The loader: makes a block of bytes into a program, or refuses it.
#include "loop/loop.h"

namespace nsclone {
namespace {

// MAX_ERRNO of linux/err.h.
constexpr uint64_t kMaxErrno = 4095;

bool Fits(uint64_t offset, uint64_t length, uint64_t size) { return length <= size && offset <= size - length; }

bool CheckArgument(Kind kind, int64_t value, uint32_t data_size) {
  const auto offset = static_cast<uint64_t>(value);
  switch (kind) {
    case Kind::kNumber:
      return true;
    case Kind::kData:
      return Fits(offset, 1, data_size);
    case Kind::kResult:
      return offset < kResults;
    case Kind::kWord:
      return offset % 4 == 0 && Fits(offset, 4, data_size);
    case Kind::kReport:
      return Fits(offset, 8, sizeof(Report));
  }
  return false;
}

bool CheckShape(const Instruction& instruction, uint32_t data_size) {
  switch (instruction.op) {
    case Op::kCall:
      return true;
    case Op::kStore: {
      const auto offset = static_cast<uint64_t>(instruction.arguments[1]);
      const int64_t width = instruction.arguments[2];
      return instruction.argument_count == 3 && (width == 4 || width == 8) &&
             instruction.kinds[1] == static_cast<uint8_t>(Kind::kNumber) &&
             instruction.kinds[2] == static_cast<uint8_t>(Kind::kNumber) &&
             offset % static_cast<uint64_t>(width) == 0 && Fits(offset, static_cast<uint64_t>(width), data_size);
    }
    case Op::kCompare: {
      const auto at = [&](uint32_t i) { return static_cast<uint64_t>(instruction.arguments[i]); };
      const auto is = [&](uint32_t i, Kind kind) { return instruction.kinds[i] == static_cast<uint8_t>(kind); };
      return instruction.argument_count == 4 && is(0, Kind::kData) && is(1, Kind::kData) && is(2, Kind::kNumber) &&
             is(3, Kind::kNumber) && Fits(at(0), at(2), data_size) && Fits(at(1), at(2), data_size) && at(3) >= 1 &&
             at(3) <= kMaxErrno;
    }
    case Op::kTell: {
      const auto table = static_cast<uint64_t>(instruction.arguments[1]);
      const auto count = static_cast<uint64_t>(instruction.arguments[2]);
      return instruction.argument_count == 3 && instruction.kinds[1] == static_cast<uint8_t>(Kind::kData) &&
             instruction.kinds[2] == static_cast<uint8_t>(Kind::kNumber) && table % 4 == 0 &&
             count <= kMaxInstructions && Fits(table, count * 4, data_size);
    }
    case Op::kWait:
    case Op::kExit:
    case Op::kFail:
      return instruction.argument_count == 1;
  }
  return false;
}

bool CheckStay(const Instruction& instruction, uint32_t data_size) {
  // The last argument is the loop's own.
  if (instruction.argument_count != kArguments) return false;
  if (!HasFilters(instruction)) return true;
  const auto place = static_cast<uint64_t>(instruction.arguments[2]);
  const auto count = static_cast<uint64_t>(instruction.arguments[3]);
  return instruction.kinds[3] == static_cast<uint8_t>(Kind::kNumber) && place % alignof(InitFilter) == 0 &&
         count <= kMaxData / sizeof(InitFilter) && Fits(place, count * sizeof(InitFilter), data_size);
}

bool CheckInstruction(const Instruction& instruction, uint32_t left, uint32_t data_size) {
  if (instruction.argument_count > kArguments || instruction.rule_count > kRules || instruction.keep > kResults) {
    return false;
  }
  if ((instruction.policy & (kExplains | kAwaits)) != 0 && instruction.argument_count == 0) return false;
  if ((instruction.policy & kStay) != 0 && !CheckStay(instruction, data_size)) return false;
  for (uint32_t i = 0; i < instruction.rule_count; i++) {
    // Forward only, and not beyond the end: every program ends.
    if (instruction.rules[i].skip > left) return false;
  }
  for (uint32_t i = 0; i < instruction.argument_count; i++) {
    if (!CheckArgument(static_cast<Kind>(instruction.kinds[i]), instruction.arguments[i], data_size)) return false;
  }
  return CheckShape(instruction, data_size);
}

}  // namespace

bool Load(uint8_t* block, uint64_t size, Program* program, uint32_t* culprit) {
  *culprit = kLoading;
  Parts parts = {};
  if (size < sizeof(Header)) return false;
  const Header& header = *reinterpret_cast<const Header*>(block);
  if (!Locate(header, size, &parts)) return false;

  const auto* instructions = reinterpret_cast<const Instruction*>(block + parts.instructions);
  for (uint32_t i = 0; i < header.instruction_count; i++) {
    if (!CheckInstruction(instructions[i], header.instruction_count - i - 1, header.data_size)) {
      *culprit = i;
      return false;
    }
  }

  uint8_t* data = block + parts.data;
  const auto* relocations = reinterpret_cast<const uint32_t*>(block + parts.relocations);
  for (uint32_t i = 0; i < header.relocation_count; i++) {
    const uint64_t place = relocations[i];
    if (place % 8 != 0 || !Fits(place, 8, header.data_size)) return false;
    auto* word = reinterpret_cast<uint64_t*>(data + place);
    if (!Fits(*word, 1, header.data_size)) return false;
    *word += reinterpret_cast<uintptr_t>(data);
  }
  *program = {instructions, header.instruction_count, data, &header,
              reinterpret_cast<const int32_t*>(block + parts.kept)};
  return true;
}

}  // namespace nsclone
