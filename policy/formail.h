/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * formail(1) without a program: its options that change or extract header
 * fields, on a message as text. Case, order, folds, partial names and what
 * happens to several fields of a name are as in the real one; the options say
 * what is different.
 *
 * Pure: everything allocated is in the arena given, in proportion to the
 * message; the message is not changed.
 */
#ifndef POLICY_FORMAIL_H
#define POLICY_FORMAIL_H

#include "base/arena.h"
#include "base/error.h"

struct formail;

#define FORMAIL_FIELDS_MAX 100 /* options with a field */

enum formail_parsed {
	FORMAIL_READY,
	FORMAIL_USAGE,	 /* the real one ends with EX_USAGE, too */
	FORMAIL_UNKNOWN, /* it takes the real one to do this */
};

/*
 * `words` behind "formail". Understood: -a -A -i -I -R -x -X with a field each,
 * -c, -f, -k and -z; -b, -q and -Y change nothing here. No "From " line is ever
 * made (-f), and none in the body gets a ">" (-b): that is for mailboxes. Not
 * understood: -r, -s and all else. The words are borrowed.
 */
__attribute__((warn_unused_result)) enum formail_parsed formail_parse(
    struct arena *arena, const slice *words, size_t count,
    struct formail **ret_formail, struct error *error);

struct formail_message {
	slice header; /* with its empty line */
	slice body;
	/* For "-a Message-ID:", angle brackets included. Where it is empty no
	 * such field is made. */
	slice message_id;
};

/* What the program would write: `header` with an empty line at its end, and
 * `body`. With -x or -X and no -k `header` is what was extracted, without an
 * empty line, and `body` is empty. */
struct formail_message formail_run(const struct formail *formail,
    struct arena *arena, const struct formail_message *message);

#endif
