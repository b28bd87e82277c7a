// A Node process that spawns /bin/true.
const { spawn } = require('node:child_process');

spawn('/bin/true', [], { stdio: 'ignore' });
