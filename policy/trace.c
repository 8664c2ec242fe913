/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/trace.h"

#include <stdarg.h>

void
trace_init(struct trace *trace, struct arena *arena)
{
	trace->arena = arena;
	trace->faults_only = false;
	trace->first = NULL;
	trace->end = &trace->first;
}

static void
add_line(struct trace *trace, slice text)
{
	struct trace_line *line = ARENA_NEW(trace->arena, struct trace_line);

	line->text = text;
	*trace->end = line;
	trace->end = &line->next;
}

void
trace_add(struct trace *trace, const char *format, ...)
{
	va_list args;

	if (trace == NULL || trace->faults_only)
		return;
	va_start(args, format);
	add_line(trace, arena_vprintf(trace->arena, format, args));
	va_end(args);
}

static slice
fault_text(struct arena *arena, const struct map_hit *hit)
{
	if (map_hit_file(hit) == NULL)
		return hit->value;
	return arena_printf(arena, SLICE_FMT " (%s:%u)", SLICE_ARG(hit->value),
	    map_hit_file(hit), map_hit_line(hit));
}

void
trace_lookup(struct trace *trace, const char *map, slice key,
    enum map_result result, const struct map_hit *hit)
{
	slice why;

	if (trace == NULL)
		return;
	switch (result) {
	case MAP_FOUND:
		trace_add(trace, "%s " SLICE_FMT ": " SLICE_FMT " (%s:%u)", map,
		    SLICE_ARG(key), SLICE_ARG(hit->value), map_hit_file(hit),
		    map_hit_line(hit));
		return;
	case MAP_MISSING:
		trace_add(trace, "%s " SLICE_FMT ": -", map, SLICE_ARG(key));
		return;
	case MAP_TEMPFAIL:
		break;
	}
	why = fault_text(trace->arena, hit);
	if (trace->faults_only)
		add_line(trace, arena_printf(trace->arena, "%s: " SLICE_FMT,
				    map, SLICE_ARG(why)));
	else
		trace_add(trace,
		    "%s " SLICE_FMT ": cannot answer now: " SLICE_FMT, map,
		    SLICE_ARG(key), SLICE_ARG(why));
}
