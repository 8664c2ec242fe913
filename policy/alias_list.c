/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/alias_list.h"

/* Where one is in a list. */
struct nesting {
	bool in_quotes;
	unsigned comments;
	unsigned angles;
};

static void
step_into(struct nesting *n, char c)
{
	if (n->comments > 0) {
		n->comments += c == '(';
		n->comments -= c == ')';
	} else if (c == '"') {
		n->in_quotes = !n->in_quotes;
	} else if (n->in_quotes) {
		return;
	} else if (c == '(') {
		n->comments++;
	} else if (c == '<') {
		n->angles++;
	} else if (c == '>' && n->angles > 0) {
		n->angles--;
	}
}

static size_t
member_length(slice list)
{
	struct nesting n = {.in_quotes = false};

	for (size_t i = 0; i < list.len; i++) {
		char c = list.ptr[i];

		if (c == '\\')
			i++;
		else if (c == ',' && !n.in_quotes && n.comments == 0 &&
			 n.angles == 0)
			return i;
		else
			step_into(&n, c);
	}
	return list.len;
}

bool
alias_list_next(slice *rest, slice *ret_member)
{
	while (rest->len > 0) {
		size_t len = member_length(*rest);

		*ret_member = slice_trim(slice_first(*rest, len));
		*rest = slice_from(*rest, len + 1);
		if (ret_member->len > 0)
			return true;
	}
	return false;
}

static bool
is_blank_at(slice s, size_t at)
{
	return at < s.len && ascii_is_space(s.ptr[at]);
}

static slice
without_comment(slice line)
{
	for (size_t i = 1; i + 2 < line.len; i++) {
		if (line.ptr[i] == '#' && line.ptr[i + 1] == '@' &&
		    line.ptr[i + 2] == '#' && is_blank_at(line, i - 1) &&
		    (i + 3 == line.len || is_blank_at(line, i + 3)))
			return slice_first(line, i);
	}
	return line;
}

bool
include_next_line(slice *rest, slice *ret_line)
{
	slice line;

	while (slice_next(rest, '\n', &line)) {
		if (line.len > 0 && line.ptr[0] == '#')
			continue;
		*ret_line = slice_trim(without_comment(line));
		if (ret_line->len > 0)
			return true;
	}
	return false;
}
