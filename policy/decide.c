/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/decide.h"

#include "policy/access.h"
#include "policy/alias.h"
#include "policy/checks.h"
#include "policy/message.h"
#include "policy/virtuser.h"

/* sendmail names the address a reply is about, but not with every code. */
static struct verdict
about(struct verdict verdict, slice argument)
{
	if (verdict.code == 450 || verdict.code == 550 || verdict.code == 553)
		verdict.about = argument;
	return verdict;
}

static bool
is_delayed(const struct decision *d)
{
	return d->policy->delay_checks != DELAY_NO;
}

bool
policy_judges_clients(const struct policy *policy)
{
	return policy->delay_checks == DELAY_NO &&
	    (policy->access != NULL || policy->dnsbl_count > 0 ||
		policy->require_rdns);
}

struct verdict
decide_connect(const struct decision *d)
{
	if (is_delayed(d))
		return (struct verdict){.rule = "check_relay"};
	return check_relay(d).verdict;
}

/* Under delay_checks a sender is only asked whether it is an address. */
static struct verdict
check_sender_syntax(const struct decision *d, slice sender, const char *rule)
{
	struct address_fault fault;
	struct address address;

	if (slice_eq(sender, SLICE("<>")) ||
	    address_parse_text(d, sender, &address, &fault))
		return (struct verdict){.rule = rule};
	return fault_verdict(&fault, rule);
}

/* "error:" in the virtusertable, and REDIRECT, are part of what makes an
 * address: they refuse senders and recipients, for everybody, before the
 * rulesets are asked. */
static bool
is_refused_by_table(const struct decision *d, slice argument, const char *rule,
    struct verdict *ret_verdict)
{
	struct route route;

	if ((d->policy->virtusertable == NULL && !d->policy->redirect) ||
	    slice_eq(argument, SLICE("<>")))
		return false;
	route = route_find(d, argument);
	if (route.kind != ROUTE_ERROR && route.kind != ROUTE_TEMPFAIL)
		return false;
	*ret_verdict = route.error;
	ret_verdict->rule = rule;
	return true;
}

static struct verdict
check_sender(const struct decision *d, slice sender)
{
	struct verdict verdict;

	if (is_refused_by_table(d, sender, "check_mail", &verdict))
		return about(verdict, sender);
	if (is_delayed(d)) {
		verdict = check_sender_syntax(d, sender, "check_mail");
	} else {
		verdict = check_mail(d, sender).verdict;
		verdict.rule = "check_mail";
	}
	return about(verdict, sender);
}

static struct verdict
too_large(const struct decision *d, const char *format_text, const char *rule)
{
	return (struct verdict){
	    .kind = VERDICT_REJECT,
	    .code = 552,
	    .enhanced = SLICE("5.2.3"),
	    .text = arena_printf(d->arena, "%s (%lu)", format_text,
		d->policy->max_message_size),
	    .rule = rule,
	};
}

static bool
exceeds_size(const struct decision *d, unsigned long size)
{
	return d->policy->max_message_size > 0 &&
	    size > d->policy->max_message_size;
}

struct verdict
decide_mail(const struct decision *d)
{
	static const char rule[] = "check_mail";
	struct verdict verdict;

	if (d->policy->require_auth && d->session->auth_type.len == 0)
		return (struct verdict){
		    .kind = VERDICT_REJECT,
		    .code = 530,
		    .enhanced = SLICE("5.7.0"),
		    .text = SLICE("Authentication required"),
		    .rule = rule,
		};
	verdict = check_sender(d, d->session->sender);
	if (verdict_is_refusal(&verdict))
		return verdict;
	if (exceeds_size(d, d->session->size))
		return too_large(d,
		    "Message size exceeds fixed maximum message size", rule);
	return verdict;
}

/* delay_checks "friend" and "hater": what the recipient thinks of spam. */
static enum access_kind
spam_attitude(const struct decision *d, slice recipient)
{
	struct access_query q = {
	    .d = d, .tag = ACCESS_SPAM, .tag_only = true};
	struct access_value value = {.kind = ACCESS_NONE};
	struct address_fault fault;
	struct address a;
	slice host;

	if (!address_parse_text(d, recipient, &a, &fault))
		return ACCESS_NONE;
	address_strip_dots(&a);
	host = a.has_host ? address_host(d, &a) : d->policy->hostname;
	value = access_find_full(&q, address_local(d, &a), host);
	if (value.kind == ACCESS_NONE)
		value = access_find_domain(&q, host);
	if (value.kind == ACCESS_NONE && class_has(d->policy->local, host))
		value = access_find_user(&q, address_local(d, &a));
	return value.kind;
}

static bool
wants_checks(const struct decision *d, slice recipient)
{
	switch (d->policy->delay_checks) {
	case DELAY_NO:
	case DELAY_YES:
		break;
	case DELAY_FRIEND:
		return spam_attitude(d, recipient) != ACCESS_FRIEND;
	case DELAY_HATER:
		return spam_attitude(d, recipient) == ACCESS_HATER;
	}
	return true;
}

/* check_mail and check_relay behind check_rcpt, for one recipient. */
static struct verdict
delayed_checks(const struct decision *d, struct verdict so_far)
{
	struct outcome outcome = check_mail(d, d->session->sender);
	struct verdict helo;

	if (!outcome.is_final)
		outcome = check_relay(d);
	if (outcome.is_final) {
		outcome.verdict.relay = so_far.relay &&
		    outcome.verdict.kind == VERDICT_CONTINUE;
		return outcome.verdict;
	}
	helo = check_helo(d);
	return verdict_is_refusal(&helo) ? helo : so_far;
}

/* What is wrong with an alias shows when it is looked up, which sendmail does
 * for recipients that its rulesets have let pass. */
static struct verdict
check_aliases(
    const struct decision *d, slice recipient, struct verdict so_far)
{
	struct expansion e;

	if (verdict_is_refusal(&so_far) || so_far.kind == VERDICT_DISCARD ||
	    !policy_rewrites_recipients(d->policy))
		return so_far;
	e = expand_recipient(d, recipient);
	return e.kind == EXPANSION_ERROR || e.kind == EXPANSION_TEMPFAIL
	    ? e.error
	    : so_far;
}

struct verdict
decide_recipient(const struct decision *d, slice recipient)
{
	struct outcome outcome;
	struct verdict verdict;

	if (is_refused_by_table(d, recipient, "check_rcpt", &verdict))
		return about(verdict, recipient);
	outcome = check_rcpt(d, recipient);
	verdict = outcome.verdict;
	if (!outcome.is_final && is_delayed(d) && wants_checks(d, recipient))
		verdict = delayed_checks(d, verdict);
	verdict.rule = "check_rcpt";
	return check_aliases(d, recipient, about(verdict, recipient));
}

struct verdict
decide_message(const struct decision *d, unsigned long size, unsigned hops)
{
	static const char rule[] = "limits";

	if (d->policy->max_hops > 0 && hops > d->policy->max_hops)
		return (struct verdict){
		    .kind = VERDICT_REJECT,
		    .code = 554,
		    .enhanced = SLICE("5.4.6"),
		    .text = SLICE("Too many hops"),
		    .rule = rule,
		};
	if (exceeds_size(d, size))
		return too_large(
		    d, "Message exceeds maximum fixed size", rule);
	return (struct verdict){.rule = rule};
}

struct verdict
decide_ruleset(const struct decision *d, enum ruleset ruleset, slice argument)
{
	switch (ruleset) {
	case RULESET_CHECK_RELAY:
		return decide_connect(d);
	case RULESET_CHECK_MAIL:
		return check_sender(d, argument);
	case RULESET_CHECK_RCPT:
		break;
	}
	return decide_recipient(d, argument);
}
