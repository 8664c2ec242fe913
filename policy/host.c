/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/host.h"

#include "base/strbuf.h"
#include "policy/match.h"

static bool
is_plain(slice text)
{
	static const bool is_odd[256] = {
	    ['"'] = true, ['\\'] = true, [' '] = true};

	for (size_t i = 0; i < text.len; i++) {
		if (is_odd[(unsigned char)text.ptr[i]])
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

/* "a.b.c" in b.c is a, which /etc/hosts may have; others are themselves. */
static slice
short_name(const struct decision *d, slice name)
{
	size_t dot = slice_index(name, '.');

	return dot < name.len &&
		slice_eq_nocase(
		    slice_from(name, dot + 1), own_domain(d->policy))
	    ? slice_first(name, dot)
	    : name;
}

enum world_answer
host_find(const struct decision *d, slice name, slice *ret_canonical)
{
	slice plain = host_unquoted(d->arena, name);
	slice brief = short_name(d, plain);
	enum world_answer answer;
	slice canonical;

	answer = d->ports->find_host(
	    d->ports->context, d->arena, plain, &canonical);
	if (answer != WORLD_FOUND && brief.len < plain.len &&
	    d->ports->find_host(d->ports->context, d->arena, brief,
		&canonical) == WORLD_FOUND)
		answer = WORLD_FOUND;
	if (answer != WORLD_FOUND)
		return answer;
	if (!slice_has_prefix_nocase(plain, SLICE("[")) &&
	    slice_index(canonical, '.') == canonical.len)
		canonical = arena_printf(d->arena, SLICE_FMT "." SLICE_FMT,
		    SLICE_ARG(canonical), SLICE_ARG(own_domain(d->policy)));
	*ret_canonical = canonical;
	return WORLD_FOUND;
}
