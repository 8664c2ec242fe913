/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ":include:" files of the aliases, read when a recipient needs them.
 *
 * The rule of safety is that of maps (maps/safe_file.h) and is applied at each
 * use. The texts of the last few files are kept, and read anew when device,
 * inode, size or times have changed. A file of more than 1 MB, one with a NUL
 * byte and a path that does not begin with '/' cannot be read.
 *
 * The files kept are one mutable global behind a lock; any thread may ask.
 * Nothing bounds how long a file system takes to answer.
 */
#ifndef MILTER_INCLUDE_FILE_H
#define MILTER_INCLUDE_FILE_H

#include "policy/ports.h"

#define INCLUDE_FILE_MAX (1024L * 1024)

/* ports->read_include. The context is not looked at. Why a file cannot be read
 * goes to the log. For a file that is not there the fleet's text stands in. */
enum world_answer include_file_read(void *context, struct arena *arena,
    slice path, const struct policy *policy, slice *ret_text);
/* Forgets what is kept. */
void include_file_forget(void);

#endif
