/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_relay: the access map by the client's name, then by its address; DNS
 * lists; require_rdns. And block_bad_helo, which sendmail asks at RCPT.
 */
#include "policy/access.h"
#include "policy/checks.h"
#include "policy/match.h"

static const char rule[] = "check_relay";

static slice
client_name(const struct decision *d)
{
	const struct client *client = &d->session->client;

	if (!d->policy->use_client_ptr)
		return client->name;
	return client->ptr.len > 0
	    ? client->ptr
	    : client_bracketed(d->arena, client->address);
}

static struct outcome
check_access(const struct decision *d)
{
	struct access_query q = {.d = d, .tag = ACCESS_CONNECT};
	struct access_value value = access_find_domain(&q, client_name(d));

	if (value.kind == ACCESS_NONE)
		value = access_find_address(&q, d->session->client.address);
	if (value.kind == ACCESS_NONE)
		return outcome_open();
	return outcome_final(access_verdict(
	    d, &value, rule, "5.7.1", "550 Access denied"));
}

/* "1.0.0.127.zone", empty for an IPv6 client. */
static slice
dnsbl_name(const struct decision *d, slice zone)
{
	slice rest = d->session->client.address;
	slice part[4];
	size_t count = 0;

	while (count < 4 && slice_next(&rest, '.', &part[count]))
		count++;
	if (count != 4)
		return SLICE("");
	return arena_printf(d->arena,
	    SLICE_FMT "." SLICE_FMT "." SLICE_FMT "." SLICE_FMT "." SLICE_FMT,
	    SLICE_ARG(part[3]), SLICE_ARG(part[2]), SLICE_ARG(part[1]),
	    SLICE_ARG(part[0]), SLICE_ARG(zone));
}

static struct outcome
listed(const struct decision *d, const struct dnsbl *list)
{
	slice address = d->session->client.address;
	slice status = SLICE("5.7.1");

	if (slice_eq_nocase(list->message, SLICE("quarantine")))
		return outcome_final((struct verdict){
		    .kind = VERDICT_QUARANTINE,
		    .rule = rule,
		    .text = list->zone,
		});
	if (slice_eq_nocase(list->message, SLICE("discard")))
		return outcome_final((struct verdict){
		    .kind = VERDICT_DISCARD, .rule = rule});
	if (list->message.len > 0)
		return outcome_final(
		    access_refusal(d, status, list->message, rule));
	return outcome_refusal(d, rule, 550, "5.7.1",
	    arena_printf(d->arena, "Rejected: " SLICE_FMT " listed at " SLICE_FMT,
		SLICE_ARG(address), SLICE_ARG(list->zone)));
}

static struct outcome
check_dnsbl(const struct decision *d, const struct dnsbl *list)
{
	slice name = dnsbl_name(d, list->zone);
	slice answer;

	if (name.len == 0)
		return outcome_open();
	switch (d->ports->find_address(
	    d->ports->context, d->arena, name, &answer)) {
	case WORLD_FOUND:
		trace_add(d->trace, "dnsbl " SLICE_FMT ": " SLICE_FMT,
		    SLICE_ARG(name), SLICE_ARG(answer));
		return listed(d, list);
	case WORLD_NONE:
		trace_add(d->trace, "dnsbl " SLICE_FMT ": -", SLICE_ARG(name));
		break;
	case WORLD_TEMPFAIL:
		trace_add(d->trace, "dnsbl " SLICE_FMT ": no answer",
		    SLICE_ARG(name));
		break;
	}
	return outcome_open();
}

static struct outcome
check_rdns(const struct decision *d)
{
	const struct client *client = &d->session->client;

	if (match_start(d->policy->relay, client->address))
		return outcome_open();
	switch (client->resolve) {
	case RESOLVE_OK:
		break;
	case RESOLVE_FAIL:
		return outcome_refusal(d, rule, 550, "5.7.1",
		    arena_printf(d->arena, "Fix reverse DNS for " SLICE_FMT,
			SLICE_ARG(client->address)));
	case RESOLVE_TEMP:
		return outcome_refusal(d, rule, 451, "4.1.8",
		    arena_printf(d->arena,
			"Client IP address " SLICE_FMT " does not resolve",
			SLICE_ARG(client->address)));
	case RESOLVE_FORGED:
		return outcome_refusal(d, rule, 451, "4.1.8",
		    arena_printf(d->arena,
			"Possibly forged hostname for " SLICE_FMT,
			SLICE_ARG(client->address)));
	}
	return outcome_open();
}

struct outcome
check_relay(const struct decision *d)
{
	struct outcome outcome = check_access(d);

	if (outcome.is_final) {
		/* OK and RELAY end this ruleset, but nothing else. */
		outcome.is_final =
		    outcome.verdict.kind != VERDICT_CONTINUE;
		return outcome;
	}
	for (size_t i = 0; i < d->policy->dnsbl_count; i++) {
		outcome = check_dnsbl(d, &d->policy->dnsbl[i]);
		if (outcome.is_final)
			return outcome;
	}
	return d->policy->require_rdns ? check_rdns(d) : outcome_open();
}

static bool
is_bogus_helo(const struct decision *d, slice helo)
{
	slice dot;

	if (class_has(d->policy->local, client_bracketed(d->arena, helo)) ||
	    class_has(d->policy->local, helo))
		return true;
	/* A dot with something on both sides, or an IPv6 literal. */
	dot = slice_from(helo, 1);
	dot = slice_from(dot, slice_index(dot, '.'));
	if (dot.len > 1)
		return false;
	return !slice_has_prefix_nocase(helo, SLICE("IPv6:")) || helo.len == 5;
}

struct verdict
check_helo(const struct decision *d)
{
	const struct session *session = d->session;

	if (!d->policy->block_bad_helo || session->auth_authen.len > 0 ||
	    match_start(d->policy->relay, session->client.address) ||
	    !is_bogus_helo(d, session->helo))
		return (struct verdict){.kind = VERDICT_CONTINUE};
	return outcome_refusal(d, "check_rcpt", 550, "5.7.1",
	    arena_printf(d->arena, "bogus HELO name used: " SLICE_FMT,
		SLICE_ARG(text_of(d, session->helo))))
	    .verdict;
}
