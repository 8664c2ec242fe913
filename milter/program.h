/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs that recipes run, and only those: as with smrsh(8), of the first
 * word the part behind the last '/' counts, and it must be a program in
 * program_directory. There is no shell: the words are handed over as they are.
 *
 * They run as milterd's own user, who is never root, with limits of time,
 * memory, files and output, and with those of the recipe's variables that stand
 * in a list: whoever may write a recipe is not to choose what the loader and
 * interpreters read (LD_PRELOAD, PERL5OPT). As many as PROGRAMS_MAX run at a
 * time; who finds no room in time is told so as if his had been too slow.
 *
 * Any thread; waits until the deadline at most.
 */
#ifndef MILTER_PROGRAM_H
#define MILTER_PROGRAM_H

#include "base/arena.h"
#include "base/deadline.h"

enum { PROGRAMS_MAX = 32 };

struct program {
	slice directory; /* program_directory; empty: there are none */
	const slice *words;
	size_t word_count;
	const slice *variables; /* "NAME=value" */
	size_t variable_count;
	slice input;
	size_t output_max;
	deadline_ms deadline;
};

enum program_end {
	PROGRAM_EXITED,
	PROGRAM_MISSING, /* not there, or not to be run: as procmail's, 127 */
	PROGRAM_KILLED,	 /* by a signal of its own making */
	PROGRAM_TOO_SLOW,
	PROGRAM_TOO_MUCH, /* output */
};

struct program_result {
	enum program_end end;
	int status;	   /* exit status; 127 when missing, 128 + signal */
	slice output;	   /* standard output, in the arena */
	slice errors;	   /* the beginning of standard error */
	bool has_read_all; /* of its input */
	slice problem;	   /* in words, for the log; empty: none */
};

void program_run(const struct program *program, struct arena *arena,
    struct program_result *ret);

/* NULL: programs of this directory can be run; else why not. */
const char *program_directory_problem(struct arena *arena, slice directory);

#endif
