// A child takes along `process.env` as it is at the call, whatever object that is, and nothing beside it.
import { spawnSync } from 'node:child_process';

import { evaluate, root } from '../support/own-process';
import { slow } from '../support/slow';

/** What a script prints in a Node that has a secret in its environment. */
function node(source: string): unknown {
  const script = `const root = ${JSON.stringify(root)};
    const variables = async (start) => {
      const child = await start;
      let text = '';
      for await (const part of child.stdout) text += part;
      return text.split('\\n').filter(Boolean).sort();
    };
    const stdio = ['ignore', 'pipe', 'inherit'];
    const env = (options) => variables(require(root).clone('/usr/bin/env', [], { stdio, ...options }));
    (async () => { ${source} })().then((value) => console.log(JSON.stringify(value)));`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], SECRET: 'secret' },
    timeout: slow(25_000),
  });
  if (status !== 0) throw new Error(`Node ended with ${status ?? signal}: ${stderr}`);
  return JSON.parse(stdout);
}

describe('another object in the place of `process.env`', () => {
  test('put there before the import: it alone is the environment', () => {
    const source = `process.env = { PUBLIC: 'yes', PATH: '/bin' };
      const first = await env();
      process.env.LATER = 'too';
      return [first, await env(), await variables(require(root).clone('env', [], { stdio }))];`;
    const later = ['LATER=too', 'PATH=/bin', 'PUBLIC=yes'];
    expect(node(source)).toEqual([['PATH=/bin', 'PUBLIC=yes'], later, later]);
  });

  test('put there after the import, and taken away again', () => {
    const source = `require(root);
      const original = process.env;
      process.env = { PUBLIC: 'yes' };
      const replaced = await env();
      process.env = original;
      const whole = await env();
      delete process.env.SECRET;
      return [replaced, whole.includes('SECRET=secret'), (await env()).filter((line) => line.startsWith('SECRET'))];`;
    expect(node(source)).toEqual([['PUBLIC=yes'], true, []]);
  });

  test('put there between two starts of a plan, and of run()', () => {
    const source = `process.env = { PUBLIC: 'yes' };
      const { clone, plan, run } = require(root);
      const made = plan('/usr/bin/env', [], { stdio });
      const started = await variables(clone(made));
      const { stdout } = await run('/usr/bin/env');
      return [started, stdout];`;
    expect(node(source)).toEqual([['PUBLIC=yes'], 'PUBLIC=yes\n']);
  });

  test('where PATH leads nowhere, nothing is found', () => {
    const source = `process.env = { PATH: '/no/such' };
      return require(root).clone('env', [], { stdio }).then(() => 'found', ({ code }) => code);`;
    expect(node(source)).toBe('ENOENT');
  });

  test('an option `env` goes before it', () => {
    expect(node(`process.env = { PUBLIC: 'yes' }; return env({ env: { GIVEN: 'only' } });`)).toEqual(['GIVEN=only']);
  });
});

test('a Worker that shares our environment changes it while children start: nothing breaks', () => {
  const [codes, torn] = evaluate<[Record<string, number>, string[]]>(`
    const { clone } = nsclone;
    const { Worker, SHARE_ENV } = require('node:worker_threads');
    const change = \`
      const names = Array.from({ length: 200 }, (_, index) => 'CHANGING_' + index);
      for (let round = 0; ; round++)
        for (const name of names)
          if ((round + name.length) % 3 === 0) delete process.env[name];
          else process.env[name] = 'x'.repeat((round * 37) % 500);\`;
    const workers = [1, 2].map(() => new Worker(change, { eval: true, env: SHARE_ENV }));
    const codes = {};
    const torn = [];
    // On a slow machine fewer.
    for (let i = 0, end = performance.now() + 4000; i < 150 && performance.now() < end; i++) {
      const child = await clone('/usr/bin/env', [], { stdio: ['ignore', 'pipe', 'inherit'] }).catch((error) => error);
      if (child instanceof Error) { codes[child.code] = (codes[child.code] ?? 0) + 1; continue; }
      let text = '';
      for await (const part of child.stdout) text += part;
      torn.push(...text.split('\\n').filter((line) => line.startsWith('CHANGING_') && !/^CHANGING_\\d+=x*$/.test(line)));
      const { code } = await child.exited;
      codes[code] = (codes[code] ?? 0) + 1;
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
    return [codes, torn];`);
  expect(Object.keys(codes)).toEqual(['0']);
  expect(torn).toEqual([]);
});
