/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a program: no shell, a process group of its own, all descriptors but
 * the three standard ones closed, the given environment and no other, default
 * signals, and limits. The caller's thread waits, never longer than the
 * deadline: then the whole group is killed. So is whatever the program leaves
 * running in its group when it ends, unless it may.
 *
 * Any thread; the milter's callbacks tell the watch (milter/watch.h).
 */
#ifndef MILTER_CHILD_H
#define MILTER_CHILD_H

#include "base/arena.h"
#include "base/deadline.h"

struct child {
	const char *path;
	char *const *argv;
	char *const *environment;
	const char *directory; /* to work in; NULL: / */
	/* Standard input: a descriptor to read from, or else this text. What
	 * the program does not read of it is no failure. */
	int input_fd; /* -1: the text */
	slice input;
	/* Standard output and, together or apart, standard error: kept up to
	 * these numbers of bytes. More than `output_max` ends the program;
	 * more than `errors_max` is read and forgotten. */
	bool keeps_output;
	size_t output_max;
	size_t errors_max;
	bool may_leave_others;
	bool is_limited; /* CHILD_LIMITS: what recipes run */
	deadline_ms deadline;
};

enum child_end {
	CHILD_EXITED,	   /* `status` is its exit status */
	CHILD_SIGNALLED,   /* `status` is the signal's number */
	CHILD_TIMEOUT,	   /* killed at the deadline */
	CHILD_FLOODED,	   /* killed for too much output */
	CHILD_NOT_STARTED, /* `status` is the errno */
};

struct child_result {
	enum child_end end;
	int status;
	slice output; /* in the arena */
	slice errors;
	bool has_read_all; /* of the input */
};

void child_run(
    const struct child *child, struct arena *arena, struct child_result *ret);

#endif
