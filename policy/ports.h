/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What policy/ asks of the world. The daemon, explain and the tests each hand
 * in their own. Calls may block, but never longer than the caller's budget
 * for a session; when the budget is spent they answer WORLD_TEMPFAIL.
 *
 * Names go in without trailing dot and come out lower case, without trailing
 * dot, allocated in the given arena.
 */
#ifndef POLICY_PORTS_H
#define POLICY_PORTS_H

#include "base/arena.h"

enum world_answer {
	WORLD_FOUND,
	WORLD_NONE,	/* no such name, or no such record */
	WORLD_TEMPFAIL, /* servers failed or were too slow: ask again later */
};

struct name_list {
	slice *names;
	size_t count;
};

struct dynamic_entry {
	slice value;
	unsigned long seconds_left;
};

struct policy;

struct ports {
	void *context;
	/* Does the name exist as a host or mail domain, and what is it really
	 * called (CNAMEs followed)? It exists when it stands in /etc/hosts or
	 * has an A, AAAA or MX record; a null MX (RFC 7505) counts for
	 * nothing. An address in brackets is looked up backwards, and
	 * WORLD_NONE when that gives no name. sendmail's map "host". */
	enum world_answer (*find_host)(void *context, struct arena *arena,
	    slice name, slice *ret_canonical);
	/* Mail exchangers of the domain, CNAMEs followed; the domain itself
	 * where it has no MX record but an address. sendmail's map "mxserved"
	 * (bestmx -z). */
	enum world_answer (*find_mx)(void *context, struct arena *arena,
	    slice domain, struct name_list *ret_hosts);
	/* First A record of the name, dotted: for DNS lists. */
	enum world_answer (*find_address)(void *context, struct arena *arena,
	    slice name, slice *ret_address);
	/* The text of an ":include:" file of the aliases, as safe as the
	 * policy wants it, or of policy->includes. WORLD_NONE when it is not
	 * there or may not be read. NULL: no such files are read. */
	enum world_answer (*read_include)(void *context, struct arena *arena,
	    slice path, const struct policy *policy, slice *ret_text);
	/* Is there such a user on this host? Asked where aliases go in a
	 * circle, and for luser_relay. NULL: everybody is taken for a user. */
	enum world_answer (*find_user)(
	    void *context, struct arena *arena, slice name);
	/* The dynamic entry of this key of the access map, which counts before
	 * the map's own. Never waits. `table` is what `dynamic` points to.
	 * NULL: there are none. */
	bool (*find_dynamic)(void *table, struct arena *arena, slice key,
	    struct dynamic_entry *ret_entry);
	void *dynamic;
};

#endif
