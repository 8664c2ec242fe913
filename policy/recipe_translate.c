/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/recipe_translate.h"

#include "base/strbuf.h"

/* Every so many bytes of the pattern there is a callout whatever they are: a
 * long row of single bytes takes its time, too. */
#define BYTES_PER_CALLOUT 16

struct translation {
	struct strbuf text;
	unsigned bytes; /* since the last callout */
};

static void
add_callout(struct translation *t)
{
	strbuf_add(&t->text, SLICE("(?C)"));
	t->bytes = 0;
}

static void
count_byte(struct translation *t)
{
	if (++t->bytes >= BYTES_PER_CALLOUT)
		add_callout(t);
}

static void
add_byte(struct translation *t, unsigned char byte)
{
	bool is_plain = (byte >= 'a' && byte <= 'z') ||
			(byte >= 'A' && byte <= 'Z') ||
			ascii_is_digit((char)byte);

	if (is_plain)
		strbuf_add_char(&t->text, (char)byte);
	else
		strbuf_printf(&t->text, "\\x%02x", byte);
}

static unsigned
count_members(const struct byte_set *set)
{
	unsigned count = 0;

	for (unsigned c = 0; c < 256; c++)
		count += byte_set_has(set, (unsigned char)c);
	return count;
}

/* All ranges of bytes that are in the set, or, when `is_in` is false, are
 * not. */
static void
add_ranges(struct translation *t, const struct byte_set *set, bool is_in)
{
	for (unsigned c = 0; c < 256; c++) {
		unsigned last = c;

		if (byte_set_has(set, (unsigned char)c) != is_in)
			continue;
		while (last < 255 &&
		       byte_set_has(set, (unsigned char)(last + 1)) == is_in)
			last++;
		strbuf_printf(&t->text, "\\x%02x", c);
		if (last > c)
			strbuf_printf(&t->text, "-\\x%02x", last);
		c = last;
	}
}

static void
add_set(struct translation *t, const struct byte_set *set)
{
	unsigned count = count_members(set);

	if (count == 0) {
		strbuf_add(&t->text, SLICE("(?!)"));
		return;
	}
	strbuf_add(
	    &t->text, count > 128 && count < 256 ? SLICE("[^") : SLICE("["));
	add_ranges(t, set, count <= 128 || count == 256);
	strbuf_add_char(&t->text, ']');
}

static void add_node(struct translation *t, const struct pattern_node *node);

static void
add_parts(struct translation *t, const struct pattern_node *node, slice between)
{
	for (const struct pattern_node *part = node->parts; part != NULL;
	     part = part->next) {
		add_node(t, part);
		if (part->next != NULL)
			strbuf_add(&t->text, between);
	}
}

static bool
is_single(const struct pattern_node *node)
{
	return node->kind == PATTERN_BYTE ||
	       (node->kind == PATTERN_SET && count_members(node->set) > 0);
}

static void
add_repeat(struct translation *t, const struct pattern_node *node)
{
	if (is_single(node->parts)) {
		/* No callout may come between the byte and its operator. */
		t->bytes = 0;
		add_node(t, node->parts);
	} else {
		strbuf_add(&t->text, SLICE("(?:"));
		add_node(t, node->parts);
		strbuf_add_char(&t->text, ')');
	}
	strbuf_add_char(&t->text, node->repeat);
	add_callout(t);
}

static void
add_node(struct translation *t, const struct pattern_node *node)
{
	switch (node->kind) {
	case PATTERN_EMPTY:
	case PATTERN_SPLIT:
		return;
	case PATTERN_BYTE:
		add_byte(t, node->byte);
		count_byte(t);
		return;
	case PATTERN_SET:
		add_set(t, node->set);
		count_byte(t);
		return;
	case PATTERN_BEGIN:
		strbuf_add(&t->text, SLICE("\\A\\n"));
		return;
	case PATTERN_END:
		strbuf_add(&t->text, SLICE("(?=\\n\\z)"));
		return;
	case PATTERN_SEQUENCE:
		add_parts(t, node, SLICE(""));
		return;
	case PATTERN_CHOICE:
		strbuf_add(&t->text, SLICE("(?:"));
		add_parts(t, node, SLICE("|"));
		strbuf_add_char(&t->text, ')');
		add_callout(t);
		return;
	case PATTERN_REPEAT:
		add_repeat(t, node);
		return;
	}
}

slice
recipe_translate(struct arena *arena, const struct pattern *pattern)
{
	struct translation translation = {.bytes = 0};

	strbuf_init(&translation.text, arena);
	add_node(&translation, pattern->root);
	return strbuf_slice(&translation.text);
}
