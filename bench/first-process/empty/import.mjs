// A Node process that imports an empty package, found by its `exports` like ours.
import 'empty';
