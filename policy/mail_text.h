/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message as text: a header of fields and a body. Lines end in LF or CRLF,
 * bytes are bytes, NUL is one of them, lines have any length. Nothing here
 * copies but what says so, and everything takes time in proportion to the
 * text.
 */
#ifndef POLICY_MAIL_TEXT_H
#define POLICY_MAIL_TEXT_H

#include "base/strbuf.h"

struct mail_text {
	slice header; /* with the empty line that ends it, if there is one */
	slice body;
};

/* Empty lines before the header belong to it, as procmail has it. */
struct mail_text mail_text_split(slice message);

/* One field, or one line of a header that is none: its name is empty. */
struct mail_field {
	slice name;  /* without the blanks that may stand before the colon */
	slice value; /* behind the colon, blanks, folds and all, without the
		      * line end at its end */
	slice whole; /* all of its lines, line ends included */
};

struct mail_fields {
	slice rest;
};

void mail_fields_init(struct mail_fields *fields, slice header);
/* From top to bottom, up to the empty line; false at the end. A "From " line
 * at the top comes with an empty name. */
bool mail_fields_next(struct mail_fields *fields, struct mail_field *ret_field);
/* The first of that name, in any case; false when there is none. */
bool mail_field_find(slice header, slice name, struct mail_field *ret_field);

/* The value on one line: line ends before the blanks of a fold vanish, and so
 * do blanks at both ends. A copy only where something vanishes within. */
slice mail_value_unfold(struct arena *arena, slice value);

/* The header as procmail matches it: every line end before a blank has become
 * a blank, so that the length stays. Copies only where there is a fold. */
slice mail_header_join(struct arena *arena, slice header);

/* "Name:value\n". `adds_blank` where the MTA keeps the blank behind the colon
 * to itself: then one is put there. CRs at line ends vanish, and a line of the
 * value that does not begin with a blank, which would be a field of its own,
 * is given one. */
void mail_header_add(
    struct strbuf *header, slice name, slice value, bool adds_blank);

#endif
