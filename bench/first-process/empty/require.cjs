// A Node process that requires an empty package, found by its `exports` like ours.
require('empty');
