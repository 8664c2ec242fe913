/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_mail: may this sender send? An entry in the access map overrides what
 * DNS says, both ways, so the map is asked first and DNS only without an
 * entry.
 */
#include "policy/access.h"
#include "policy/checks.h"
#include "policy/host.h"
#include "policy/match.h"

#include <string.h>

static const char rule[] = "check_mail";

/* The argument without its outer angle brackets. */
static struct tokens
inside_angles(struct tokens t)
{
	if (token_is(t, 0, '<') && token_is(t, t.count - 1, '>'))
		return tokens_part(t, 1, t.count - 1);
	return t;
}

static bool
is_local_pretender(const struct decision *d, slice host)
{
	static const slice names[] = {
		SLICE_INIT("localhost"),
		SLICE_INIT("localhost.UUCP"),
		SLICE_INIT("[127.0.0.1]"),
		SLICE_INIT("[IPv6:0:0:0:0:0:0:0:1]"),
		SLICE_INIT("[IPv6:::1]"),
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (slice_eq_nocase(host, names[i]))
			return true;
	}
	return slice_has_prefix_nocase(host, SLICE("localhost.")) &&
	    slice_eq_nocase(slice_from(host, strlen("localhost.")),
		own_domain(d->policy));
}

/* user@localhost is for local clients. */
static struct outcome
check_localhost(const struct decision *d, struct tokens typed)
{
	struct tokens t = inside_angles(typed);
	size_t at = tokens_last_index(t, '@');
	slice host;

	if (at == t.count)
		return outcome_open();
	host = tokens_join(d->arena, tokens_part(t, at + 1, t.count));
	if (!is_local_pretender(d, host) ||
	    d->session->client.name.len == 0 ||
	    class_has(d->policy->local, d->session->client.name))
		return outcome_open();
	return outcome_refusal(d, rule, 553, "5.5.4",
	    SLICE("Real domain name required for sender address"));
}

static struct access_value
find_in_access(const struct decision *d, const struct address *a)
{
	struct access_query q = {.d = d, .tag = ACCESS_FROM};
	slice local = address_local(d, a);
	slice host = address_host(d, a);
	struct access_value value = {.kind = ACCESS_NONE};

	if (a->has_host)
		value = access_find_full(&q, local, host);
	if (value.kind == ACCESS_NONE)
		value = access_find_user(&q, local);
	if (value.kind == ACCESS_NONE && a->has_host)
		value = access_find_domain(&q, host);
	return value;
}

static slice
about_sender(const struct decision *d, const char *before, const char *after)
{
	slice f = address_sender_macro(d, d->session->sender);

	return arena_printf(d->arena, "%s" SLICE_FMT "%s", before,
	    SLICE_ARG(text_of(d, f)), after);
}

static struct outcome
check_unqualified(const struct decision *d)
{
	if (d->policy->accept_unqualified_senders ||
	    d->session->client.address.len == 0)
		return outcome_open();
	return outcome_refusal(d, rule, 553, "5.5.4",
	    about_sender(d, "Domain name required for sender address ", ""));
}

static struct outcome
check_domain(const struct decision *d, slice host)
{
	slice canonical;

	if (d->policy->accept_unresolvable_domains ||
	    slice_eq_nocase(host, d->policy->hostname))
		return outcome_open();
	switch (host_find(d, host, &canonical)) {
	case WORLD_FOUND:
		return outcome_open();
	case WORLD_NONE:
		return outcome_refusal(d, rule, 553, "5.1.8",
		    about_sender(
			d, "Domain of sender address ", " does not exist"));
	case WORLD_TEMPFAIL:
		break;
	}
	return outcome_refusal(d, rule, 451, "4.1.8",
	    about_sender(d, "Domain of sender address ", " does not resolve"));
}

static struct outcome
check_address(const struct decision *d, const struct address *a)
{
	struct access_value value = find_in_access(d, a);

	if (value.kind != ACCESS_NONE)
		return outcome_final(access_verdict(
		    d, &value, rule, "5.7.1", "550 Access denied"));
	return a->has_host ? check_domain(d, address_host(d, a))
			   : check_unqualified(d);
}

struct outcome
check_mail(const struct decision *d, slice sender)
{
	struct address_fault fault = {.enhanced = "5.0.0"};
	struct tokens t = tokens_from(d->arena, sender, &fault.text);
	struct address address;
	struct outcome outcome;

	if (t.count == 2 && token_is(t, 0, '<') && token_is(t, 1, '>') &&
	    fault.text == NULL)
		return outcome_open();
	if (fault.text != NULL || !address_parse(d, t, &address, &fault))
		return outcome_final(fault_verdict(&fault, rule));
	if (!d->policy->accept_unqualified_senders) {
		outcome = check_localhost(d, t);
		if (outcome.is_final)
			return outcome;
	}
	if (address.is_null)
		return outcome_open();
	address_strip_dots(&address);
	return check_address(d, &address);
}
