/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/alias_target.h"

#include "base/strbuf.h"

void
targets_init(struct targets *targets, struct arena *arena)
{
	*targets = (struct targets){.arena = arena};
	targets->end = &targets->first;
}

struct target *
targets_add(struct targets *targets, slice written, struct target *parent)
{
	struct target *t = ARENA_NEW(targets->arena, struct target);

	t->written = written;
	t->parent = parent;
	t->is_primary = parent == NULL;
	*targets->end = t;
	targets->end = &t->next;
	return t;
}

/*
 * Users' names.
 */

enum special
user_special(slice user)
{
	if (user.len > 0 && user.ptr[0] == '"')
		user = slice_from(user, 1);
	if (user.len > 0 && user.ptr[0] == '|')
		return SPECIAL_PROGRAM;
	if (user.len > 0 && user.ptr[0] == '/')
		return SPECIAL_FILE;
	if (slice_has_prefix_nocase(user, SLICE(":include:")))
		return SPECIAL_INCLUDE;
	return SPECIAL_NONE;
}

/* May it stand in an address without a backslash? */
static bool
is_plain_char(char c)
{
	char lower = ascii_lower(c);

	return (lower >= 'a' && lower <= 'z') || ascii_is_digit(c) ||
	       c == '_' || c == '-' || (unsigned char)c > 0x7f;
}

/* Without those before plain characters and at the end. */
static slice
without_escapes(struct arena *arena, slice text)
{
	struct strbuf plain;

	if (slice_index(text, '\\') == text.len)
		return text;
	strbuf_init(&plain, arena);
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\\') {
			if (++i == text.len)
				break;
			if (!is_plain_char(text.ptr[i]))
				strbuf_add_char(&plain, '\\');
		}
		strbuf_add_char(&plain, text.ptr[i]);
	}
	return strbuf_slice(&plain);
}

slice
user_plain(struct arena *arena, slice user)
{
	return user.len > 0 && user.ptr[0] == '"'
		   ? user
		   : without_escapes(arena, user);
}

slice
user_include_path(struct arena *arena, slice user)
{
	struct strbuf plain;

	if (user.ptr[0] == '"') {
		strbuf_init(&plain, arena);
		for (size_t i = 0; i < user.len; i++) {
			if (user.ptr[i] == '\\' && i + 1 < user.len)
				strbuf_add_char(&plain, user.ptr[++i]);
			else if (user.ptr[i] != '"')
				strbuf_add_char(&plain, user.ptr[i]);
		}
		user = strbuf_slice(&plain);
	}
	return slice_from(user, SLICE(":include:").len);
}

void
target_set_name(struct targets *targets, struct target *t, slice user)
{
	if (user_special(user) == SPECIAL_INCLUDE) {
		t->kind = TARGET_INCLUDE;
		t->name = user_include_path(targets->arena, user);
		return;
	}
	t->kind = TARGET_USER;
	t->name = arena_copy_lower(targets->arena, user);
	t->is_quoted = slice_index(user, '\\') < user.len;
}

size_t
user_plus(slice user)
{
	if (user.len > 0 && user.ptr[0] == '"')
		return user.len;
	for (size_t i = 0; i < user.len; i++) {
		if (user.ptr[i] == '\\')
			i++;
		else if (user.ptr[i] == '+' && i > 0)
			return i;
	}
	return user.len;
}

slice
target_full_name(struct arena *arena, const struct target *t)
{
	if (t->detail.len == 0)
		return t->name;
	return arena_printf(arena, SLICE_FMT "%s" SLICE_FMT, SLICE_ARG(t->name),
	    t->is_final ? "+" : "", SLICE_ARG(t->detail));
}

slice
target_address(struct arena *arena, const struct target *t)
{
	if (t->kind != TARGET_USER)
		return t->name;
	return user_plain(
	    arena, t->is_stand_in ? t->name : target_full_name(arena, t));
}

/*
 * Which are the same.
 */

bool
target_is_living(const struct target *t)
{
	return t->is_met && !t->is_dead;
}

bool
target_descends_from(const struct target *t, const struct target *ancestor)
{
	while (t != NULL && t != ancestor)
		t = t->parent;
	return t != NULL;
}

/* Domains in any case are the same, local parts are not. */
static bool
same_address(slice a, slice b)
{
	size_t at = slice_last_index(a, '@');

	return a.len == b.len && slice_eq_nocase(a, b) &&
	       slice_eq(slice_first(a, at), slice_first(b, at));
}

bool
target_is_same(const struct target *a, const struct target *b)
{
	return a->kind == b->kind && same_address(a->name, b->name) &&
	       slice_eq(a->detail, b->detail);
}

/* All spellings of a name are in one bucket. */
static struct target **
bucket_of(struct targets *targets, const struct target *t)
{
	unsigned hash = 2166136261U;

	for (size_t i = 0; i < t->name.len; i++) {
		char c = ascii_lower(t->name.ptr[i]);

		if (c != '\\')
			hash = (hash ^ (unsigned char)c) * 16777619U;
	}
	return &targets->buckets[hash % TARGET_BUCKETS];
}

bool
targets_meet(struct targets *targets, struct target *t)
{
	struct target **bucket = bucket_of(targets, t);

	for (const struct target *old = *bucket; old != NULL;
	     old = old->next_in_bucket) {
		if (!old->is_primary && target_is_same(old, t))
			return false;
	}
	t->next_in_bucket = *bucket;
	*bucket = t;
	t->is_met = true;
	return true;
}

bool
targets_take(struct targets *targets, struct target *t, slice *ret_address)
{
	struct arena *arena = targets->arena;
	slice address;

	if (!target_is_living(t))
		return false;
	address = target_address(arena, t);
	for (const struct target *old = *bucket_of(targets, t); old != NULL;
	     old = old->next_in_bucket) {
		if (old->is_taken &&
		    same_address(target_address(arena, old), address))
			return false;
	}
	t->is_taken = true;
	*ret_address = address;
	return true;
}
