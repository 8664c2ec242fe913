/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_rcpt: may mail for this recipient pass? In sendmail's order: the
 * recipient in the access map (blocklist_recipients), trusted AUTH, the
 * recipient's domain, the client.
 */
#include "policy/access.h"
#include "policy/checks.h"
#include "policy/host.h"
#include "policy/match.h"

static const char rule[] = "check_rcpt";

static struct outcome
mx_tempfail(const struct decision *d, const struct address *a)
{
	struct outcome outcome = outcome_refusal(d, rule, 450, "4.4.0",
	    arena_printf(d->arena,
		"Can not check MX records for recipient host " SLICE_FMT,
		SLICE_ARG(tokens_join_text(d->arena, a->host))));

	outcome.is_overrulable = true;
	outcome.verdict.denied_relay = true;
	return outcome;
}

/* relay_based_on_MX: are we a mail exchanger of this domain? */
static enum world_answer
is_mx_served(const struct decision *d, slice host)
{
	struct name_list exchangers;
	enum world_answer answer;

	/* Here, and only here, a blank is no dot. */
	if (slice_index(host, ' ') < host.len)
		return WORLD_NONE;
	answer = d->ports->find_mx(d->ports->context, d->arena,
	    host_unquoted(d->arena, host), &exchangers);
	if (answer != WORLD_FOUND)
		return answer;
	for (size_t i = 0; i < exchangers.count; i++) {
		if (class_has(d->policy->local, exchangers.names[i]))
			return WORLD_FOUND;
	}
	return WORLD_NONE;
}

static struct access_value
find_domain(const struct decision *d, slice host)
{
	struct access_query q = {.d = d, .tag = ACCESS_TO};

	return d->policy->relay_hosts_only ? access_find_exact(&q, host)
					   : access_find_domain(&q, host);
}

static bool
is_in_relay_class(const struct policy *p, slice host)
{
	if (p->relay_entire_domain && match_own_domain(p, host))
		return true;
	return p->relay_hosts_only ? class_has(p->relay, host)
				   : match_end(p->relay, host);
}

/* Do we relay to this host, so that the user part must be looked into? */
static enum world_answer
is_relay_host(const struct decision *d, slice host)
{
	struct access_value value;

	if (is_in_relay_class(d->policy, host))
		return WORLD_FOUND;
	value = find_domain(d, host);
	if (value.kind == ACCESS_RELAY)
		return WORLD_FOUND;
	if (value.kind != ACCESS_NONE || !d->policy->relay_based_on_mx)
		return WORLD_NONE;
	return is_mx_served(d, host);
}

/* The recipient without hosts that we would relay to anyway: what remains is
 * where the mail would really go. */
static bool
parse_recipient(const struct decision *d, struct tokens t,
    struct address *ret_address, struct outcome *ret_outcome)
{
	struct address_fault fault;

	for (;;) {
		struct address a;
		slice host;

		if (!address_parse(d, t, &a, &fault)) {
			*ret_outcome =
			    outcome_final(fault_verdict(&fault, rule));
			return false;
		}
		address_strip_dots(&a);
		if (!a.has_host || d->policy->loose_relay_check) {
			*ret_address = a;
			return true;
		}
		a.local = tokens_dequote(d->arena, a.local);
		*ret_address = a;
		if (!tokens_have_routing(a.local))
			return true;
		host = address_host(d, &a);
		switch (is_relay_host(d, host)) {
		case WORLD_FOUND:
			t = a.local;
			break;
		case WORLD_NONE:
			return true;
		case WORLD_TEMPFAIL:
			*ret_outcome = mx_tempfail(d, &a);
			return false;
		}
	}
}

/* `""@host`: no user, so nothing speaks for or against it. */
static bool
is_nobody(const struct address *a)
{
	return a->has_host && a->local.count == 0;
}

static struct access_value
find_blocked(const struct decision *d, const struct address *a)
{
	struct access_query q = {.d = d, .tag = ACCESS_TO};
	slice local = address_local(d, a);
	slice host = address_host(d, a);
	struct access_value value;

	if (!a->has_host)
		return access_find_user(&q, local);
	value = access_find_full(&q, local, host);
	if (value.kind == ACCESS_NONE && class_has(d->policy->local, host))
		value = access_find_user(&q, local);
	if (value.kind == ACCESS_NONE)
		value = access_find_domain(&q, host);
	return value;
}

static struct outcome
check_blocklist(const struct decision *d, const struct address *a)
{
	struct access_value value;

	if (!d->policy->blocklist_recipients || is_nobody(a))
		return outcome_open();
	value = find_blocked(d, a);
	if (value.kind == ACCESS_NONE || value.kind == ACCESS_OK ||
	    value.kind == ACCESS_RELAY || value.kind == ACCESS_SKIP)
		return outcome_open();
	return outcome_final(access_verdict(d, &value, rule, "5.2.1",
	    "550 Mailbox disabled for this recipient"));
}

static struct access_value
find_relay_entry(const struct decision *d, const struct address *a, slice host)
{
	struct access_query q = {.d = d, .tag = ACCESS_TO};
	slice local = address_local(d, a);
	struct access_value value;

	if (!d->policy->relaytofulladdress)
		return find_domain(d, host);
	if (d->policy->relay_hosts_only) {
		q.tag_only = true;
		value = access_find_exact(&q,
		    arena_printf(d->arena, SLICE_FMT "@" SLICE_FMT,
			SLICE_ARG(local), SLICE_ARG(host)));
		return value.kind != ACCESS_NONE ? value
						 : find_domain(d, host);
	}
	value = access_find_full(&q, local, host);
	if (value.kind == ACCESS_NONE)
		value = access_find_domain(&q, host);
	/* Here "user@" does not stand for details of that user. */
	if (value.kind == ACCESS_NONE)
		value = access_find_exact(&q,
		    arena_printf(d->arena, SLICE_FMT "@", SLICE_ARG(local)));
	return value;
}

static struct outcome
check_recipient_domain(const struct decision *d, const struct address *a)
{
	slice host = address_host(d, a);
	struct access_value value;

	if (is_nobody(a))
		return outcome_open();
	if (!a->has_host)
		return outcome_relay(d, "a local recipient");
	if (class_has(d->policy->local, host))
		return outcome_relay(d, "recipient in local_domain");
	if (is_in_relay_class(d->policy, host))
		return outcome_relay(d, "recipient in relay_domain");
	value = find_relay_entry(d, a, host);
	if (value.kind == ACCESS_RELAY)
		return outcome_relay(d, "recipient in access");
	if (value.kind == ACCESS_TEMPFAIL)
		return (struct outcome){.is_final = true,
		    .is_overrulable = true,
		    .verdict = access_tempfail(rule)};
	if (!d->policy->relay_based_on_mx)
		return outcome_open();
	switch (is_mx_served(d, host)) {
	case WORLD_FOUND:
		return outcome_relay(d, "we are the recipient's MX");
	case WORLD_TEMPFAIL:
		return mx_tempfail(d, a);
	case WORLD_NONE:
		break;
	}
	return outcome_open();
}

/* sendmail's Rcpt_ok. */
static struct outcome
check_recipient(const struct decision *d, struct tokens recipient)
{
	struct outcome outcome = outcome_open();
	struct address a;

	if (!parse_recipient(d, recipient, &a, &outcome))
		return outcome;
	outcome = check_blocklist(d, &a);
	if (outcome.is_final)
		return outcome;
	if (d->policy->promiscuous_relay) {
		if (d->policy->delay_checks == DELAY_NO) {
			struct verdict helo = check_helo(d);

			if (verdict_is_refusal(&helo))
				return outcome_final(helo);
		}
		return outcome_relay(d, "promiscuous_relay");
	}
	if (d->session->auth_type.len > 0 &&
	    class_has(d->policy->trust_auth_mech, d->session->auth_type)) {
		outcome = outcome_relay(d, "authenticated");
		outcome.is_final = true;
		return outcome;
	}
	return check_recipient_domain(d, &a);
}

static struct outcome
relaying_denied(const struct decision *d)
{
	bool uses_auth = class_count(d->policy->trust_auth_mech) > 0;
	struct outcome outcome = outcome_refusal(d, rule, 550, "5.7.1",
	    uses_auth
		? SLICE("Relaying denied. Proper authentication required.")
		: SLICE("Relaying denied"));

	outcome.verdict.denied_relay = true;
	return outcome;
}

struct outcome
check_rcpt(const struct decision *d, slice recipient)
{
	struct address_fault fault = {.enhanced = "5.0.0"};
	struct tokens t = tokens_from(d->arena, recipient, &fault.text);
	struct outcome client;
	struct outcome outcome;

	if (fault.text != NULL)
		return outcome_final(fault_verdict(&fault, rule));
	if (t.count == 0 ||
	    (t.count == 2 && token_is(t, 0, '<') && token_is(t, 1, '>')))
		return outcome_refusal(d, rule, 553, "5.0.0",
		    SLICE("User address required"));
	outcome = check_recipient(d, t);
	if (outcome.verdict.relay)
		return outcome;
	if (outcome.is_final && !outcome.is_overrulable)
		return outcome;
	client = check_client_relay(d);
	if (client.is_final || client.verdict.relay)
		return client;
	return outcome.is_final ? outcome : relaying_denied(d);
}
