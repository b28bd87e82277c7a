// A Node process that requires the package and does nothing with it.
require('nsclone');
