/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens: how sendmail takes an address, or the text of an access entry,
 * apart before its rulesets look at it, and how it puts the parts together
 * again (Sendmail Installation and Operation Guide, 5.1 and option
 * OperatorChars, here its usual value ".:%@!^/[]+").
 *
 * Operators and "()<>,;" are tokens of one byte, a quoted string is a token
 * with its quotes, a run of anything else is an atom. Comments and blanks
 * vanish. Tokens borrow the bytes they were made from.
 */
#ifndef POLICY_TOKEN_H
#define POLICY_TOKEN_H

#include "base/arena.h"

struct tokens {
	slice *list;
	size_t count;
};

/* Never fails: unbalanced quotes, comments and angle brackets are mended as
 * sendmail mends them, and *ret_problem (may be NULL) then names the first
 * such fault as sendmail words it, e.g. "Unbalanced '<'"; else it is set to
 * NULL. */
struct tokens tokens_from(
    struct arena *arena, slice text, const char **ret_problem);

/* The tokens `from` up to, not including, `to`; shares the list. */
struct tokens tokens_part(struct tokens t, size_t from, size_t to);
/* A copy of `a` with the tokens of `b` behind it. */
struct tokens tokens_concat(
    struct arena *arena, struct tokens a, struct tokens b);

bool token_is(struct tokens t, size_t at, char operator_char);
bool token_is_word(struct tokens t, size_t at, slice word);
bool token_is_operator(slice token);
/* An operator that can redirect mail inside a local part: $=O, "@%!". */
bool token_is_routing(slice token);
bool tokens_have_routing(struct tokens t);
/* Index of the first (last) one-byte token `c` at or behind `from`, or
 * t.count. */
size_t tokens_index(struct tokens t, size_t from, char c);
size_t tokens_last_index(struct tokens t, char c);

/* The tokens as one string: addresses and keys. Nothing comes between them
 * but a dot between two atoms (sendmail's option BlankSub). */
slice tokens_join(struct arena *arena, struct tokens t);
slice tokens_join_with(
    struct arena *arena, struct tokens t, char between_atoms);
/* One blank between neighbouring atoms, quotes taken off: reply texts. */
slice tokens_join_text(struct arena *arena, struct tokens t);

/* A single quoted token without its quotes, tokenized again; the same tokens
 * when they are not one quoted string or it cannot be unquoted (blanks, odd
 * brackets), as sendmail's map "dequote" does. */
struct tokens tokens_dequote(struct arena *arena, struct tokens t);

/* Is the boundary before text[at] one between tokens? For matching classes
 * against ends of names: "b.c" is an end of "a.b.c", "c.com" is none of
 * "abc.com". */
bool text_is_boundary(slice text, size_t at);

#endif
