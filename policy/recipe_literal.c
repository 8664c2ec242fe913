/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/recipe_literal.h"

#include "base/strbuf.h"

enum { LITERAL_MIN = 4 };

struct rows {
	struct arena *arena;
	struct strbuf row; /* at work */
	slice best;
};

static bool
is_better(slice row, slice best)
{
	if (row.len < LITERAL_MIN)
		return false;
	if (best.len == 0)
		return true;
	if ((row.ptr[0] == '\n') != (best.ptr[0] == '\n'))
		return best.ptr[0] == '\n';
	return row.len > best.len;
}

static void
end_row(struct rows *rows)
{
	slice row = strbuf_slice(&rows->row);

	if (is_better(row, rows->best))
		rows->best = arena_copy(rows->arena, row);
	strbuf_init(&rows->row, rows->arena);
}

static void
walk(struct rows *rows, const struct pattern_node *node)
{
	switch (node->kind) {
	case PATTERN_EMPTY:
	case PATTERN_SPLIT:
		return;
	case PATTERN_BYTE:
		strbuf_add_char(&rows->row, (char)node->byte);
		return;
	case PATTERN_SEQUENCE:
		for (const struct pattern_node *part = node->parts;
		     part != NULL; part = part->next)
			walk(rows, part);
		return;
	case PATTERN_SET:
	case PATTERN_BEGIN:
	case PATTERN_END:
	case PATTERN_CHOICE:
	case PATTERN_REPEAT:
		end_row(rows);
		return;
	}
}

slice
recipe_literal(struct arena *arena, const struct pattern *pattern)
{
	struct rows rows = {.arena = arena, .best = {"", 0}};

	strbuf_init(&rows.row, arena);
	walk(&rows, pattern->root);
	end_row(&rows);
	return rows.best;
}
