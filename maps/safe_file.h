/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who could have written a file? As with sendmail's safefile(), a file is
 * safe when only root and the user who runs this process can have changed it
 * or put it where it is.
 *
 * Refused: a file that belongs to somebody else, or that group or others may
 * write; a directory on the way to it, from the root down, that group or
 * others may write, also with the sticky bit (so nothing under /tmp is safe).
 * A symbolic link is followed when the directory it lies in is safe, and the
 * way to its target is held to the same rules. (For class files, sendmail
 * 8.17 asks only after the directories of the name as written.)
 */
#ifndef MAPS_SAFE_FILE_H
#define MAPS_SAFE_FILE_H

#include "base/error.h"

#include <sys/stat.h>

/* `file` is the fstat() of what was opened as `path`. The error names the
 * file or directory at fault. */
bool safe_file_check(
    const char *path, const struct stat *file, struct error *error);

#endif
