// Step `closeFds`: nothing but stdio reaches the program.
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';

leavesNothing();

// Node makes what it finds at 0 to 15 close-on-exec when it starts.
const withDescriptors = ['bash', '-c', 'exec 20</etc/passwd 21</dev/null; exec "$@"', 'bash'];
/** What a child of Node's own has, which closes nothing: whoever runs the tests may leave descriptors open too. */
const spawned = `return require('node:child_process').execFileSync('ls', ['/proc/self/fd'], { encoding: 'utf8' })
   .trim().split('\\n').map(Number).sort((a, b) => a - b);`;
const list = (options: string): string =>
  `const child = await nsclone.clone('ls', ['/proc/self/fd'], { stdio: ['ignore', 'pipe', 'inherit'], ${options} });
   let text = '';
   for await (const chunk of child.stdout) text += chunk;
   return text.trim().split('\\n').map(Number).sort((a, b) => a - b);`;

describe('closeFds rejects', () => {
  test.each([1, 'true', null, {}])('%p', (value) => {
    expect(planning({ closeFds: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'closeFds'));
  });
});

describe('closeFds emits', () => {
  test('close-on-exec from 3 on', () => {
    expect(emitted('closeFds', {})).toEqual([expect.stringMatching(/^closeFds: close_range\(3, ~0, /)]);
    expect(emitted('closeFds', { closeFds: true })).toEqual(emitted('closeFds', {}));
  });
  test('from above the last entry of stdio on', () => {
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'ignore', 'pipe'] as const;
    expect(emitted('closeFds', { stdio })).toEqual([expect.stringMatching(/^closeFds: close_range\(6, ~0, /)]);
  });
  test('nothing where it is false', () => {
    expect(emitted('closeFds', { closeFds: false })).toEqual([]);
  });
});

describe('closeFds, seen from inside', () => {
  test('nothing but stdio', async () => {
    expect((await inside('ls /proc/self/fd')).split('\n')).toEqual(['0', '1', '2', '3']);
  });
  test('not even what we inherited ourselves', () => {
    expect(evaluate(list(''), withDescriptors)).toEqual([0, 1, 2, 3]);
  });
  test('with false, what is not close-on-exec', () => {
    expect(evaluate(list('closeFds: false'), withDescriptors)).toEqual(evaluate(spawned, withDescriptors));
    expect(evaluate(spawned, withDescriptors)).toEqual(expect.arrayContaining([0, 1, 2, 20, 21]));
  });
  test('with false, nothing of Node and of ours', () => {
    expect(evaluate(list('closeFds: false'))).toEqual(evaluate(spawned));
  });
});

describe('closeFds, when the kernel refuses', () => {
  test('names the call', async () => {
    expect(fieldsOf(await failAt({}, calls('close_range'), 'ENOSYS'))).toEqual({
      code: 'ENOSYS',
      errno: -38,
      step: 'closeFds',
      option: 'closeFds',
      syscall: 'close_range',
      message: 'ENOSYS: function not implemented, close_range (closeFds)',
    });
  });
});
