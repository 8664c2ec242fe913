/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/lookup.h"

#include <sysexits.h>

static bool
unknown_name(const struct snapshot *snapshot, slice name, struct error *error)
{
	struct arena *arena = arena_new(0);
	struct strbuf names;

	strbuf_init(&names, arena);
	for (const struct snapshot_part *part = snapshot_parts(snapshot);
	     part != NULL; part = part->next) {
		if (part->kind != PART_TEXT)
			strbuf_printf(
			    &names, " " SLICE_FMT, SLICE_ARG(part->name));
	}
	(void)error_set(error,
	    "no map or class '" SLICE_FMT "', there are:" SLICE_FMT,
	    SLICE_ARG(name), SLICE_ARG(strbuf_slice(&names)));
	error->exit_code = EX_USAGE;
	arena_free(arena);
	return false;
}

/* A net of the access map may be asked for as it is written there. */
static enum map_result
find(const struct snapshot_part *part, slice key, struct arena *arena,
    struct map_hit *ret_hit)
{
	enum map_result result = map_find(part->map, key, arena, ret_hit);
	slice net;

	if (result != MAP_MISSING || !slice_eq(part->name, SLICE("access")) ||
	    net_make_key(arena, key, &net) != NULL || slice_eq(net, key))
		return result;
	return map_find_net(part->map, net, ret_hit);
}

bool
lookup_write(const struct snapshot *snapshot, slice name, slice key,
    struct strbuf *out, struct error *error)
{
	const struct snapshot_part *part = snapshot_find_part(snapshot, name);
	struct map_hit hit = {.origin = NULL};

	if (part == NULL || part->kind == PART_TEXT)
		return unknown_name(snapshot, name, error);
	if (part->kind == PART_CLASS) {
		if (class_has(part->words, key))
			strbuf_printf(out, SLICE_FMT "\n", SLICE_ARG(key));
		return true;
	}
	switch (find(part, key, out->arena, &hit)) {
	case MAP_FOUND:
		strbuf_printf(out, SLICE_FMT "\t%s:%u\n", SLICE_ARG(hit.value),
		    map_hit_file(&hit), map_hit_line(&hit));
		return true;
	case MAP_MISSING:
		return true;
	case MAP_TEMPFAIL:
		break;
	}
	(void)error_set(error,
	    "map '" SLICE_FMT "' cannot answer now: " SLICE_FMT " (%s:%u)",
	    SLICE_ARG(name), SLICE_ARG(hit.value),
	    map_hit_file(&hit) == NULL ? "?" : map_hit_file(&hit),
	    map_hit_line(&hit));
	error->exit_code = EX_TEMPFAIL;
	return false;
}
