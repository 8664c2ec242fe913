/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/audience.h"

#include "policy/alias.h"
#include "policy/virtuser.h"

#include <ctype.h>

#define NAME_BUCKETS 256

struct name {
	slice text;
	struct name *next;
};

struct names {
	struct name *buckets[NAME_BUCKETS];
};

struct audience {
	const struct decision *d;
	const struct message_input *input;
	struct expansion *expansions; /* of each recipient */
	struct names members;	      /* of all sets */
	struct names staying;
	size_t count;
	slice owner;
};

static const struct verdict too_many = {.kind = VERDICT_DEFER,
    .code = 452,
    .enhanced = SLICE_INIT("4.5.3"),
    .text = SLICE_INIT("Too many recipients"),
    .rule = "rewrite"};

static size_t
bucket_of(slice text)
{
	unsigned hash = 2166136261U;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned)tolower((unsigned char)text.ptr[i])) *
		       16777619U;
	return hash % NAME_BUCKETS;
}

/* Users of ours are the same in any case, and so are domains. */
static bool
is_same_name(slice a, slice b)
{
	size_t at = slice_index(a, '@') == a.len ? 0 : slice_last_index(a, '@');

	return slice_eq_nocase(a, b) &&
	       slice_eq(slice_first(a, at), slice_first(b, at));
}

static bool
has_name(const struct names *names, slice text)
{
	const struct name *name = names->buckets[bucket_of(text)];

	while (name != NULL && !is_same_name(name->text, text))
		name = name->next;
	return name != NULL;
}

static void
add_name(struct arena *arena, struct names *names, slice text)
{
	struct name **bucket = &names->buckets[bucket_of(text)];
	struct name *name;

	if (has_name(names, text))
		return;
	name = ARENA_NEW(arena, struct name);
	name->text = text;
	name->next = *bucket;
	*bucket = name;
}

/* The user that the MTA, which has none of our tables, takes a recipient for;
 * empty if it is none of its own. */
static slice
user_for_mta(const struct decision *d, slice recipient)
{
	struct policy bare = *d->policy;
	struct decision inner = *d;
	struct route route;

	bare.domaintable = NULL;
	bare.virtusertable = NULL;
	inner.policy = &bare;
	inner.trace = NULL;
	route = route_find(&inner, recipient);
	return route.kind == ROUTE_LOCAL ? route.user : SLICE("");
}

/* The owner of a list is the sender of what goes to the list; with other
 * recipients beside it the sender stays, for there is but one. */
static void
meet_owner(struct audience *a, slice owner, bool is_first)
{
	if (is_first)
		a->owner = owner;
	else if (!slice_eq_nocase(a->owner, owner))
		a->owner = SLICE("");
}

static void
meet_set(struct audience *a, const struct expansion *e)
{
	for (size_t i = 0; i < e->count; i++)
		add_name(a->d->arena, i == e->own ? &a->staying : &a->members,
		    e->addresses[i]);
	a->count += e->count;
}

static bool
expand_all(struct audience *a, struct verdict *ret_verdict)
{
	for (size_t i = 0; i < a->input->recipient_count; i++) {
		struct expansion *e = &a->expansions[i];

		*e = expand_recipient(a->d, a->input->recipients[i]);
		if (e->kind == EXPANSION_ERROR ||
		    e->kind == EXPANSION_TEMPFAIL) {
			*ret_verdict = e->error;
			return false;
		}
		meet_owner(a, e->owner, i == 0);
		meet_set(a, e);
		if (a->count > AUDIENCE_MAX) {
			*ret_verdict = too_many;
			return false;
		}
	}
	return true;
}

static bool
is_to_go(const struct expansion *e)
{
	return e->kind == EXPANSION_SET && e->own == e->count;
}

/* Whose own place is taken by others stays for all that, if some other list
 * has him. */
static bool
stays(const struct audience *a, size_t i)
{
	slice user;

	if (!is_to_go(&a->expansions[i]))
		return true;
	user = user_for_mta(a->d, a->input->recipients[i]);
	return user.len > 0 && has_name(&a->members, user);
}

static void
find_staying(struct audience *a, bool *ret_stays)
{
	for (size_t i = 0; i < a->input->recipient_count; i++) {
		ret_stays[i] = stays(a, i);
		if (ret_stays[i] && is_to_go(&a->expansions[i]))
			add_name(a->d->arena, &a->staying,
			    user_for_mta(a->d, a->input->recipients[i]));
	}
}

static void
edit_one(
    const struct audience *a, size_t i, bool it_stays, struct edit_list *edits)
{
	const struct expansion *e = &a->expansions[i];
	slice recipient = a->input->recipients[i];

	for (size_t n = 0; e->kind == EXPANSION_SET && n < e->count; n++) {
		if (n == e->own)
			continue;
		edit_add(edits,
		    (struct edit){
			.kind = EDIT_ADD_RECIPIENT,
			.text = arena_printf(a->d->arena, "<" SLICE_FMT ">",
			    SLICE_ARG(e->addresses[n])),
			.before = recipient,
			.is_there = has_name(&a->staying, e->addresses[n]),
		    });
	}
	if (!it_stays)
		edit_add(edits, (struct edit){.kind = EDIT_DROP_RECIPIENT,
				    .text = recipient});
}

static void
edit_all(struct audience *a, struct edit_list *edits)
{
	size_t count = a->input->recipient_count;
	bool *they_stay = ARENA_ARRAY(a->d->arena, bool, count);

	find_staying(a, they_stay);
	for (size_t i = 0; i < count; i++)
		edit_one(a, i, they_stay[i], edits);
}

void
audience_edit(const struct decision *d, const struct message_input *input,
    struct message_result *result, slice *ret_owner)
{
	struct audience *a = ARENA_NEW(d->arena, struct audience);

	a->d = d;
	a->input = input;
	a->expansions =
	    ARENA_ARRAY(d->arena, struct expansion, input->recipient_count);
	if (!expand_all(a, &result->verdict))
		return;
	edit_all(a, &result->edits);
	*ret_owner = a->owner;
}
