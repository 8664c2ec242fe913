/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/lazy_ports.h"

#include "milter/include_file.h"
#include "milter/users.h"

/* The milter's, for a callback. */
#define STAGE_BUDGET_MS 4000

static struct ports *
wake(struct lazy_ports *lazy)
{
	if (!lazy->is_ready) {
		lazy->is_ready = true;
		lazy->resolver.resolver = lazy->find_resolver(lazy->context);
		resolver_ports(&lazy->resolver, &lazy->inner);
	}
	if (!lazy->has_deadline)
		lazy->resolver.deadline = deadline_in(STAGE_BUDGET_MS);
	lazy->has_deadline = true;
	return lazy->resolver.resolver == NULL ? NULL : &lazy->inner;
}

static enum world_answer
find_host(void *context, struct arena *arena, slice name, slice *ret_canonical)
{
	struct ports *p = wake(context);

	return p == NULL ? WORLD_TEMPFAIL
			 : p->find_host(p->context, arena, name, ret_canonical);
}

static enum world_answer
find_mx(void *context, struct arena *arena, slice domain,
    struct name_list *ret_hosts)
{
	struct ports *p = wake(context);

	return p == NULL ? WORLD_TEMPFAIL
			 : p->find_mx(p->context, arena, domain, ret_hosts);
}

static enum world_answer
find_address(void *context, struct arena *arena, slice name, slice *ret_address)
{
	struct ports *p = wake(context);

	return p == NULL
		   ? WORLD_TEMPFAIL
		   : p->find_address(p->context, arena, name, ret_address);
}

void
lazy_ports_init(struct lazy_ports *lazy,
    struct resolver *(*find_resolver)(void *context), void *context,
    struct ports *ret_ports)
{
	*lazy = (struct lazy_ports){
	    .find_resolver = find_resolver,
	    .context = context,
	};
	*ret_ports = (struct ports){
	    .context = lazy,
	    .find_host = find_host,
	    .find_mx = find_mx,
	    .find_address = find_address,
	    .read_include = include_file_read,
	    .find_user = users_find,
	};
}

void
lazy_ports_start_stage(struct lazy_ports *lazy)
{
	lazy->has_deadline = false;
}

struct resolver *
lazy_ports_resolver(struct lazy_ports *lazy)
{
	(void)wake(lazy);
	return lazy->resolver.resolver;
}
