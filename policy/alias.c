/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/alias.h"

#include "policy/access.h"
#include "policy/alias_walk.h"
#include "policy/path.h"
#include "policy/rewrite.h"
#include "policy/token.h"

/* Is this user where mail for the address would go without us? Not when only
 * the domaintable makes it a domain of ours. */
static bool
is_user_typed(const struct decision *d, slice typed, slice user)
{
	size_t at = slice_last_index(typed, '@');
	slice host = slice_from(typed, at + 1);
	struct tokens t = tokens_from(d->arena, slice_first(typed, at), NULL);
	slice local = user_plain(
	    d->arena, tokens_join(d->arena, tokens_dequote(d->arena, t)));

	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;
	return slice_eq_nocase(local, user) &&
	       (at == typed.len || class_has(d->policy->local, host));
}

static bool
is_as_typed(const struct decision *d, slice typed, const struct target *t,
    slice address)
{
	return slice_eq_nocase(typed, address) ||
	       (t->kind == TARGET_USER && is_user_typed(d, typed, address));
}

static slice
owner_of(const struct target *t)
{
	while (t != NULL && t->owner.len == 0)
		t = t->parent;
	return t == NULL ? SLICE("") : t->owner;
}

static slice
own_owner(const struct walk *w)
{
	const struct target *t = w->targets.first;

	while (t != NULL && (!t->is_primary || t->owner.len == 0))
		t = t->next;
	return t == NULL ? SLICE("") : t->owner;
}

/* There is one envelope, and so one sender. */
static slice
common_owner(const struct walk *w)
{
	slice common = SLICE("");
	bool is_first = true;

	for (const struct target *t = w->targets.first; t != NULL;
	     t = t->next) {
		slice owner = owner_of(t);

		if (!target_is_living(t))
			continue;
		if (!is_first && !slice_eq_nocase(owner, common))
			return own_owner(w);
		common = owner;
		is_first = false;
	}
	return common;
}

static slice
owner_address(
    const struct decision *d, const struct walk *w, slice sender, bool *failed)
{
	struct rewrite how = {.role = REWRITE_ENVELOPE_SENDER};
	struct decision inner = *d;
	slice owner = common_owner(w);

	inner.arena = w->d->arena;
	if (owner.len > 0)
		owner = rewrite_address(&inner, &how, owner, failed);
	return slice_eq_nocase(owner, path_address(slice_trim(sender)))
		   ? SLICE("")
		   : arena_copy(d->arena, owner);
}

static size_t
count_living(const struct walk *w)
{
	size_t count = 0;

	for (const struct target *t = w->targets.first; t != NULL; t = t->next)
		count += target_is_living(t);
	return count;
}

static void
list_living(
    const struct decision *d, struct walk *w, slice typed, struct expansion *e)
{
	bool has_own = false;

	e->addresses = ARENA_ARRAY(d->arena, slice, count_living(w));
	for (struct target *t = w->targets.first; t != NULL; t = t->next) {
		slice address;

		if (!targets_take(&w->targets, t, &address))
			continue;
		if (!has_own && is_as_typed(d, typed, t, address)) {
			has_own = true;
			e->own = e->count;
		}
		e->addresses[e->count++] = arena_copy(d->arena, address);
	}
	if (!has_own)
		e->own = e->count;
}

static const struct target *
first_living(const struct walk *w)
{
	const struct target *t = w->targets.first;

	while (!target_is_living(t))
		t = t->next;
	return t;
}

static struct expansion
expansion_of(const struct decision *d, struct walk *w, slice recipient)
{
	struct expansion e = {.kind = EXPANSION_SET};
	const struct target *only = first_living(w);
	bool failed = false;

	list_living(d, w, path_address(slice_trim(recipient)), &e);
	if (e.count == 1 && e.own == 0)
		e.kind = only->is_left ? EXPANSION_MTA : EXPANSION_SAME;
	e.owner = owner_address(d, w, d->session->sender, &failed);
	if (failed)
		return (struct expansion){.kind = EXPANSION_TEMPFAIL,
		    .error = access_tempfail("aliases")};
	return e;
}

static struct verdict
copied(struct arena *arena, struct verdict verdict)
{
	verdict.enhanced = arena_copy(arena, verdict.enhanced);
	verdict.text = arena_copy(arena, verdict.text);
	verdict.about = arena_copy(arena, verdict.about);
	return verdict;
}

struct expansion
expand_recipient(const struct decision *d, slice recipient)
{
	/* What ten thousand members leave behind need not stay until the
	 * message ends. */
	struct arena *scratch = arena_new(0);
	struct decision inner = *d;
	struct walk w;
	struct expansion e;

	inner.arena = scratch;
	walk_aliases(&inner, recipient, &w);
	if (w.outcome == EXPANSION_SET)
		e = expansion_of(d, &w, recipient);
	else
		e = (struct expansion){
		    .kind = w.outcome, .error = copied(d->arena, w.error)};
	arena_free(scratch);
	return e;
}

const char *
alias_key(const struct decision *d, slice name, slice *ret_key)
{
	static const char not_local[] = "cannot alias non-local names";
	struct route route = route_find(d, name);

	if (route.kind == ROUTE_ERROR)
		return arena_cstr(d->arena, route.error.text);
	if (route.kind != ROUTE_LOCAL || route.user.len == 0 ||
	    user_special(route.user) != SPECIAL_NONE)
		return not_local;
	*ret_key = arena_copy_lower(d->arena, route.user);
	return NULL;
}

bool
alias_include(const struct decision *d, slice member, slice *ret_path)
{
	struct route route = route_find(d, member);

	if (route.kind != ROUTE_LOCAL ||
	    user_special(route.user) != SPECIAL_INCLUDE)
		return false;
	*ret_path = user_include_path(d->arena, route.user);
	return true;
}
