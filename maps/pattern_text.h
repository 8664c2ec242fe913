/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of patterns as Postfix has them, pcre_table(5):
 *
 *	/pattern/flags value
 *	!/pattern/flags value
 *	if /pattern/flags
 *	if !/pattern/flags
 *	endif
 *
 * Measured on Postfix 3.7. A line that begins with a blank goes on with the
 * line before it, blanks included; comments (the first byte that is no blank is
 * '#') and empty lines are no lines at all, also between the two. Blanks at
 * the end vanish. Blanks are those of the C locale. A letter or digit is no
 * delimiter; before the delimiter any number of '!' turn the sense round. A
 * backslash takes the byte behind it out of the search for the second
 * delimiter, and both stay in the pattern. The words are known in any case.
 *
 * Where Postfix warns and goes on without the rule the file is unusable here:
 * a rule less can make a REJECT or a whole block silently something else. What
 * Postfix merely ignores (words behind "if /pattern/" and "endif", the flag X)
 * comes with a problem to warn of.
 */
#ifndef MAPS_PATTERN_TEXT_H
#define MAPS_PATTERN_TEXT_H

#include "base/arena.h"
#include "maps/text.h"

enum pattern_kind { PATTERN_VALUE, PATTERN_IF, PATTERN_ENDIF };

struct pattern_rule {
	enum pattern_kind kind;
	bool is_negated;
	slice pattern;
	unsigned flags; /* of enum regex_flag (maps/regex.h) */
	slice value;	/* as written; never empty with PATTERN_VALUE */
	unsigned line;	/* where it begins */
};

/* Pull parser; as struct text_reader. Lines that are continued are copied into
 * the arena. TEXT_ENTRY, with or without a problem, TEXT_BAD or TEXT_END;
 * blocks are known to be closed when TEXT_END comes. */
struct pattern_reader {
	struct arena *arena;
	slice rest;
	unsigned line;	     /* where what was returned last begins */
	unsigned lines;	     /* taken so far */
	const char *problem; /* NULL when there is none */
	unsigned depth;	     /* of "if" */
	unsigned if_line;    /* of the outermost open "if" */
};

void pattern_reader_init(
    struct pattern_reader *reader, struct arena *arena, slice content);
enum text_next pattern_reader_next(
    struct pattern_reader *reader, struct pattern_rule *ret_rule);

/* One part of a value: text, or a group of the match. */
struct pattern_piece {
	slice text;
	unsigned group; /* 0: it is text */
};

/* Takes the next piece off a value: "$1", "${1}", "$(1)", "$$", or text. False
 * at the end and where the value is broken: *problem, set to NULL before the
 * first piece, then says how. */
bool pattern_value_next(
    slice *rest, struct pattern_piece *ret_piece, const char **problem);
#define PATTERN_GROUP_MAX 99

#endif
