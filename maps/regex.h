/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regular expressions: the one door to PCRE2. A compiled expression is
 * immutable; any number of threads may match with it at once. What a match
 * needs beside it lives on the caller's stack and in memory that is given back
 * before the function returns, so threads may come and go.
 *
 * Patterns and subjects are bytes, not UTF-8, unless REGEX_UTF says so. The
 * JIT compiler is used where the system lets it: under systemd's
 * MemoryDenyWriteExecute= it does not, and the interpreter does the work.
 *
 * No pattern may stall its caller: a match that takes more than the limits
 * below ends as REGEX_LIMIT, which must never be taken for REGEX_NO_MATCH.
 */
#ifndef MAPS_REGEX_H
#define MAPS_REGEX_H

#include "base/slice.h"

#define REGEX_PATTERN_MAX (64 * 1024) /* bytes of source */
#define REGEX_MATCH_LIMIT 100000      /* steps, as PCRE2 counts them */
#define REGEX_DEPTH_LIMIT 50000
#define REGEX_HEAP_LIMIT_KB 8192
#define REGEX_JIT_STACK_MAX (512 * 1024)

enum regex_flag {
	REGEX_CASELESS = 1 << 0,  /* ASCII, or all letters with REGEX_UTF */
	REGEX_MULTILINE = 1 << 1, /* ^ and $ at each line */
	REGEX_DOTALL = 1 << 2,	  /* the dot is a newline too */
	REGEX_EXTENDED = 1 << 3,  /* blanks and comments in the pattern */
	REGEX_ANCHORED = 1 << 4,  /* only at the offset */
	REGEX_UNGREEDY = 1 << 5,
	REGEX_DOLLAR_END = 1 << 6, /* $ not before a last newline */
	REGEX_UTF = 1 << 7,	   /* bytes that are no UTF-8 match nothing */
	REGEX_NO_GROUPS = 1 << 8,  /* ( ) does not capture */
};

enum regex_result { REGEX_MATCH, REGEX_NO_MATCH, REGEX_LIMIT };

struct regex;

struct regex_error {
	char text[256];
	size_t offset; /* into the pattern */
};

/* `flags` of enum regex_flag. NULL: `ret_error` says why. */
struct regex *regex_compile(
    slice pattern, unsigned flags, struct regex_error *ret_error);
void regex_free(struct regex *regex);
/* Highest number of a capturing group, 0: none. */
size_t regex_groups(const struct regex *regex);
/* Memory it takes, with its machine code. */
size_t regex_bytes(const struct regex *regex);
bool regex_has_jit(const struct regex *regex);

/* At match time, or-ed together. */
enum regex_option {
	REGEX_HERE = 1 << 0,	  /* only at `from`; without JIT */
	REGEX_NOT_BOL = 1 << 1,	  /* the subject's start is no line's start */
	REGEX_NOT_EOL = 1 << 2,	  /* its end is no line's end */
	REGEX_NOT_EMPTY = 1 << 3, /* an empty string is no match */
};

struct regex_subject {
	slice text;
	size_t from; /* the match begins here or later; what is before it is
		      * seen by ^, \b and lookbehind */
	unsigned options;
	/* NULL, or what this match may cost, and what is left of that: where
	 * the pattern has "(?C)", the bytes passed since the last such place,
	 * forwards or backwards, are paid for. So a pattern that has one behind
	 * everything it can come back to is bounded closely, whatever the
	 * text. */
	unsigned long *steps;
};

/* What matches of patterns with so many groups need beside the patterns, for
 * many of them one after the other; of one thread at a time. NULL: there is no
 * memory, and each match gets its own. */
struct regex_room;

struct regex_room *regex_room_new(size_t groups);
void regex_room_free(struct regex_room *room);

struct regex_match {
	slice *groups;	   /* the caller's room; may be NULL */
	size_t room;	   /* of groups; [0] is the whole match */
	const char *limit; /* with REGEX_LIMIT: which one */
	struct regex_room *memory; /* NULL: of this match alone */
};

/* With REGEX_MATCH all of groups[] is set: slices of the subject's text, with
 * a NULL pointer where a group took no part or does not exist. */
__attribute__((warn_unused_result)) enum regex_result regex_match(
    const struct regex *regex, const struct regex_subject *subject,
    struct regex_match *ret_match);

#endif
