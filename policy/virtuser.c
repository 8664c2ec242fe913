/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/virtuser.h"

#include "policy/access.h"
#include "policy/address.h"
#include "policy/checks.h"
#include "policy/host.h"
#include "policy/match.h"
#include "policy/template.h"

/* sendmail gives up when rulesets nest 50 deep: behind the 16th result. */
#define MAX_STEPS 17

static const char rule[] = "virtusertable";

struct lookup {
	const struct decision *d;
	slice local;
	slice base;   /* before "+" */
	slice detail; /* behind it */
	slice host;
	bool has_plus;
	enum map_result result;
	slice value;
};

static bool
find_key(struct lookup *l, slice user, slice argument, bool has_detail)
{
	struct arena *arena = l->d->arena;
	struct map_hit hit;
	slice key = arena_printf(arena, SLICE_FMT "@" SLICE_FMT,
	    SLICE_ARG(host_unquoted(arena, user)), SLICE_ARG(l->host));
	slice arguments[4] = {key, argument, l->detail,
	    arena_printf(arena, "+" SLICE_FMT, SLICE_ARG(l->detail))};

	l->result = map_find(l->d->policy->virtusertable, key, arena, &hit);
	trace_lookup(l->d->trace, "virtusertable", key, l->result, &hit);
	if (l->result == MAP_FOUND)
		l->value = template_fill(
		    arena, hit.value, arguments, has_detail ? 4 : 2);
	return l->result != MAP_MISSING;
}

/* A key for a part of the user; the value may name the detail. */
static bool
find_part(struct lookup *l, slice user)
{
	return find_key(l, user, l->base, true);
}

/* The order: user+detail, user++ and ++ for a detail that is not empty, user+*,
 * +*, user, and the domain alone. */
static bool
find_with_detail(struct lookup *l)
{
	struct arena *arena = l->d->arena;
	bool has_detail = l->detail.len > 0;

	return (has_detail && find_part(l, arena_printf(arena, SLICE_FMT "++",
					       SLICE_ARG(l->base)))) ||
	       find_part(l,
		   arena_printf(arena, SLICE_FMT "+*", SLICE_ARG(l->base))) ||
	       find_part(l, l->base) ||
	       (has_detail && find_part(l, SLICE("++"))) ||
	       find_part(l, SLICE("+*")) || find_part(l, SLICE(""));
}

static bool
is_virtual(const struct policy *p, slice host)
{
	return class_has(p->local, host) ||
	       (p->virtuser_entire_domain
		       ? match_end(p->virtuser_domain, host)
		       : class_has(p->virtuser_domain, host));
}

/* True when there is an entry, or no telling (MAP_TEMPFAIL). */
static bool
look_up(const struct decision *d, const struct address *a, struct lookup *l)
{
	size_t plus = tokens_index(a->local, 1, '+');
	struct address plain = *a;

	address_strip_dots(&plain);
	*l = (struct lookup){.d = d,
	    .host = address_host(d, &plain),
	    .local = address_local(d, a),
	    .result = MAP_MISSING};
	if (d->policy->virtusertable == NULL || a->local.count == 0 ||
	    !token_is(a->host, a->host.count - 1, '.') ||
	    !is_virtual(d->policy, l->host))
		return false;
	l->has_plus = plus < a->local.count;
	l->base = l->local;
	if (!l->has_plus)
		return find_key(l, l->local, l->local, false) ||
		       find_key(l, SLICE(""), l->local, false);
	l->base = tokens_join(d->arena, tokens_part(a->local, 0, plus));
	l->detail = tokens_join(
	    d->arena, tokens_part(a->local, plus + 1, a->local.count));
	return find_key(l, l->local, l->local, false) || find_with_detail(l);
}

/* "error:5.7.1:550 text", "error:nouser text". */
static bool
parse_error(const struct decision *d, slice value, struct verdict *ret_error)
{
	struct tokens t = tokens_from(d->arena, value, NULL);
	slice status = SLICE("");
	size_t text = 3;

	if (t.count < 4 || !token_is_word(t, 0, SLICE("error")) ||
	    !token_is(t, 1, ':') || token_is_operator(t.list[2]))
		return false;
	if (t.count > 8 && token_is(t, 3, '.') && token_is(t, 5, '.') &&
	    token_is(t, 7, ':')) {
		status = tokens_join(d->arena, tokens_part(t, 2, 7));
		text = 8;
	}
	*ret_error = access_refusal(d, status,
	    tokens_join_text(d->arena, tokens_part(t, text, t.count)), rule);
	return true;
}

static struct route
route_of(const struct decision *d, const struct address *a, bool is_changed)
{
	struct address plain = *a;
	bool is_local;

	address_strip_dots(&plain);
	is_local = !a->has_host || (token_is(a->host, a->host.count - 1, '.') &&
				       class_has(d->policy->local,
					   tokens_join(d->arena, plain.host)));
	return (struct route){
	    .kind = is_local ? ROUTE_LOCAL : ROUTE_REMOTE,
	    .user = is_local ? address_local(d, a) : SLICE(""),
	    .address = address_external(d, a),
	    .is_changed = is_changed,
	};
}

static struct route
route_error(struct verdict error)
{
	return (struct route){.kind = ROUTE_ERROR, .error = error};
}

static struct route
too_deep(const struct decision *d)
{
	return route_error(outcome_refusal(d, rule, 554, "5.0.0",
	    SLICE("rewrite: excessive recursion (max 50), ruleset canonify"))
			       .verdict);
}

/* FEATURE(redirect): "user@host.REDIRECT". */
static bool
is_redirected(
    const struct decision *d, const struct address *a, slice *ret_text)
{
	struct address plain = *a;
	struct tokens host;

	address_strip_dots(&plain);
	host = plain.host;
	if (!d->policy->redirect || !a->has_host || host.count < 3 ||
	    !token_is(host, host.count - 2, '.') ||
	    !token_is_word(host, host.count - 1, SLICE("REDIRECT")))
		return false;
	*ret_text = arena_printf(d->arena,
	    "User has moved; please try <" SLICE_FMT "@" SLICE_FMT ">",
	    SLICE_ARG(address_local(d, a)),
	    SLICE_ARG(
		tokens_join(d->arena, tokens_part(host, 0, host.count - 2))));
	return true;
}

struct route
route_find(const struct decision *d, slice recipient)
{
	struct lookup l = {.value = recipient};

	for (unsigned step = 0; step < MAX_STEPS; step++) {
		struct address_fault fault;
		struct address a;
		struct verdict error;
		slice moved;

		if (!address_parse_text(d, l.value, &a, &fault))
			return route_error(fault_verdict(&fault, rule));
		if (is_redirected(d, &a, &moved))
			return route_error(
			    outcome_refusal(d, "redirect", 551, "5.1.1", moved)
				.verdict);
		if (!look_up(d, &a, &l))
			return route_of(d, &a, step > 0);
		if (l.result == MAP_TEMPFAIL)
			return (struct route){.kind = ROUTE_TEMPFAIL,
			    .error = access_tempfail(rule)};
		if (parse_error(d, l.value, &error))
			return route_error(error);
	}
	return too_deep(d);
}
