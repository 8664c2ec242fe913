/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A regular expression of procmail's as a tree. What is odd about the
 * language is decided here: the tree is an ordinary one, over sets of bytes,
 * and says nothing of case.
 *
 * Lives in the arena it was read into, immutable after that.
 */
#ifndef POLICY_RECIPE_PATTERN_H
#define POLICY_RECIPE_PATTERN_H

#include "base/arena.h"
#include "base/error.h"

#include <stdint.h>

struct byte_set {
	uint64_t bits[4];
};

static inline bool
byte_set_has(const struct byte_set *set, unsigned char byte)
{
	return (set->bits[byte / 64] >> (byte % 64) & 1) != 0;
}

enum pattern_kind {
	PATTERN_EMPTY,
	PATTERN_BYTE,	  /* `byte`; a letter in lower case where both match */
	PATTERN_SET,	  /* one byte of `set` */
	PATTERN_BEGIN,	  /* ^^: the newline in front of the text */
	PATTERN_END,	  /* ^^ as the last thing: the end of the text */
	PATTERN_SPLIT,	  /* \/ */
	PATTERN_SEQUENCE, /* the parts, one behind the other */
	PATTERN_CHOICE,	  /* one of the parts */
	PATTERN_REPEAT,	  /* the one part, `repeat` times: '*', '+' or '?' */
};

struct pattern_node {
	enum pattern_kind kind;
	unsigned char byte;
	char repeat;
	const struct byte_set *set;
	struct pattern_node *parts; /* the first one */
	struct pattern_node *next;  /* sibling */
};

struct pattern {
	struct pattern_node *root;
	bool ignore_case;
	bool is_unbalanced;
	bool has_split;
};

/* `text` behind recipe_pattern_expand(). Fails when it nests too deep. */
bool recipe_pattern_read(struct arena *arena, slice text, bool ignore_case,
    struct pattern *ret_pattern, struct error *error);

/* ^TO_, ^TO, ^FROM_DAEMON and ^FROM_MAILER exchanged for what procmailrc(5)
 * says they stand for. *ret_ignore_case is set to true, never to false, when
 * one of those was found that switch flag D off. Fails when the result is too
 * long. */
bool recipe_pattern_expand(struct arena *arena, slice text, slice *ret_text,
    bool *ret_ignore_case, struct error *error);

#endif
