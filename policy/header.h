/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses inside a header field, as spans of its value, so that an edit
 * can exchange an address and leave every other byte: display names, comments,
 * groups, folding, encoded words, order and blanks (RFC 5322, 3.4 and 4.4).
 *
 * A pull parser; it allocates nothing. What it cannot make sense of ends it
 * with HEADER_BROKEN, and then nothing of that field may be changed.
 */
#ifndef POLICY_HEADER_H
#define POLICY_HEADER_H

#include "base/slice.h"

enum header_next { HEADER_ADDRESS, HEADER_END, HEADER_BROKEN };

struct header_parser {
	slice value;
	size_t at;
	bool in_group;
	const char *problem; /* set with HEADER_BROKEN */
};

/* `value` as the MTA gives it, line breaks included. */
void header_parser_init(struct header_parser *parser, slice value);
/* With HEADER_ADDRESS *ret_span borrows the bytes of the next addr-spec from
 * the value, without its angle brackets and the blanks and comments around
 * it. "<>" and empty places in a list are passed over. */
enum header_next header_next(struct header_parser *parser, slice *ret_span);

/* What kind of addresses a field holds, by its name, as sendmail's table of
 * header fields has it (conf.c: H_FROM and H_RCPT). */
enum header_kind { HEADER_OTHER, HEADER_SENDER, HEADER_RECIPIENT };
enum header_kind header_kind(slice name);

#endif
