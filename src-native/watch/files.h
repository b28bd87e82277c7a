// Files and folders by their descriptors.
#ifndef NSCLONE_WATCH_FILES_H_
#define NSCLONE_WATCH_FILES_H_

#include <dirent.h>
#include <sys/types.h>

#include <string>
#include <utility>

namespace nsclone {

using Identity = std::pair<dev_t, ino_t>;

Identity IdentityOf(int descriptor);

// Fits kilobytes of numbers; from the beginning of the file. 0, or an errno.
int ReadAll(int descriptor, std::string* text);

// To be read from its beginning; nullptr with errno where it cannot be.
DIR* OpenFolder(int folder);

}  // namespace nsclone

#endif  // NSCLONE_WATCH_FILES_H_
