/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/trace.h"

#include <stdarg.h>

void
trace_init(struct trace *trace, struct arena *arena)
{
	trace->arena = arena;
	trace->first = NULL;
	trace->end = &trace->first;
}

void
trace_add(struct trace *trace, const char *format, ...)
{
	struct trace_line *line;
	va_list args;

	if (trace == NULL)
		return;
	line = ARENA_NEW(trace->arena, struct trace_line);
	va_start(args, format);
	line->text = arena_vprintf(trace->arena, format, args);
	va_end(args);
	*trace->end = line;
	trace->end = &line->next;
}
