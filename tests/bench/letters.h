/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letters: who writes to whom, and how that ought to end. A file has one a
 * line, fields apart by blanks:
 *
 *	address name resolve helo sender recipient at-sendmail at-Postfix
 *
 * `resolve` is OK, FORGED, FAIL or TEMP; the null sender is <>. The last two
 *say what ends the session: the milter command that gets the answer, the
 *answer, and the first digits of its text, as in "Ec" (continue at end of
 *message) or "My550".
 */
#ifndef BENCH_LETTERS_H
#define BENCH_LETTERS_H

#include <stddef.h>

struct letter {
	char *address;
	char *name;
	char *resolve;
	char *helo;
	char *sender;
	char *recipient;
	char *outcome[2]; /* by enum mta_manner */
};

struct letters {
	struct letter *list;
	size_t count;
};

/* Ends the process when the file is not such a file. */
struct letters letters_read(const char *path);

#endif
