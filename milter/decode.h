/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mail as it reads, for recipes that ask for HEADER_DECODED and BODY_DECODED:
 * encoded words (RFC 2047) of the header, and the text parts of the body
 * without their transfer encoding, all in UTF-8. The one door to GMime.
 *
 * What cannot be decoded is as it was, and bytes that are not of their charset
 * are replaced; nothing is an error. What is looked at is bounded (below): what
 * lies behind a bound is not there.
 *
 * Any thread.
 */
#ifndef MILTER_DECODE_H
#define MILTER_DECODE_H

#include "base/arena.h"

/* 0 stands for the default of each. */
struct decode_limits {
	size_t input;	     /* bytes of the body, 16 MB */
	size_t output;	     /* bytes of text, 8 MB */
	unsigned boundaries; /* the word "boundary" so often: with it ends how
				deeply parts can be nested, 32 */
	unsigned dashes;     /* lines that begin as the end of a part does,
				with "--", 5000 */
	unsigned parts;	     /* with text, 200 */
};

/* A longer field is left as it is. */
#define DECODE_FIELD_MAX (64 * 1024)

/* Fields are unfolded first: a newline becomes a blank, and the indentation
 * stays. A line's end or NUL that was encoded is a blank: it makes no field.
 * The header's own end stays. */
slice decode_header(struct arena *arena, slice header);
/* The text parts, one behind the other, each ended by a newline, with lines
 * that end in LF alone. `header` is the message's and ends with its empty
 * line. `limits` may be NULL. */
slice decode_body(struct arena *arena, slice header, slice body,
    const struct decode_limits *limits);
/* Both as struct recipe_ports wants it. */
slice decode_area(void *context, struct arena *arena, slice header, slice body,
    bool wants_body);

#endif
