// A user of the package whose Node has `using` and `await using`.
import assert from 'node:assert/strict';

import { clone, Namespace } from 'nsclone';

let sleeper;
let held;
{
  await using child = await clone('sleep', ['infinity'], { stdio: 'ignore' });
  using namespace = Namespace.current('net');
  sleeper = child;
  held = namespace;
  assert.equal(sleeper.signalCode, null);
  assert.ok(namespace.fd >= 0);
}
assert.equal(sleeper.signalCode, 'SIGTERM');
assert.equal(held.fd, -1);
console.log('good');
