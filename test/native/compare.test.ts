// The instruction that compares two pieces of the data: what the loader refuses of it, and what the loop does.
import { Flags, plan } from '../../lib';
import { linesOf } from '../support/listing';
import { outputOf } from './compile';

/** One instruction, with its arguments; then `exit with 5`. What the loader and the loop make of it. */
const harness = `
  #include <cstdio>
  #include <cstring>
  #include "loop/load.cc"
  #include "loop/loop.cc"
  using namespace nsclone;

  constexpr uint32_t kSize = 64;
  struct Argument4 { Kind kind; int64_t value; };

  // The block is at the end of its memory: nothing behind it can be what makes two pieces the same.
  void Try(uint8_t count, const Argument4 (&given)[4], uint16_t skip_on = 0) {
    alignas(8) static uint8_t block[sizeof(Header) + 3 * sizeof(Instruction) + kSize];
    memset(block, 0, sizeof block);
    auto* header = reinterpret_cast<Header*>(block);
    header->size = sizeof block;
    header->instruction_count = 3;
    header->data_size = kSize;
    auto* lines = reinterpret_cast<Instruction*>(block + sizeof(Header));
    lines[0].op = Op::kCompare;
    lines[0].argument_count = count;
    for (int i = 0; i < 4; i++) {
      lines[0].kinds[i] = static_cast<uint8_t>(given[i].kind);
      lines[0].arguments[i] = given[i].value;
    }
    if (skip_on != 0) {
      lines[0].rule_count = 1;
      lines[0].rules[0] = {skip_on, 1};
    }
    for (int i = 1; i < 3; i++) {
      lines[i].op = Op::kExit;
      lines[i].argument_count = 1;
      lines[i].arguments[0] = 4 + i;
    }
    uint8_t* data = block + sizeof block - kSize;
    memcpy(data + 8, "sameXsameYdiff", 14);
    Program program = {};
    uint32_t culprit = 0;
    if (!Load(block, sizeof block, &program, &culprit)) {
      printf("refused %u\\n", culprit);
      return;
    }
    static Report report;
    memset(static_cast<void*>(&report), 0, sizeof report);
    const int code = Run(program, &report, nullptr);
    printf("state %u at %u, error %d, exit %d\\n", report.state, report.instruction, report.error, code);
  }

  int main() {
    const auto data = [](int64_t at) { return Argument4{Kind::kData, at}; };
    const auto number = [](int64_t value) { return Argument4{Kind::kNumber, value}; };
`;

type Case = readonly [call: string, answer: string];

const refused = 'refused 0';
const same = 'state 4 at 1, error 0, exit 5';
const differs = 'state 5 at 0, error 17, exit 127';

const four = (...values: string[]): string => `Try(4, {${values.join(', ')}});`;
const sized = (one: number, other: number, size: string, errno = '17'): string =>
  four(`data(${one})`, `data(${other})`, `number(${size})`, `number(${errno})`);

const cases: Record<string, readonly Case[]> = {
  'goes on where two pieces are the same': [
    [sized(8, 13, '4'), same],
    [sized(8, 8, '14'), same],
    [sized(0, 40, '8'), same],
  ],
  'fails with its errno where they differ, in the first byte or in the last': [
    [sized(8, 13, '5'), differs],
    [sized(8, 18, '4'), differs],
    [sized(8, 18, '1'), differs],
    [sized(8, 13, '5', '1'), 'state 5 at 0, error 1, exit 127'],
    [sized(8, 13, '5', '4095'), 'state 5 at 0, error 4095, exit 127'],
  ],
  'goes on where nothing is compared': [[sized(8, 18, '0'), same]],
  'compares up to the last byte of the data': [
    [sized(0, 0, '64'), same],
    [sized(32, 0, '32'), differs],
    [sized(63, 62, '1'), same],
  ],
  'is no program with a size beyond the data, on either side': [
    [sized(0, 0, '65'), refused],
    [sized(63, 0, '2'), refused],
    [sized(0, 63, '2'), refused],
    [sized(0, 0, '-1'), refused],
    [sized(0, 0, 'INT64_MAX'), refused],
    [sized(0, 0, 'INT64_MIN'), refused],
    [sized(8, 0, '-8'), refused],
  ],
  'is no program with a place beyond the data': [
    [sized(64, 0, '0'), refused],
    [sized(0, 64, '0'), refused],
    [sized(-1, 0, '1'), refused],
    [sized(0, -1, '1'), refused],
  ],
  'is no program with an errno that is none': [
    [sized(8, 13, '4', '0'), refused],
    [sized(8, 13, '4', '-1'), refused],
    [sized(8, 13, '4', '4096'), refused],
    [sized(8, 13, '4', 'INT64_MIN'), refused],
  ],
  'is no program with an argument of another kind, more or fewer of them': [
    [four('number(8)', 'data(13)', 'number(4)', 'number(17)'), refused],
    [four('data(8)', 'number(13)', 'number(4)', 'number(17)'), refused],
    [four('data(8)', 'data(13)', 'data(4)', 'number(17)'), refused],
    [four('data(8)', 'data(13)', 'number(4)', 'data(17)'), refused],
    [four('data(8)', 'data(13)', 'Argument4{Kind::kResult, 4}', 'number(17)'), refused],
    [four('data(8)', 'data(13)', 'Argument4{Kind::kWord, 4}', 'number(17)'), refused],
    [four('Argument4{Kind::kReport, 8}', 'data(13)', 'number(4)', 'number(17)'), refused],
    ['Try(3, {data(8), data(13), number(4), number(17)});', refused],
    ['Try(5, {data(8), data(13), number(4), number(17)});', refused],
  ],
  'takes rules as a call does': [
    ['Try(4, {data(8), data(13), number(5), number(17)}, 17);', 'state 4 at 2, error 0, exit 6'],
    ['Try(4, {data(8), data(13), number(5), number(17)}, kAnyErrno);', 'state 4 at 2, error 0, exit 6'],
    ['Try(4, {data(8), data(13), number(5), number(17)}, 2);', differs],
    ['Try(4, {data(8), data(13), number(4), number(17)}, 17);', same],
  ],
};

describe('a comparison', () => {
  const all = Object.values(cases).flat();
  let answers: string[] = [];
  beforeAll(() => {
    const source = `${harness}\n${all.map(([call]) => call).join('\n')}\n}\n`;
    answers = outputOf(source).trimEnd().split('\n');
    expect(answers).toHaveLength(all.length);
  });

  test.each(Object.entries(cases))('%s', (_, own) => {
    expect(own.map((one) => [one[0], answers[all.indexOf(one)]])).toEqual(own);
  });
});

describe('a comparison in a plan', () => {
  const made = plan('/bin/true', [], {
    flags: Flags.NEWNS,
    mounts: [{ type: 'symlink', target: '/link', to: 'some\twhere' }],
  });
  const rooted = plan('/bin/true', [], { flags: Flags.NEWNS, root: '/' });

  test('is listed with what has to be there', () => {
    const line = linesOf(made).find(({ call }) => call.includes(' unless '))!;
    expect(line).toMatchObject({ step: 'mounts', option: 'mounts[0]' });
    expect(line.call).toMatch(/^EEXIST unless the 11 bytes at &data\[\d+\] are "some\\twhere"$/);
  });
  test('is listed with the place of what is to be found out', () => {
    const line = linesOf(rooted).find(({ call }) => call.includes(' unless '))!;
    expect(line.call).toMatch(/^EBUSY unless the 8 bytes at &data\[\d+\] are those at &data\[\d+\]$/);
  });
  test('is an entry of its JSON', () => {
    const of = (one: typeof made): unknown => one.toJSON().calls.find(({ call }) => call === 'compare');
    expect(of(made)).toMatchObject({
      step: 'mounts',
      option: 'mounts[0]',
      arguments: [
        { place: expect.any(Number) },
        { text: expect.stringContaining('some') },
        11,
        { value: 17, name: 'EEXIST' },
      ],
    });
    expect(of(rooted)).toMatchObject({
      step: 'root switch',
      arguments: [{ place: expect.any(Number) }, { place: expect.any(Number) }, 8, { value: 16, name: 'EBUSY' }],
    });
    expect(JSON.parse(JSON.stringify(made))).toEqual(made.toJSON());
  });
});
