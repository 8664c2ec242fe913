/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps stand in the order of sendmail's rules, for each narrows what the
 * next one sees. Names in this file: "mark" is sendmail's trailing "<@>",
 * which shows that a colon may still be group syntax; "focus" is finding the
 * last "@".
 */
#include "policy/address.h"

#include "policy/host.h"
#include "policy/match.h"

/* Rounds of peeling local hosts; sendmail gives up at 50 nested rulesets. */
#define MAX_ROUNDS 25

static struct tokens
nothing(void)
{
	return (struct tokens){NULL, 0};
}

static struct tokens
one_token(struct arena *arena, slice token)
{
	struct tokens t = {ARENA_ARRAY(arena, slice, 1), 1};

	t.list[0] = token;
	return t;
}

static struct tokens
with_dot(struct arena *arena, struct tokens host)
{
	return tokens_concat(arena, host, one_token(arena, SLICE(".")));
}

/* Group syntax, "name: a, b;". */

static bool
is_mark_at(struct tokens t, size_t at)
{
	return token_is(t, at, '<') && token_is(t, at + 1, '@') &&
	    token_is(t, at + 2, '>') && at + 3 == t.count;
}

static bool
has_angles(struct tokens t)
{
	size_t open = tokens_index(t, 0, '<');

	return open < t.count && tokens_index(t, open, '>') < t.count;
}

/* A colon that cannot begin a group: routes, IPv6 literals, node::user. */
static bool
colon_is_not_group(struct tokens t)
{
	if (has_angles(t) || token_is(t, 0, '@'))
		return true;
	for (size_t i = 0; i + 1 < t.count; i++) {
		if (token_is(t, i, ':') && token_is(t, i + 1, ':'))
			return true;
		if (token_is(t, i, '[') &&
		    token_is_word(t, i + 1, SLICE("IPv6")) &&
		    token_is(t, i + 2, ':') && i + 4 < t.count &&
		    token_is(t, t.count - 1, ']'))
			return true;
	}
	return token_is(t, 0, ':') && token_is_word(t, 1, SLICE("include")) &&
	    token_is(t, 2, ':');
}

/* ": ... [ ... ]" to the end: a leading colon, marked again. */
static bool
has_colon_before_literal(struct tokens t)
{
	size_t colon = tokens_index(t, 0, ':');

	return colon < t.count && token_is(t, t.count - 1, ']') &&
	    tokens_index(t, colon + 1, '[') < t.count;
}

static struct tokens
strip_group(struct tokens t)
{
	bool marked = !colon_is_not_group(t);
	size_t colon;

	if (!marked && has_colon_before_literal(t))
		marked = true;
	colon = tokens_index(t, 0, ':');
	if (marked && colon < t.count)
		t = tokens_part(t, colon + 1, t.count);
	/* An address that is the mark itself vanishes with it. */
	if (t.count >= 3 && is_mark_at(t, t.count - 3))
		t = tokens_part(t, 0, t.count - 3);
	while (token_is(t, t.count - 1, ';'))
		t = tokens_part(t, 0, t.count - 1);
	return t;
}

/* "<list:;>" in angle brackets. */
static bool
is_empty_list(struct tokens t)
{
	size_t open = tokens_index(t, 0, '<');
	size_t close = tokens_index(t, open, '>');

	return close < t.count && close > open + 3 &&
	    token_is(t, close - 1, ';') && token_is(t, close - 2, ':');
}

/* "a@b;>", as many as there are. */
static struct tokens
strip_bogus_semicolon(struct arena *arena, struct tokens t)
{
	size_t end = t.count;

	if (!token_is(t, t.count - 1, '>'))
		return t;
	while (end >= 3 && token_is(t, end - 2, ';'))
		end--;
	return end == t.count
	    ? t
	    : tokens_concat(arena, tokens_part(t, 0, end - 1),
		  one_token(arena, SLICE(">")));
}

/* Behind the last "<", before the next ">": RFC 733's innermost item. */
static struct tokens
innermost(struct tokens t)
{
	size_t open = tokens_last_index(t, '<');
	size_t from = open < t.count ? open + 1 : 0;

	return tokens_part(t, from, tokens_index(t, from, '>'));
}

/* "@a,@b:user@host" and its like: the user@host behind the route. */
static struct tokens
strip_route(struct tokens t)
{
	size_t at;

	while (token_is(t, 0, '@') &&
	    (at = tokens_index(t, 2, ',')) + 1 < t.count)
		t = tokens_part(t, at + 1, t.count);
	while (token_is(t, 0, '@') && token_is(t, 1, '[')) {
		for (at = 2; at + 1 < t.count; at++) {
			if (token_is(t, at, ']') && token_is(t, at + 1, ':'))
				break;
		}
		if (at + 1 >= t.count)
			break;
		t = tokens_part(t, at + 2, t.count);
	}
	while (token_is(t, 0, '@') &&
	    (at = tokens_index(t, 2, ':')) + 1 < t.count)
		t = tokens_part(t, at + 1, t.count);
	return t;
}

/* Host names. */

static bool
ends_with_word(struct tokens host, slice word)
{
	return host.count >= 2 && token_is(host, host.count - 2, '.') &&
	    token_is_word(host, host.count - 1, word);
}

static bool
has_final_dot(struct tokens host)
{
	return token_is(host, host.count - 1, '.');
}

static bool
is_localhost(const struct decision *d, slice host)
{
	slice qualified;

	if (!slice_has_prefix_nocase(host, SLICE("localhost")))
		return false;
	if (host.len == 9 || slice_eq_nocase(host, SLICE("localhost.UUCP")))
		return true;
	qualified = arena_printf(
	    d->arena, "localhost." SLICE_FMT, SLICE_ARG(own_domain(d->policy)));
	return slice_eq_nocase(host, qualified);
}

static struct tokens
own_host(const struct decision *d)
{
	return with_dot(
	    d->arena, tokens_from(d->arena, d->policy->hostname, NULL));
}

static struct tokens
qualified_with_dot(struct arena *arena, struct tokens host)
{
	return tokens_index(host, 1, '.') + 1 < host.count
	    ? with_dot(arena, host)
	    : host;
}

/* The canonical name with a final dot; the host as it is when there is none
 * to be found. */
static struct tokens
look_up(const struct decision *d, struct tokens host)
{
	slice name = tokens_join(d->arena, host);
	slice canonical;

	if (host_find(d, name, &canonical) != WORLD_FOUND)
		return host;
	if (slice_eq_nocase(name, canonical))
		return with_dot(d->arena, host);
	trace_add(d->trace, "host " SLICE_FMT ": " SLICE_FMT, SLICE_ARG(name),
	    SLICE_ARG(canonical));
	/* What was typed keeps its case. */
	if (slice_has_prefix_nocase(canonical, name) &&
	    text_is_boundary(canonical, name.len))
		canonical = arena_printf(d->arena, SLICE_FMT SLICE_FMT,
		    SLICE_ARG(name), SLICE_ARG(slice_from(canonical, name.len)));
	return with_dot(d->arena, tokens_from(d->arena, canonical, NULL));
}

/* "x.UUCP": x where it is a host of ours to find, else a canonical "x.UUCP." */
static struct tokens
canonify_uucp_host(const struct decision *d, struct tokens host)
{
	struct tokens name = tokens_part(host, 0, host.count - 2);
	struct tokens found = look_up(d, name);

	if (has_final_dot(found))
		return found;
	return tokens_concat(
	    d->arena, name, tokens_from(d->arena, SLICE(".UUCP."), NULL));
}

/* Domains this host speaks for are canonical whatever DNS says. */
static bool
is_always_canonical(const struct policy *p, slice name)
{
	return class_has(p->local, name) ||
	    (p->masquerade_entire_domain ? match_end(p->masquerade_domain, name)
					 : class_has(p->masquerade_domain, name)) ||
	    (p->generics_entire_domain ? match_end(p->generics_domain, name)
				       : class_has(p->generics_domain, name)) ||
	    (p->virtuser_entire_domain ? match_end(p->virtuser_domain, name)
				       : class_has(p->virtuser_domain, name));
}

/* A domain of ours needs no DNS to be ours, so it is not asked for. */
static struct tokens
canonify_name(const struct decision *d, struct tokens host, slice name)
{
	bool is_local = class_has(d->policy->local, name);

	if (!is_local && d->policy->nocanonify)
		return qualified_with_dot(d->arena, host);
	if (!d->policy->nocanonify &&
	    (!is_local || slice_index(name, '.') == name.len))
		host = look_up(d, host);
	if (has_final_dot(host))
		return host;
	name = tokens_join(d->arena, host);
	return is_always_canonical(d->policy, name) ? with_dot(d->arena, host)
						    : host;
}

static struct tokens
strip_superfluous_dots(struct tokens host)
{
	while (host.count >= 2 && has_final_dot(host) &&
	    token_is(host, host.count - 2, '.'))
		host.count--;
	return host;
}

/* domaintable: the whole name, once. */
static struct tokens
map_domain(const struct decision *d, struct tokens host, slice name,
    bool *ret_unsure)
{
	struct map_hit hit;
	enum map_result result = map_find(d->policy->domaintable,
	    host_unquoted(d->arena, name), d->arena, &hit);

	if (result == MAP_MISSING)
		return host;
	trace_lookup(d->trace, "domaintable", name, result, &hit);
	if (result == MAP_FOUND)
		return tokens_from(d->arena, hit.value, NULL);
	*ret_unsure = true;
	return host;
}

/* Ruleset 96. */
static struct tokens
canonify_host(
    const struct decision *d, struct tokens host, bool *ret_unsure)
{
	slice name = tokens_join(d->arena, host);

	if (host.count == 0)
		return host;
	if (is_localhost(d, name))
		return own_host(d);
	if (host.count >= 3 && token_is(host, 0, '[') &&
	    token_is(host, host.count - 1, ']'))
		return class_has(d->policy->local, name) ? own_host(d) : host;
	if (d->policy->domaintable != NULL) {
		host = map_domain(d, host, name, ret_unsure);
		name = tokens_join(d->arena, host);
	}
	if (!d->policy->nocanonify && ends_with_word(host, SLICE("UUCP")))
		host = canonify_uucp_host(d, host);
	if (!has_final_dot(host))
		host = canonify_name(d, host, name);
	return strip_superfluous_dots(host);
}

static struct address
focused(const struct decision *d, struct tokens local, struct tokens host)
{
	struct address a = {.local = local, .has_host = true};

	a.host = canonify_host(d, host, &a.is_unsure);
	return a;
}

/* The last "@" that has something on both sides, or t.count. */
static size_t
find_focus(struct tokens t)
{
	for (size_t i = t.count; i > 2; i--) {
		if (token_is(t, i - 2, '@'))
			return i - 2;
	}
	return t.count;
}

static bool
canonify_bang(const struct decision *d, struct tokens t,
    struct address *ret_address)
{
	size_t bang = tokens_index(t, 1, '!');
	struct tokens host;

	if (bang + 1 >= t.count)
		return false;
	host = tokens_part(t, 0, bang);
	/* "a.b!u" is a domain already, "a!u" a UUCP name. */
	if (host.count < 3 || !token_is(t, bang - 2, '.')) {
		host = tokens_concat(d->arena, host,
		    tokens_from(d->arena, SLICE(".UUCP"), NULL));
	}
	*ret_address = focused(d, tokens_part(t, bang + 1, t.count), host);
	return true;
}

/* All "%" become "@", then all but the last "%" again. */
static struct tokens
swap_percents(struct arena *arena, struct tokens t, size_t *ret_focus)
{
	struct tokens swapped = tokens_concat(arena, t, nothing());
	size_t focus = t.count;

	for (size_t i = 0; i < t.count; i++) {
		if (token_is(t, i, '%') || token_is(t, i, '@')) {
			swapped.list[i] = SLICE("%");
			focus = i;
		}
	}
	*ret_focus = focus;
	return swapped;
}

struct address
address_canonify(const struct decision *d, struct tokens t)
{
	struct address address;
	size_t focus;

	if (t.count == 0)
		return (struct address){.is_null = true};
	t = strip_group(t);
	if (t.count == 0 || is_empty_list(t))
		return (struct address){.is_list = true};
	t = innermost(strip_bogus_semicolon(d->arena, t));
	if (t.count == 0)
		return (struct address){.is_null = true};
	t = strip_route(t);
	focus = find_focus(t);
	if (focus == t.count) {
		if (canonify_bang(d, t, &address))
			return address;
		t = swap_percents(d->arena, t, &focus);
	}
	if (focus == t.count)
		return (struct address){.local = t};
	return focused(d, tokens_part(t, 0, focus),
	    tokens_part(t, focus + 1, t.count));
}

/* Parse0: is it an address at all? */

static bool
set_fault(struct address_fault *ret_fault, const char *enhanced,
    const char *text)
{
	*ret_fault = (struct address_fault){enhanced, text, false};
	return false;
}

static bool
set_unsure(struct address_fault *ret_fault)
{
	*ret_fault = (struct address_fault){.enhanced = "4.3.0",
	    .text = "Temporary system failure. Please try again later.",
	    .is_temporary = true};
	return false;
}

/* A comma with something behind it that is no routing operator. */
static bool
has_bad_comma(struct tokens t, bool is_whole_address)
{
	size_t comma = tokens_index(t, 0, ',');

	for (; comma < t.count; comma = tokens_index(t, comma + 1, ',')) {
		if (comma + 1 == t.count)
			return !is_whole_address;
		if (!token_is_routing(t.list[comma + 1]))
			return true;
	}
	return false;
}

/* "[...]" and what follows it: "[a]:25" and "[a],b" pass, "[a]b" does not. */
static bool
check_literal(struct tokens host, bool *ret_is_literal,
    struct address_fault *ret_fault)
{
	size_t close = tokens_index(host, 1, ']');

	*ret_is_literal = false;
	if (!token_is(host, 0, '[') || close == host.count)
		return true;
	for (; close < host.count; close = tokens_index(host, close + 1, ']')) {
		if (close + 2 < host.count &&
		    (token_is(host, close + 1, ':') ||
			token_is(host, close + 1, ','))) {
			*ret_is_literal = true;
			return true;
		}
	}
	if (tokens_index(host, 1, ']') + 1 < host.count)
		return set_fault(ret_fault, "5.1.2", "Invalid address");
	*ret_is_literal = host.count > 2;
	return true;
}

static bool
check_host(struct tokens host, struct address_fault *ret_fault)
{
	bool is_literal;

	if (!check_literal(host, &is_literal, ret_fault))
		return false;
	if (!is_literal && tokens_index(host, 0, ':') < host.count)
		return set_fault(
		    ret_fault, "5.1.3", "Colon illegal in host name part");
	if (token_is(host, 0, '.'))
		return set_fault(ret_fault, "5.1.2", "Invalid host name");
	for (size_t i = 0; i + 1 < host.count; i++) {
		if (token_is(host, i, '.') && token_is(host, i + 1, '.'))
			return set_fault(
			    ret_fault, "5.1.2", "Invalid host name");
	}
	if (token_is(host, host.count - 1, '@'))
		return set_fault(ret_fault, "5.1.2", "Invalid route address");
	return true;
}

static bool
check_syntax(struct address *a, struct address_fault *ret_fault)
{
	if (a->is_list)
		return set_fault(ret_fault, "5.1.3",
		    "List:; syntax illegal for recipient addresses");
	/* "@@host" */
	if (a->has_host && a->local.count == 1 && token_is(a->local, 0, '@'))
		a->local = nothing();
	if (a->has_host && a->local.count == 0)
		return set_fault(ret_fault, "5.1.3", "User address required");
	if (a->has_host && a->host.count == 0)
		return set_fault(ret_fault, "5.1.3", "Hostname required");
	if (a->has_host && !check_host(a->host, ret_fault))
		return false;
	if (a->has_host && tokens_index(a->local, 0, '@') < a->local.count)
		return set_fault(ret_fault, "5.1.3", "Invalid route address");
	if (has_bad_comma(a->local, !a->has_host) ||
	    has_bad_comma(a->host, false))
		return set_fault(ret_fault, "5.1.3", "Invalid route address");
	return true;
}

static bool
is_local_host(const struct decision *d, const struct address *a)
{
	struct tokens name = a->host;

	if (!has_final_dot(name))
		return false;
	name.count--;
	return class_has(d->policy->local, tokens_join(d->arena, name));
}

bool
address_is_local_marker(const struct address *a)
{
	return a->host.count == 1 &&
	    token_is_word(a->host, 0, SLICE("*LOCAL*"));
}

/* An unqualified address of several tokens is looked into no further. */
static bool
is_ours_to_peel(const struct decision *d, const struct address *a)
{
	if (!a->has_host)
		return a->local.count == 1;
	return is_local_host(d, a) || address_is_local_marker(a);
}

bool
address_parse(const struct decision *d, struct tokens t,
    struct address *ret_address, struct address_fault *ret_fault)
{
	for (unsigned round = 0; round < MAX_ROUNDS; round++) {
		struct address a = address_canonify(d, t);

		if (a.is_null) {
			*ret_address = a;
			return true;
		}
		if (a.is_unsure)
			return set_unsure(ret_fault);
		if (!check_syntax(&a, ret_fault))
			return false;
		if (is_ours_to_peel(d, &a)) {
			if (!address_is_local_marker(&a))
				a.local = tokens_dequote(d->arena, a.local);
			if (a.local.count == 0)
				return set_fault(ret_fault, "5.1.3",
				    "User address required");
			if (tokens_have_routing(a.local)) {
				t = a.local;
				continue;
			}
		}
		if (address_is_local_marker(&a)) {
			a.has_host = false;
			a.host = nothing();
		}
		*ret_address = a;
		return true;
	}
	return set_fault(ret_fault, "5.0.0", "excessive recursion in address");
}

bool
address_parse_text(const struct decision *d, slice text,
    struct address *ret_address, struct address_fault *ret_fault)
{
	const char *problem;
	struct tokens t = tokens_from(d->arena, text, &problem);

	if (problem != NULL)
		return set_fault(ret_fault, "5.0.0", problem);
	return address_parse(d, t, ret_address, ret_fault);
}

void
address_strip_dots(struct address *address)
{
	while (address->host.count > 1 && has_final_dot(address->host))
		address->host.count--;
}

slice
address_host(const struct decision *d, const struct address *address)
{
	return arena_copy_lower(
	    d->arena, tokens_join_with(d->arena, address->host, ' '));
}

slice
address_local(const struct decision *d, const struct address *address)
{
	return tokens_join(d->arena, address->local);
}

/* "u%a@b" with a and b both ours is "u@a". */
static void
drop_own_detour(const struct decision *d, struct address *a)
{
	const struct class *local = d->policy->local;

	while (class_has(local, tokens_join(d->arena, a->host))) {
		size_t percent = tokens_last_index(a->local, '%');
		struct tokens host = tokens_part(
		    a->local, percent + 1, a->local.count);

		if (percent == 0 || percent >= a->local.count ||
		    !class_has(local, tokens_join(d->arena, host)))
			return;
		a->host = host;
		a->local = tokens_part(a->local, 0, percent);
	}
}

/* Ruleset 4. */
slice
address_external(const struct decision *d, const struct address *address)
{
	struct address a = *address;
	slice local;

	if (a.is_null || a.is_list)
		return SLICE("");
	if (!a.has_host)
		return address_local(d, &a);
	if (address_is_local_marker(&a))
		a.host = own_host(d);
	address_strip_dots(&a);
	drop_own_detour(d, &a);
	local = address_local(d, &a);
	if (a.host.count == 3 && ends_with_word(a.host, SLICE("UUCP")))
		return arena_printf(d->arena, SLICE_FMT "!" SLICE_FMT,
		    SLICE_ARG(a.host.list[0]), SLICE_ARG(local));
	return arena_printf(d->arena, SLICE_FMT "@" SLICE_FMT,
	    SLICE_ARG(local), SLICE_ARG(tokens_join(d->arena, a.host)));
}

slice
address_sender_macro(const struct decision *d, slice sender)
{
	struct address a =
	    address_canonify(d, tokens_from(d->arena, sender, NULL));

	return address_external(d, &a);
}
