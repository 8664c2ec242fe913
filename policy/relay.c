/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May this client relay, whomever the mail is for? Its address decides first,
 * then (with relay_mail_from, relay_local_from) its sender, and its name only
 * when reverse and forward DNS agree.
 */
#include "policy/access.h"
#include "policy/checks.h"
#include "policy/host.h"
#include "policy/match.h"

static const char rule[] = "check_rcpt";

static bool
is_loopback(slice address)
{
	return address.len == 0 || slice_eq(address, SLICE("127.0.0.1")) ||
	    slice_eq_nocase(address, SLICE("IPv6:0:0:0:0:0:0:0:1"));
}

static struct outcome
by_access(const struct decision *d, const struct access_value *value,
    const char *why)
{
	if (value->kind == ACCESS_RELAY)
		return outcome_relay(d, why);
	if (value->kind == ACCESS_TEMPFAIL)
		return outcome_final(access_tempfail(rule));
	return outcome_open();
}

static bool
is_decided(const struct outcome *outcome)
{
	return outcome->is_final || outcome->verdict.relay;
}

static struct outcome
by_address(const struct decision *d)
{
	struct access_query q = {.d = d, .tag = ACCESS_CONNECT};
	slice address = d->session->client.address;
	struct access_value value;
	struct outcome outcome;

	if (is_loopback(address))
		return outcome_relay(d, "the client is this host");
	if (match_start(d->policy->relay, address))
		return outcome_relay(d, "client address in relay_domain");
	value = access_find_address(&q, address);
	outcome = by_access(d, &value, "client address in access");
	if (is_decided(&outcome))
		return outcome;
	if (class_has(d->policy->local, client_bracketed(d->arena, address)))
		return outcome_relay(d, "client address is this host's");
	return outcome_open();
}

static struct access_value
find_sender(const struct decision *d, slice local, slice host)
{
	struct access_query q = {
	    .d = d, .tag = ACCESS_FROM, .tag_only = true};
	struct access_value value = access_find_full(&q, local, host);

	if (value.kind != ACCESS_NONE ||
	    d->policy->relay_mail_from != RELAY_FROM_DOMAIN)
		return value;
	return d->policy->relay_hosts_only ? access_find_exact(&q, host)
					   : access_find_domain(&q, host);
}

static struct outcome
by_sender(const struct decision *d)
{
	struct access_value value;
	struct address_fault fault;
	struct address a;
	slice host;

	if (!d->policy->relay_local_from &&
	    d->policy->relay_mail_from == RELAY_FROM_NO)
		return outcome_open();
	if (!address_parse_text(d, address_sender_macro(d, d->session->sender),
		&a, &fault) ||
	    !a.has_host)
		return outcome_open();
	address_strip_dots(&a);
	host = address_host(d, &a);
	if (d->policy->relay_local_from && class_has(d->policy->local, host))
		return outcome_relay(d, "relay_local_from");
	if (d->policy->relay_mail_from == RELAY_FROM_NO)
		return outcome_open();
	value = find_sender(d, address_local(d, &a), host);
	return by_access(d, &value, "relay_mail_from");
}

static struct outcome
unresolved(const struct decision *d)
{
	const struct client *client = &d->session->client;
	struct outcome outcome;
	const char *text = "Relaying denied. IP name lookup failed ";

	if (client->resolve == RESOLVE_FORGED)
		text = "Relaying denied. IP name possibly forged ";
	if (client->resolve == RESOLVE_TEMP)
		outcome = outcome_refusal(d, rule, 450, "4.4.0",
		    arena_printf(d->arena,
			"Relaying temporarily denied. Cannot resolve PTR "
			"record for " SLICE_FMT,
			SLICE_ARG(client->address)));
	else
		outcome = outcome_refusal(d, rule, 550, "5.7.1",
		    arena_printf(d->arena, "%s" SLICE_FMT, text,
			SLICE_ARG(client->name)));
	outcome.verdict.denied_relay = true;
	return outcome;
}

static slice
canonical_name(const struct decision *d, slice name)
{
	slice canonical;

	return host_find(d, name, &canonical) == WORLD_FOUND ? canonical : name;
}

static struct outcome
by_name(const struct decision *d)
{
	struct access_query q = {.d = d, .tag = ACCESS_CONNECT};
	const struct policy *p = d->policy;
	slice name = canonical_name(d, d->session->client.name);
	struct access_value value;

	if (p->relay_entire_domain && match_own_domain(p, name))
		return outcome_relay(d, "client in this host's domain");
	if (class_has(p->local, name))
		return outcome_relay(d, "client name in local_domain");
	if (p->relay_hosts_only ? class_has(p->relay, name)
				: match_end(p->relay, name))
		return outcome_relay(d, "client name in relay_domain");
	value = p->relay_hosts_only ? access_find_exact(&q, name)
				    : access_find_domain(&q, name);
	return by_access(d, &value, "client name in access");
}

/* Without delay_checks the HELO check hangs behind this one, so that it only
 * changes the words of a denial: sendmail's rules stand in that order. */
static struct outcome
denied(const struct decision *d)
{
	struct verdict helo = {.kind = VERDICT_CONTINUE};

	if (d->policy->delay_checks == DELAY_NO)
		helo = check_helo(d);
	if (verdict_is_refusal(&helo))
		return outcome_final(helo);
	return outcome_open();
}

struct outcome
check_client_relay(const struct decision *d)
{
	struct outcome outcome = by_address(d);

	if (!is_decided(&outcome))
		outcome = by_sender(d);
	if (is_decided(&outcome))
		return outcome;
	if (d->session->client.resolve != RESOLVE_OK)
		return unresolved(d);
	outcome = by_name(d);
	return is_decided(&outcome) ? outcome : denied(d);
}
