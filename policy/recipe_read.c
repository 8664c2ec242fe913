/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a recipe's line and a condition say, once their text is there: it may
 * stand in the rc file, or come of an expansion while it is run.
 */
#include "policy/recipe_private.h"

#include <stdlib.h>
#include <string.h>

#define FLAG_LETTERS "HBDAaEehbfcwWir"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static slice
trim_left(slice s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = slice_from(s, 1);
	return s;
}

/* strtod(3) without the locale's point, infinities and the like. */
static bool
take_number(slice *text, double *ret)
{
	char buffer[64];
	slice head = slice_first(*text, sizeof(buffer) - 1);
	char *end;

	if (head.len == 0 || (strchr("+-.0123456789", head.ptr[0]) == NULL) ||
	    head.ptr[0] == '\0')
		return false;
	memcpy(buffer, head.ptr, head.len);
	buffer[head.len] = '\0';
	*ret = strtod(buffer, &end);
	if (end == buffer)
		return false;
	*text = slice_from(*text, (size_t)(end - buffer));
	return true;
}

/* "w^x" and blanks. */
static bool
take_weight(slice *text, struct recipe_condition *c)
{
	slice rest = *text;
	double weight;
	double factor;

	if (!take_number(&rest, &weight))
		return false;
	rest = trim_left(rest);
	if (rest.len == 0 || rest.ptr[0] != '^')
		return false;
	rest = trim_left(slice_from(rest, 1));
	if (!take_number(&rest, &factor))
		return false;
	c->is_weighted = true;
	c->weight = weight;
	c->factor = factor;
	*text = trim_left(rest);
	return true;
}

/* "NAME ??" and blanks. */
static bool
take_variable(slice *text, struct recipe_condition *c)
{
	size_t len = 0;
	slice rest;

	while (len < text->len && recipe_is_name(text->ptr[len], len == 0))
		len++;
	if (len == 0)
		return false;
	rest = trim_left(slice_from(*text, len));
	if (rest.len < 2 || rest.ptr[0] != '?' || rest.ptr[1] != '?')
		return false;
	c->variable = slice_first(*text, len);
	*text = trim_left(slice_from(rest, 2));
	return true;
}

static bool
take_mark(slice *text, char mark)
{
	if (text->len == 0 || text->ptr[0] != mark)
		return false;
	*text = trim_left(slice_from(*text, 1));
	return true;
}

void
recipe_read_condition(slice text, unsigned line, struct recipe_condition *ret)
{
	ret->line = line;
	text = trim_left(text);
	ret->raw = text;
	for (;;) {
		if (take_mark(&text, '!'))
			ret->is_negated = !ret->is_negated;
		else if (!take_weight(&text, ret) && !take_variable(&text, ret))
			break;
	}
	ret->kind = CONDITION_REGEX;
	if (take_mark(&text, '$'))
		ret->kind = CONDITION_EXPAND;
	else if (take_mark(&text, '<'))
		ret->kind = CONDITION_SMALLER;
	else if (take_mark(&text, '>'))
		ret->kind = CONDITION_LARGER;
	else if (take_mark(&text, '?'))
		ret->kind = CONDITION_PROGRAM;
	ret->text = text;
}

static void
read_letters(slice head, struct recipe_flags *ret, slice *ret_skipped)
{
	for (size_t i = 0; i < head.len; i++) {
		char c = head.ptr[i];

		if (is_blank(c))
			continue;
		if (c == ':') {
			ret->is_locked = true;
			return;
		}
		if (c == '#' &&
		    (i == 0 || is_blank(head.ptr[i - 1])))
			return;
		if (c == '\0' || strchr(FLAG_LETTERS, c) == NULL) {
			*ret_skipped = slice_from(head, i);
			return;
		}
		ret->has[(unsigned char)c] = true;
	}
}

/* e goes with neither E nor a: these are taken back. */
static void
settle_conflicts(struct recipe_flags *flags)
{
	if (!flags->has['e'])
		return;
	if (flags->has['a'])
		flags->taken_back = "also-if-succeeded-flag";
	if (flags->has['E'])
		flags->taken_back = "else-if-flag";
	flags->has['E'] = flags->has['a'] = false;
}

void
recipe_read_flags(slice head, struct recipe_flags *ret, slice *ret_skipped)
{
	memset(ret, 0, sizeof(*ret));
	*ret_skipped = SLICE("");
	read_letters(head, ret, ret_skipped);
	settle_conflicts(ret);
}
