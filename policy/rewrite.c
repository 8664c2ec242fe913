/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/rewrite.h"

#include "policy/address.h"
#include "policy/host.h"
#include "policy/match.h"
#include "policy/template.h"

/* One address on its way. */
struct work {
	const struct decision *d;
	struct address a;
	bool is_done; /* no masquerading any more */
	bool failed;  /* a map could not answer */
};

/* An address of this host without a host of its own. */
static void
set_unqualified(struct work *w, bool is_qualified_later)
{
	w->a.has_host = is_qualified_later;
	w->a.host = is_qualified_later
	    ? tokens_from(w->d->arena, SLICE("*LOCAL*"), NULL)
	    : (struct tokens){NULL, 0};
}

/* "host!user" for a UUCP name, with this host as its domain. */
static void
keep_uucp_form(struct work *w)
{
	struct tokens host = w->a.host;
	slice path;

	if (host.count < 4 || !token_is(host, host.count - 1, '.') ||
	    !token_is_word(host, host.count - 2, SLICE("UUCP")))
		return;
	path = arena_printf(w->d->arena, SLICE_FMT "!" SLICE_FMT,
	    SLICE_ARG(tokens_join(
		w->d->arena, tokens_part(host, 0, host.count - 3))),
	    SLICE_ARG(address_local(w->d, &w->a)));
	w->a.local = tokens_from(w->d->arena, path, NULL);
	set_unqualified(w, true);
}

static bool
is_canonical(const struct address *a)
{
	return a->has_host && token_is(a->host, a->host.count - 1, '.');
}

/* The host as classes know it, without the final dot. */
static slice
host_name(const struct work *w)
{
	struct address plain = w->a;

	address_strip_dots(&plain);
	return tokens_join(w->d->arena, plain.host);
}

/* genericstable */

static bool
find_generic(struct work *w, slice key, slice argument, slice *ret_value)
{
	struct arena *arena = w->d->arena;
	enum map_result result;
	struct map_hit hit;

	key = host_unquoted(arena, key);
	result = map_find(w->d->policy->genericstable, key, arena, &hit);
	trace_lookup(w->d->trace, "genericstable", key, result, &hit);
	switch (result) {
	case MAP_FOUND:
		*ret_value = template_fill(
		    arena, hit.value, (slice[]){key, argument}, 2);
		return true;
	case MAP_MISSING:
		return false;
	case MAP_TEMPFAIL:
		break;
	}
	w->failed = true;
	return false;
}

struct local_part {
	slice whole;
	slice base;   /* before "+" */
	slice detail; /* behind it */
	bool has_detail;
};

static struct local_part
split_local(const struct work *w)
{
	struct arena *arena = w->d->arena;
	struct tokens t = w->a.local;
	size_t plus = tokens_index(t, 1, '+');
	struct local_part part = {.whole = tokens_join(arena, t)};

	part.base = part.whole;
	part.has_detail = plus < t.count;
	if (!part.has_detail)
		return part;
	part.base = tokens_join(arena, tokens_part(t, 0, plus));
	part.detail = tokens_join(arena, tokens_part(t, plus + 1, t.count));
	return part;
}

static slice
key_of(const struct work *w, slice local, const char *middle, slice host)
{
	return arena_printf(w->d->arena, SLICE_FMT "%s" SLICE_FMT,
	    SLICE_ARG(local), middle, SLICE_ARG(host));
}

/* A result that begins with @, %1 of an empty detail, is to sendmail's rules
 * their own mark of an address that was not found. */
static bool
find_by_address(
    struct work *w, const struct local_part *p, slice host, slice *ret_value)
{
	if (!find_generic(w, key_of(w, p->whole, "@", host), SLICE(""),
		ret_value) &&
	    !(p->has_detail &&
		(find_generic(w, key_of(w, p->base, "+*@", host), p->detail,
		     ret_value) ||
		    find_generic(w, key_of(w, p->base, "@", host), SLICE(""),
			ret_value))))
		return false;
	return !slice_has_prefix_nocase(*ret_value, SLICE("@"));
}

/* The order of keys: user+detail@host, user+*@host, user@host, @host,
 * user+detail, user+*, user. */
static bool
find_in_generics(struct work *w, slice host, slice *ret_value)
{
	struct local_part p = split_local(w);

	if (find_by_address(w, &p, host, ret_value))
		return true;
	if (is_canonical(&w->a) &&
	    find_generic(w, key_of(w, SLICE(""), "@", host), p.whole,
		ret_value))
		return true;
	if (find_generic(w, p.whole, SLICE(""), ret_value))
		return true;
	return p.has_detail &&
	    (find_generic(w, key_of(w, p.base, "+*", SLICE("")), p.detail,
		 ret_value) ||
		find_generic(w, p.base, SLICE(""), ret_value));
}

static void
apply_genericstable(struct work *w)
{
	const struct policy *p = w->d->policy;
	bool is_here = address_is_local_marker(&w->a);
	slice host = is_here ? p->hostname : host_name(w);
	slice value;
	struct tokens t;

	if (p->genericstable == NULL || w->a.local.count == 0)
		return;
	if (!is_here &&
	    (!is_canonical(&w->a) ||
		!(p->generics_entire_domain
			? match_end(p->generics_domain, host)
			: class_has(p->generics_domain, host))))
		return;
	if (!find_in_generics(w, host, &value))
		return;
	t = tokens_from(w->d->arena, value, NULL);
	/* A qualified result is final, another one is of this host. */
	w->is_done = tokens_index(t, 0, '@') < t.count;
	if (t.count == 0) {
		w->is_done = false;
		return;
	}
	if (w->is_done) {
		w->a = address_canonify(w->d, t);
		w->failed |= w->a.is_unsure;
		return;
	}
	w->a = (struct address){.local = t};
	set_unqualified(w, true);
}

/* Masquerading */

static bool
is_masqueraded_domain(const struct policy *p, slice host)
{
	return p->masquerade_entire_domain
	    ? match_end(p->masquerade_domain, host)
	    : class_has(p->masquerade_domain, host);
}

static void
set_host(struct work *w, slice host)
{
	w->a.host = tokens_from(w->d->arena, host, NULL);
	w->a.has_host = true;
}

static void
masquerade(struct work *w)
{
	const struct policy *p = w->d->policy;
	bool is_here = address_is_local_marker(&w->a);
	slice host = host_name(w);
	bool is_ours;

	if (!w->a.has_host)
		return;
	if (is_canonical(&w->a) && match_end(p->masquerade_exception, host))
		return;
	if (is_here)
		set_host(w, p->hostname);
	if (p->masquerade_as.len == 0)
		return;
	is_ours = is_here ||
	    (is_canonical(&w->a) &&
		(is_masqueraded_domain(p, host) ||
		    (!p->limited_masquerade && class_has(p->local, host))));
	if (is_ours && !class_has(p->exposed_user, address_local(w->d, &w->a)))
		set_host(w, p->masquerade_as);
}

/* Ruleset MasqHdr. */
static void
rewrite_as_header(struct work *w)
{
	apply_genericstable(w);
	if (!w->is_done)
		masquerade(w);
}

/* What "*LOCAL*" stands for where nothing is masqueraded. */
static void
rewrite_plainly(struct work *w)
{
	if (address_is_local_marker(&w->a))
		set_host(w, w->d->policy->hostname);
}

static void
rewrite_in_role(struct work *w, enum rewrite_role role)
{
	const struct policy *p = w->d->policy;

	switch (role) {
	case REWRITE_ENVELOPE_RECIPIENT:
		rewrite_plainly(w);
		return;
	case REWRITE_ENVELOPE_SENDER:
		if (p->masquerade_envelope)
			rewrite_as_header(w);
		else
			rewrite_plainly(w);
		return;
	case REWRITE_HEADER_SENDER:
		rewrite_as_header(w);
		return;
	case REWRITE_HEADER_RECIPIENT:
		if (p->allmasquerade)
			rewrite_as_header(w);
		else
			rewrite_plainly(w);
		return;
	}
}

slice
rewrite_address(const struct decision *d, const struct rewrite *rewrite,
    slice address, bool *ret_temp)
{
	struct work w = {.d = d};

	*ret_temp = false;
	w.a = address_canonify(d, tokens_from(d->arena, address, NULL));
	w.failed = w.a.is_unsure;
	if (w.a.is_null || w.a.is_list)
		return SLICE("");
	if (!rewrite->is_local_mail)
		keep_uucp_form(&w);
	if (!w.a.has_host &&
	    (!rewrite->is_local_mail || d->policy->always_add_domain))
		set_unqualified(&w, true);
	/* Route addresses and addresses without a user pass as they are. */
	if (w.a.local.count > 0)
		rewrite_in_role(&w, rewrite->role);
	*ret_temp = w.failed;
	return address_external(d, &w.a);
}

bool
rewrite_changes(const struct decision *d, const struct rewrite *rewrite,
    slice address, slice *ret_new, bool *ret_temp)
{
	slice plain = tokens_join(
	    d->arena, tokens_from(d->arena, address, NULL));

	*ret_new = rewrite_address(d, rewrite, address, ret_temp);
	return !*ret_temp && ret_new->len > 0 &&
	    !slice_eq_nocase(plain, *ret_new);
}
