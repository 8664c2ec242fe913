/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports whose resolver is fetched on the first question, and whose stages
 * begin with their own first one: for explain, which mostly needs no names.
 */
#ifndef MILTER_LAZY_PORTS_H
#define MILTER_LAZY_PORTS_H

#include "milter/resolver.h"

struct lazy_ports {
	/* Asked at most once. NULL from it: names cannot be found out, as if
	 * DNS had failed. */
	struct resolver *(*find_resolver)(void *context);
	void *context;

	struct resolver_session resolver;
	struct ports inner;
	bool is_ready;
	bool has_deadline;
};

/* The ports point to *lazy. */
void lazy_ports_init(struct lazy_ports *lazy,
    struct resolver *(*find_resolver)(void *context), void *context,
    struct ports *ret_ports);
/* The next question begins a stage. */
void lazy_ports_start_stage(struct lazy_ports *lazy);
/* May be NULL. */
struct resolver *lazy_ports_resolver(struct lazy_ports *lazy);

#endif
