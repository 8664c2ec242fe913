/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lookups and reasons that led to a verdict, for explain. All functions
 * take a NULL trace and then do nothing, before any formatting.
 */
#ifndef POLICY_TRACE_H
#define POLICY_TRACE_H

#include "maps/map.h"

struct trace_line {
	slice text;
	struct trace_line *next;
};

struct trace {
	struct arena *arena;
	bool faults_only; /* for the log: which map could not answer, and why,
	                   * without the key that somebody chose */
	struct trace_line *first;
	struct trace_line **end;
};

void trace_init(struct trace *trace, struct arena *arena);
__attribute__((format(printf, 2, 3))) void trace_add(
    struct trace *trace, const char *format, ...);

/* One lookup: "access a.b: REJECT (file:line)", "access a.b: -". */
void trace_lookup(struct trace *trace, const char *map, slice key,
    enum map_result result, const struct map_hit *hit);

#endif
