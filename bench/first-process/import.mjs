// A Node process that imports the package and does nothing with it.
import 'nsclone';
