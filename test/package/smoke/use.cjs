// A CommonJS user of the package.
const { smoke } = require('./smoke.cjs');

void smoke(require('nsclone'));
