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
  const closing = (lowest: number): string[] => [
    `closeFds: dup3(channel, ${lowest}, O_CLOEXEC)  # EINVAL: go on`,
    `closeFds: channel = ${lowest}`,
    `closeFds: close_range(${lowest + 1}, ~0, 0)`,
  ];
  test('an end of all that is above stdio, but for the channel', () => {
    expect(emitted('closeFds', {})).toEqual(closing(3));
    expect(emitted('closeFds', { closeFds: true })).toEqual(closing(3));
  });
  test('from above the last entry of stdio on', () => {
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'ignore', 'pipe'] as const;
    expect(emitted('closeFds', { stdio })).toEqual(closing(6));
  });
  test('with false, an end of what is ours, one by one', () => {
    expect(emitted('closeFds', { closeFds: false, stdio: ['ignore', 'pipe', 9] })).toEqual([
      'closeFds: close(r1)',
      expect.stringMatching(/^closeFds: fcntl\(source\[1\], F_GETFD, 0\) {2}# at least 1; EIO, EBADF: go to \d+$/),
      'closeFds: close(source[1])',
      expect.stringMatching(/^closeFds: fcntl\(9, F_GETFD, 0\)/),
      'closeFds: close(9)',
    ]);
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
