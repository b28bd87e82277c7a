// Writes the images of a few real plans to test/fuzz/corpus, where the fuzzer starts: node test/fuzz/make-corpus.mjs
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const { plan, Flags } = require(join(here, '../..'));
/** Not exported; every plan has one. */
const Writer = plan('/bin/true').writer.constructor;

const headerSize = 56;
const instructionSize = 104;

/** The bytes that the stub gets: header, instructions, data, relocations, kept descriptors. */
function image(writer) {
  const { words, count, data, dataSize, relocations, relocationCount, kept, keptCount } = writer;
  const parts = [
    Buffer.alloc(headerSize),
    Buffer.from(words.buffer, words.byteOffset, count * instructionSize),
    data.subarray(0, dataSize),
    Buffer.from(relocations.buffer, relocations.byteOffset, relocationCount * 4),
    Buffer.from(kept.buffer, kept.byteOffset, keptCount * 4),
  ];
  const all = Buffer.concat(parts);
  [all.length, count, dataSize, relocationCount, keptCount, 5, 3, 6].forEach((value, index) =>
    all.writeInt32LE(value, index * 4),
  );
  return all;
}

/** Every operation, kind and policy once. */
function everything() {
  const writer = new Writer().reset();
  const word = writer.reserve(16);
  writer
    .call('openat')
    .number(-100)
    .place(writer.addText('/'))
    .bigint(1n << 40n)
    .keep();
  const slot = writer.call('socket').word(word).report(64).skip('ENOENT', 2).accept('EEXIST').minimum(1).retry().keep();
  writer.call('read').result(slot).place(word).number(1).awaits();
  writer.store(slot, word, 4);
  writer.store(slot, word + 8, 8);
  writer.wait();
  writer.call('clone').number(0).result(slot).acceptAny().fork();
  writer.tell(slot);
  writer.tellAs(writer.addBytes(new Uint8Array(4 * writer.count + 4)), writer.count + 1);
  writer.fail('EPERM');
  writer.exit(3);
  writer.point(writer.reservePointers(1), word);
  writer.keepOpen(1);
  writer.finish();
  return writer;
}

const env = { PATH: '/bin:/usr/bin', LANG: 'C' };
const stdio = ['ignore', 'pipe', 'inherit'];
const namespaces = {
  flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWIPC | Flags.NEWCGROUP,
  uidMap: 'root',
  gidMap: 'root',
  hostname: 'box',
  mounts: [{ type: 'proc', target: '/proc' }],
  loopback: true,
};

const images = {
  plain: plan('/bin/true', [], { env: {}, stdio: 'ignore' }).writer,
  path: plan('echo', ['one', 'two'], { env, stdio }).writer,
  namespaces: plan('/bin/sh', ['-c', 'id'], { env, stdio, ...namespaces }).writer,
  everything: everything(),
};
for (const [name, writer] of Object.entries(images)) writeFileSync(join(here, 'corpus', name), image(writer));
