/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/alias.h"

#include "policy/address.h"

static struct expansion
one_address(const struct decision *d, slice address)
{
	struct expansion e = {.kind = EXPANSION_SET, .count = 1};

	e.addresses = ARENA_NEW(d->arena, slice);
	*e.addresses = address;
	return e;
}

struct expansion
expand_recipient(const struct decision *d, slice recipient)
{
	struct route route = route_find(d, recipient);

	switch (route.kind) {
	case ROUTE_ERROR:
		return (struct expansion){
		    .kind = EXPANSION_ERROR, .error = route.error};
	case ROUTE_TEMPFAIL:
		return (struct expansion){
		    .kind = EXPANSION_TEMPFAIL, .error = route.error};
	case ROUTE_LOCAL:
		return route.is_changed ? one_address(d, route.user)
					: (struct expansion){.count = 0};
	case ROUTE_REMOTE:
		break;
	}
	return route.is_changed ? one_address(d, route.address)
				: (struct expansion){.count = 0};
}
