/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A user's vacation message: header fields of his own, settings, and text.
 *
 * The fields are those lines at its top that look like some; they end at the
 * first line that does not, an empty one as a rule. Fields that begin with
 * "Vacation-" are settings and not sent:
 *
 *	Vacation-Interval: 3d            s, m, h, d (days where there is none),
 *	                                 w, or "once"
 *	Vacation-Aliases: a@b, c@d       more addresses of the user
 *	Vacation-Exclude: x@y, @z, @.z   senders not to answer
 *	Vacation-Start: 2026-12-20       local time, with or without 08:00
 *	Vacation-End: 2027-01-06         the whole day unless a time is given
 *
 * What is wrong with them, or is no such setting, is an error: somebody away
 * cannot mend what he did not mean.
 */
#ifndef POLICY_VACATION_TEMPLATE_H
#define POLICY_VACATION_TEMPLATE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdint.h>

/* Bytes; longer ones are refused. */
enum { VACATION_TEMPLATE_MAX = 64 * 1024 };

struct vacation_field {
	slice name;
	slice value; /* one line, in UTF-8 */
};

/* Immutable once parsed: may be shared. */
struct vacation_template {
	struct vacation_field *fields; /* to be sent */
	size_t field_count;
	bool has_own_mime; /* some field begins with "Content-" */
	slice body; /* lines end in "\n"; in UTF-8, or what its MIME says */
	bool has_interval;
	unsigned long interval_s;
	slice *aliases;
	size_t alias_count;
	slice *excluded;
	size_t excluded_count;
	bool has_start;
	bool has_end;
	int64_t start; /* seconds of local time since 1970 */
	int64_t end;   /* the first second after it */
	uint64_t digest; /* of fields and body */
};

/* Everything is copied into the arena. The error has the line, no file. */
bool vacation_template_parse(struct arena *arena, slice text,
    struct vacation_template *ret_template, struct error *error);

#endif
