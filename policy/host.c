/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/host.h"

#include "base/strbuf.h"
#include "policy/match.h"

static bool
is_plain(slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '"' || c == '\\' || c == ' ')
			return false;
	}
	return true;
}

slice
host_unquoted(struct arena *arena, slice text)
{
	struct strbuf plain;
	bool is_quoted = false;

	if (is_plain(text))
		return text;
	strbuf_init(&plain, arena);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\\' && i + 1 < text.len)
			strbuf_add_char(&plain, text.ptr[++i]);
		else if (c == '"')
			is_quoted = !is_quoted;
		else
			strbuf_add_char(
			    &plain, c == ' ' && !is_quoted ? '.' : c);
	}
	return strbuf_slice(&plain);
}

enum world_answer
host_find(const struct decision *d, slice name, slice *ret_canonical)
{
	enum world_answer answer;
	slice canonical;

	answer = d->ports->find_host(d->ports->context, d->arena,
	    host_unquoted(d->arena, name), &canonical);
	if (answer != WORLD_FOUND)
		return answer;
	if (slice_index(canonical, '.') == canonical.len)
		canonical = arena_printf(d->arena, SLICE_FMT "." SLICE_FMT,
		    SLICE_ARG(canonical), SLICE_ARG(own_domain(d->policy)));
	*ret_canonical = canonical;
	return WORLD_FOUND;
}
