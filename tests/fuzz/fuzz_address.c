/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An envelope address through everything that reads one. What must hold: no
 * crash, an end, and that a stranger's mail is never relayed to a foreign
 * host: whoever gets RELAY is one of ours.
 */
#include "tests/fuzz/fuzz.h"

#include "milter/reload.h"
#include "policy/address.h"
#include "policy/alias.h"
#include "policy/decide.h"
#include "policy/rewrite.h"

#include <stdlib.h>

static void
check_relay_is_ours(const struct decision *d, slice recipient)
{
	struct verdict verdict = decide_recipient(d, recipient);
	struct address_fault fault;
	struct address a;
	slice host;

	if (!verdict.relay ||
	    !address_parse_text(d, recipient, &a, &fault) || !a.has_host)
		return;
	address_strip_dots(&a);
	host = address_host(d, &a);
	if (!class_has(d->policy->local, host) &&
	    !slice_has_suffix_nocase(host, SLICE("relay.test")))
		abort();
}

static void
rewrite_in_all_roles(const struct decision *d, slice address)
{
	for (int role = 0; role < 4; role++) {
		struct rewrite how = {.role = (enum rewrite_role)role};
		bool failed;
		slice new = rewrite_address(d, &how, address, &failed);

		if (new.len > 0 && new.ptr == NULL)
			abort();
	}
	(void)expand_recipient(d, address);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice address = {(const char *)data, size};
	struct service *service = fuzz_service();
	struct generation *generation = current_acquire();
	struct arena *arena = arena_new(0);
	struct resolver_session names = {service->resolver, 1};
	struct ports ports;
	struct session session = {.client = {.address = SLICE("198.51.100.9"),
				      .name = SLICE("[198.51.100.9]"),
				      .resolve = RESOLVE_FAIL}};
	struct decision d = {.policy = generation->policy,
	    .ports = &ports,
	    .session = &session,
	    .arena = arena};

	if (size > 2048)
		size = 2048;
	resolver_ports(&names, &ports);
	session.sender = arena_printf(arena, "<" SLICE_FMT ">",
	    SLICE_ARG(slice_first(address, size)));
	(void)decide_mail(&d);
	check_relay_is_ours(&d, session.sender);
	check_relay_is_ours(&d, slice_first(address, size));
	rewrite_in_all_roles(&d, slice_first(address, size));
	arena_free(arena);
	generation_release(generation);
	return 0;
}
