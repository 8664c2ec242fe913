/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that belong to users: vacation messages and the like. Where a user's
 * file lies is said by a pattern with %u (login), %d (domain of the address),
 * %h (home directory) and %%; a login or domain that is no plain name never
 * becomes part of a path.
 *
 * Homes may lie on a file system that takes its time, and behind getpwnam(3)
 * may stand a directory service. So one thread of our own reads, one file
 * after the other, and nobody waits for it beyond his deadline; while it hangs
 * the answer comes at once. The texts of the last files are kept, and read
 * anew when device, inode, size or times have changed.
 *
 * Whose file is it? It must be a regular file and no symbolic link.
 * - It is the user's own when it belongs to his uid. Then nobody else may be
 *   able to write it, but for his own group, nor put another in its place.
 * - Under %h no other will do: he could make the name lead to what he may not
 *   read himself.
 * - Elsewhere a file of root's or of the daemon's own is held to the rules of
 *   maps (maps/safe_file.h).
 *
 * The thread and the texts are one mutable global behind a lock, started with
 * the first question. Any thread may ask.
 */
#ifndef MILTER_USER_FILE_H
#define MILTER_USER_FILE_H

#include "base/arena.h"
#include "base/deadline.h"

struct user_file_question {
	slice pattern; /* begins with "/" or "%h/" */
	slice user;    /* without detail; ASCII case does not count */
	slice domain;
	size_t bytes_max; /* a larger file is refused */
	bool allow_unsafe; /* do not ask whose file it is */
};

enum user_file_result {
	USER_FILE_FOUND,
	USER_FILE_NONE,	    /* no such file, or no such user */
	USER_FILE_REFUSED,  /* it is there, but `why` */
	USER_FILE_TEMPFAIL, /* not to be had in time, or an error: `why` */
};

/* All in the arena. */
struct user_file_answer {
	enum user_file_result result;
	slice path; /* empty: none could be made */
	slice text;
	slice why; /* one line, for the log */
};

struct user_file_answer user_file_read(struct arena *arena,
    const struct user_file_question *question, deadline_ms deadline);
/* NULL when it will do, else what is wrong with it. */
const char *user_file_check_pattern(slice pattern);
/* Forgets the texts that are kept. */
void user_file_forget(void);

#endif
