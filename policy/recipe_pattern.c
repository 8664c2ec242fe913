/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader recurses once per group, to a bounded depth. It never fails for
 * what it reads: every text means something to procmail, and so it does here.
 */
#include "policy/recipe_pattern.h"

#include "policy/recipe_regex.h"

#include <string.h>

struct reader {
	struct arena *arena;
	slice text;
	size_t at;
	unsigned depth;
	struct pattern *pattern;
	struct error *error;
};

static const unsigned char newline = '\n';

static bool
is_at_end(const struct reader *r)
{
	return r->at >= r->text.len;
}

/* The byte at the place, NUL at the end. */
static unsigned char
here(const struct reader *r)
{
	return is_at_end(r) ? 0 : (unsigned char)r->text.ptr[r->at];
}

static bool
is_letter(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void
set_put(struct byte_set *set, unsigned char byte, bool is_in)
{
	uint64_t bit = (uint64_t)1 << (byte % 64);

	if (is_in)
		set->bits[byte / 64] |= bit;
	else
		set->bits[byte / 64] &= ~bit;
}

/* Both cases, where case does not matter. */
static void
set_put_folded(
    const struct reader *r, struct byte_set *set, unsigned char c, bool is_in)
{
	set_put(set, c, is_in);
	if (r->pattern->ignore_case && is_letter(c))
		set_put(set, c ^ ('a' - 'A'), is_in);
}

static struct pattern_node *
node_new(struct reader *r, enum pattern_kind kind)
{
	struct pattern_node *node = ARENA_NEW(r->arena, struct pattern_node);

	node->kind = kind;
	return node;
}

static struct pattern_node *
byte_new(struct reader *r, unsigned char byte)
{
	struct pattern_node *node = node_new(r, PATTERN_BYTE);

	node->byte = r->pattern->ignore_case
			 ? (unsigned char)ascii_lower((char)byte)
			 : byte;
	return node;
}

static struct pattern_node *
set_new(struct reader *r, bool is_full, struct byte_set **ret_set)
{
	struct pattern_node *node = node_new(r, PATTERN_SET);
	struct byte_set *set = ARENA_NEW(r->arena, struct byte_set);

	if (is_full) {
		memset(set->bits, 0xff, sizeof(set->bits));
		set_put(set, newline, false);
	}
	node->set = set;
	*ret_set = set;
	return node;
}

/* Behind "[" and "[^": a bracket or dash that comes first is itself. It is the
 * only member whose other case is not looked for, having none. */
static unsigned char
read_first_member(struct reader *r, struct byte_set *set, bool is_in)
{
	unsigned char c = here(r);

	if (c != ']' && c != '-')
		return 0;
	r->at++;
	set_put(set, c, is_in);
	return c;
}

/* Behind "-": the bytes up to the next one, and that. At the end of the class
 * and of the text the dash is itself. */
static unsigned char
read_range(
    struct reader *r, struct byte_set *set, unsigned char low, bool is_in)
{
	unsigned char high = here(r);

	if (is_at_end(r) || high == ']') {
		set_put(set, '-', is_in);
		return '-';
	}
	r->at++;
	for (unsigned c = low + 1U; c < high; c++)
		set_put_folded(r, set, (unsigned char)c, is_in);
	set_put_folded(r, set, high, is_in);
	return high;
}

/* From behind "[" to behind "]", or to the end of the text. */
static struct pattern_node *
read_class(struct reader *r)
{
	bool is_in = here(r) != '^';
	struct byte_set *set;
	struct pattern_node *node = set_new(r, !is_in, &set);
	unsigned char last;

	r->at += !is_in;
	last = read_first_member(r, set, is_in);
	while (!is_at_end(r) && here(r) != ']') {
		unsigned char c = here(r);

		r->at++;
		if (c == '-') {
			last = read_range(r, set, last, is_in);
		} else {
			set_put_folded(r, set, c, is_in);
			last = c;
		}
	}
	r->at += !is_at_end(r);
	return node;
}

static struct pattern_node *
read_dot(struct reader *r)
{
	struct byte_set *set;

	return set_new(r, true, &set);
}

/* \< and \>: what no word is made of. */
static struct pattern_node *
read_word_edge(struct reader *r)
{
	struct byte_set *set;
	struct pattern_node *node = set_new(r, true, &set);

	set_put(set, newline, true);
	for (unsigned c = '0'; c <= 'z'; c++) {
		if (is_letter((unsigned char)c) || c <= '9' || c == '_')
			set_put(set, (unsigned char)c, false);
	}
	return node;
}

/* Behind a backslash, which stands for itself at the end of the text. */
static struct pattern_node *
read_escape(struct reader *r)
{
	unsigned char c = here(r);

	if (is_at_end(r))
		return byte_new(r, '\\');
	r->at++;
	if (c == '<' || c == '>')
		return read_word_edge(r);
	if (c != '/')
		return byte_new(r, c);
	r->pattern->has_split = true;
	return node_new(r, PATTERN_SPLIT);
}

static struct pattern_node *
read_caret(struct reader *r)
{
	if (here(r) != '^')
		return byte_new(r, newline);
	r->at++;
	return node_new(r, PATTERN_BEGIN);
}

static struct pattern_node *read_choice(struct reader *r);

/* From behind "(" to behind ")". */
static struct pattern_node *
read_group(struct reader *r)
{
	struct pattern_node *node;

	if (++r->depth > RECIPE_PATTERN_DEPTH_MAX) {
		(void)error_set(r->error,
		    "regular expression with more than %d groups in each "
		    "other",
		    RECIPE_PATTERN_DEPTH_MAX);
		return NULL;
	}
	node = read_choice(r);
	r->depth--;
	if (is_at_end(r))
		r->pattern->is_unbalanced = true;
	else
		r->at++;
	return node;
}

/* One thing to be repeated, or not. What is an operator elsewhere is a byte
 * where there is nothing it could work on. */
static struct pattern_node *
read_atom(struct reader *r)
{
	unsigned char c = here(r);

	r->at++;
	switch (c) {
	case '(':
		return read_group(r);
	case '[':
		return read_class(r);
	case '.':
		return read_dot(r);
	case '^':
		return read_caret(r);
	case '$':
		return byte_new(r, newline);
	case '\\':
		return read_escape(r);
	default:
		return byte_new(r, c);
	}
}

static bool
ends_sequence(const struct reader *r)
{
	return is_at_end(r) || here(r) == '|' || here(r) == ')';
}

/* An atom with the one operator that may be behind it. */
static struct pattern_node *
read_part(struct reader *r)
{
	struct pattern_node *atom = read_atom(r);
	struct pattern_node *node;
	unsigned char c = here(r);

	if (atom == NULL || (c != '*' && c != '+' && c != '?'))
		return atom;
	r->at++;
	node = node_new(r, PATTERN_REPEAT);
	node->repeat = (char)c;
	node->parts = atom;
	return node;
}

static struct pattern_node *
wrap(struct reader *r, enum pattern_kind kind, struct pattern_node *first)
{
	struct pattern_node *node;

	if (first->next == NULL)
		return first;
	node = node_new(r, kind);
	node->parts = first;
	return node;
}

static struct pattern_node *
read_sequence(struct reader *r)
{
	struct pattern_node *first = NULL;
	struct pattern_node **end = &first;

	if (ends_sequence(r))
		return node_new(r, PATTERN_EMPTY);
	while (!ends_sequence(r)) {
		*end = read_part(r);
		if (*end == NULL)
			return NULL;
		end = &(*end)->next;
	}
	return wrap(r, PATTERN_SEQUENCE, first);
}

/* Up to ")" or the end of the text. */
static struct pattern_node *
read_choice(struct reader *r)
{
	struct pattern_node *first = NULL;
	struct pattern_node **end = &first;

	for (;;) {
		*end = read_sequence(r);
		if (*end == NULL)
			return NULL;
		end = &(*end)->next;
		if (here(r) != '|' || is_at_end(r))
			return wrap(r, PATTERN_CHOICE, first);
		r->at++;
	}
}

/* ^^ behind which nothing comes is the end of the text, but it still is the
 * beginning too, as it is everywhere else. */
static void
make_end(struct reader *r, struct pattern_node *node)
{
	node->kind = PATTERN_CHOICE;
	node->parts = node_new(r, PATTERN_END);
	node->parts->next = node_new(r, PATTERN_BEGIN);
}

static void
mark_end(struct reader *r, struct pattern_node *node)
{
	struct pattern_node *part;

	switch (node->kind) {
	case PATTERN_BEGIN:
		make_end(r, node);
		return;
	case PATTERN_SEQUENCE:
		for (part = node->parts; part->next != NULL;)
			part = part->next;
		mark_end(r, part);
		return;
	case PATTERN_CHOICE:
		for (part = node->parts; part != NULL; part = part->next)
			mark_end(r, part);
		return;
	case PATTERN_REPEAT:
		if (node->repeat == '?')
			mark_end(r, node->parts);
		return;
	case PATTERN_EMPTY:
	case PATTERN_BYTE:
	case PATTERN_SET:
	case PATTERN_END:
	case PATTERN_SPLIT:
		return;
	}
}

bool
recipe_pattern_read(struct arena *arena, slice text, bool ignore_case,
    struct pattern *ret_pattern, struct error *error)
{
	struct pattern pattern = {.ignore_case = ignore_case};
	struct reader reader = {
	    .arena = arena, .text = text, .pattern = &pattern, .error = error};

	pattern.root = read_choice(&reader);
	if (pattern.root == NULL)
		return false;
	/* A ")" too many ends the expression. */
	if (!is_at_end(&reader))
		pattern.is_unbalanced = true;
	mark_end(&reader, pattern.root);
	*ret_pattern = pattern;
	return true;
}
