// A Node process that requires the package and clones /bin/true: whatever is put off until the first call is in it.
const { clone } = require('nsclone');

void clone('/bin/true', [], { stdio: 'ignore' });
