# Not in the package: npm builds whatever has a file of this name as soon as there is a lock file. `npm run build:native` makes it there.
{ 'includes': ['src-native/nsclone.gypi'] }
