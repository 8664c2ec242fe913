/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/alias_walk.h"

#include "base/strbuf.h"
#include "policy/access.h"
#include "policy/alias_list.h"
#include "policy/checks.h"

#define MAX_DEPTH 10

static const char rule[] = "aliases";

static void walk_target(struct walk *w, struct target *t, unsigned level);

static bool
is_well(const struct walk *w)
{
	return w->outcome == EXPANSION_SET;
}

static void
stop(struct walk *w, struct verdict error, slice about)
{
	if (!is_well(w))
		return;
	if (error.code == 450 || error.code == 550 || error.code == 553)
		error.about = about;
	w->error = error;
	w->outcome =
	    error.kind == VERDICT_DEFER ? EXPANSION_TEMPFAIL : EXPANSION_ERROR;
}

static void
refuse(struct walk *w, int code, const char *enhanced, slice text, slice about)
{
	stop(w, outcome_refusal(w->d, rule, code, enhanced, text).verdict,
	    about);
}

static void
stop_for_now(struct walk *w)
{
	stop(w, access_tempfail(rule), SLICE(""));
}

/*
 * Targets.
 */

bool
target_is_living(const struct target *t)
{
	return t->is_met && !t->is_dead;
}

static struct target *
new_target(struct walk *w, slice written, struct target *parent)
{
	struct target *t = ARENA_NEW(w->d->arena, struct target);

	t->written = written;
	t->parent = parent;
	*w->end = t;
	w->end = &t->next;
	return t;
}

static slice
without_escapes(struct arena *arena, slice text)
{
	struct strbuf plain;

	if (slice_index(text, '\\') == text.len)
		return text;
	strbuf_init(&plain, arena);
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '\\' || ++i < text.len)
			strbuf_add_char(&plain, text.ptr[i]);
	}
	return strbuf_slice(&plain);
}

slice
target_plain_user(struct arena *arena, slice user)
{
	return user.len > 0 && user.ptr[0] == '"'
		   ? user
		   : without_escapes(arena, user);
}

static slice
with_detail(struct arena *arena, const struct target *t)
{
	if (t->detail.len == 0)
		return t->name;
	return arena_printf(arena, SLICE_FMT "%s" SLICE_FMT, SLICE_ARG(t->name),
	    t->is_final ? "+" : "", SLICE_ARG(t->detail));
}

slice
target_address(const struct walk *w, const struct target *t)
{
	struct arena *arena = w->d->arena;

	if (t->kind != TARGET_USER)
		return t->name;
	return target_plain_user(
	    arena, t->is_stand_in ? t->name : with_detail(arena, t));
}

/* Domains in any case are the same, local parts are not. */
static bool
same_address(slice a, slice b)
{
	size_t at = slice_last_index(a, '@');

	return a.len == b.len && slice_eq_nocase(a, b) &&
	       slice_eq(slice_first(a, at), slice_first(b, at));
}

static bool
same_target(const struct target *a, const struct target *b)
{
	return a->kind == b->kind && same_address(a->name, b->name) &&
	       slice_eq(a->detail, b->detail);
}

/* All spellings of a name are in one bucket. */
static struct target **
bucket_of(struct walk *w, const struct target *t)
{
	unsigned hash = 2166136261U;

	for (size_t i = 0; i < t->name.len; i++) {
		char c = ascii_lower(t->name.ptr[i]);

		if (c != '\\')
			hash = (hash ^ (unsigned char)c) * 16777619U;
	}
	return &w->buckets[hash % WALK_BUCKETS];
}

/* False for one that was met before. As in sendmail the recipient itself does
 * not count for that: what leads back to it is a loop, found elsewhere. */
static bool
meet(struct walk *w, struct target *t)
{
	struct target **bucket = bucket_of(w, t);

	for (struct target *old = *bucket; old != NULL;
	     old = old->next_in_bucket) {
		if (!old->is_primary && same_target(old, t))
			return false;
	}
	t->next_in_bucket = *bucket;
	*bucket = t;
	t->is_met = true;
	return true;
}

bool
walk_take(struct walk *w, struct target *t, slice *ret_address)
{
	slice address;

	if (!target_is_living(t))
		return false;
	address = target_address(w, t);
	for (const struct target *old = *bucket_of(w, t); old != NULL;
	     old = old->next_in_bucket) {
		if (old->is_taken &&
		    same_address(target_address(w, old), address))
			return false;
	}
	t->is_taken = true;
	*ret_address = address;
	return true;
}

/* sendmail's special mailers, by how a user's name begins. */
enum special { SPECIAL_NONE, SPECIAL_PROGRAM, SPECIAL_FILE, SPECIAL_INCLUDE };

static enum special
special_of(slice user)
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

bool
target_is_plain(slice user)
{
	return special_of(user) == SPECIAL_NONE;
}

static void
refuse_special(struct walk *w, enum special special, slice about)
{
	static const char *const names[] = {
	    [SPECIAL_NONE] = "nobody",
	    [SPECIAL_PROGRAM] = "programs",
	    [SPECIAL_FILE] = "files",
	    [SPECIAL_INCLUDE] = ":include:s",
	};

	refuse(w, 550, "5.7.1",
	    arena_printf(
		w->d->arena, "Cannot mail directly to %s", names[special]),
	    about);
}

static bool
descends_from(const struct target *t, const struct target *ancestor)
{
	while (t != NULL && t != ancestor)
		t = t->parent;
	return t != NULL;
}

static bool
is_below_left(const struct target *t)
{
	for (; t != NULL; t = t->parent) {
		if (t->is_left)
			return true;
	}
	return false;
}

/* The alias that t, or the file t, belongs to stays as it is. */
static void
leave_to_mta(struct walk *w, struct target *t)
{
	while (t->kind == TARGET_INCLUDE)
		t = t->parent;
	t->is_left = true;
	for (struct target *old = w->first; old != NULL; old = old->next) {
		if (old != t && descends_from(old, t))
			old->is_dead = true;
	}
	trace_add(w->d->trace, "aliases " SLICE_FMT ": left to the MTA",
	    SLICE_ARG(t->name));
}

static slice
include_path(struct arena *arena, slice user)
{
	if (user.ptr[0] == '"')
		user = without_escapes(
		    arena, slice_first(slice_from(user, 1), user.len - 2));
	return slice_from(user, SLICE(":include:").len);
}

static void
set_local(struct walk *w, struct target *t, slice user)
{
	if (special_of(user) == SPECIAL_INCLUDE) {
		t->kind = TARGET_INCLUDE;
		t->name = include_path(w->d->arena, user);
		return;
	}
	t->kind = TARGET_USER;
	t->name = arena_copy_lower(w->d->arena, user);
	t->is_quoted = slice_index(user, '\\') < user.len;
}

/* NULL when there is nothing more to do: an error, or left to the MTA. */
static struct target *
target_from(struct walk *w, slice written, struct target *parent)
{
	struct route route = route_find(w->d, written);
	struct target *t = new_target(w, written, parent);
	enum special special;

	t->is_primary = parent == NULL;
	switch (route.kind) {
	case ROUTE_ERROR:
	case ROUTE_TEMPFAIL:
		stop(w, route.error, written);
		return NULL;
	case ROUTE_REMOTE:
		t->kind = TARGET_ADDRESS;
		t->name = route.address;
		return t;
	case ROUTE_LOCAL:
		break;
	}
	special = special_of(route.user);
	if (parent == NULL && special != SPECIAL_NONE) {
		refuse_special(w, special, written);
		return NULL;
	}
	if (special == SPECIAL_PROGRAM || special == SPECIAL_FILE) {
		leave_to_mta(w, parent);
		return NULL;
	}
	set_local(w, t, route.user);
	return t;
}

/* Without a port everybody is a user. */
static bool
is_user(struct walk *w, const struct target *t)
{
	const struct ports *ports = w->d->ports;

	if (ports->find_user == NULL)
		return true;
	switch (ports->find_user(ports->context, w->d->arena,
	    target_plain_user(w->d->arena, t->name))) {
	case WORLD_FOUND:
		return true;
	case WORLD_NONE:
		return false;
	case WORLD_TEMPFAIL:
		break;
	}
	stop_for_now(w);
	return false;
}

/*
 * Lists.
 */

/* Who gets the mail of a loop that t would close: the first on the way back
 * who is a user of this host. NULL where there is no loop, or nobody. */
static struct target *
loop_keeper(struct walk *w, struct target *t)
{
	struct target *top = t->parent;

	while (top != NULL && !same_target(t, top))
		top = top->parent;
	if (top == NULL)
		return NULL;
	for (struct target *at = t; at != NULL; at = at->parent) {
		if (at->kind == TARGET_USER && is_user(w, at))
			return same_target(at, top) ? top : at;
	}
	return NULL;
}

/* False where t closes a loop and is not wanted. */
static bool
break_loop(struct walk *w, struct target *t)
{
	struct target *keeper;

	if (same_target(t, t->parent))
		t->parent->refers_to_itself = true;
	keeper = loop_keeper(w, t);
	if (keeper != NULL)
		keeper->refers_to_itself = true;
	return keeper == NULL || keeper == t;
}

static bool
count_member(struct walk *w)
{
	if (++w->members <= EXPANSION_MAX)
		return true;
	refuse(
	    w, 451, "4.3.0", SLICE("Too many addresses in aliases"), SLICE(""));
	return false;
}

static void
walk_list(struct walk *w, slice list, struct target *parent, unsigned level)
{
	struct target *members = NULL; /* the last one first */
	slice written;

	while (alias_list_next(&list, &written)) {
		struct target *t;

		if (!count_member(w))
			return;
		t = target_from(w, written, parent);
		if (t == NULL)
			return;
		if (!break_loop(w, t))
			continue;
		t->next_to_walk = members;
		members = t;
	}
	while (members != NULL && is_well(w)) {
		struct target *t = members;

		members = t->next_to_walk;
		walk_target(w, t, level);
	}
}

static void
refuse_include(
    struct walk *w, const struct target *t, int code, const char *enhanced)
{
	refuse(w, code, enhanced,
	    arena_printf(
		w->d->arena, "Cannot open " SLICE_FMT, SLICE_ARG(t->name)),
	    t->written);
}

static void
walk_include(struct walk *w, struct target *t, unsigned level)
{
	const struct ports *ports = w->d->ports;
	enum world_answer answer = WORLD_NONE;
	slice text;
	slice line;

	t->is_dead = true;
	if (ports->read_include != NULL)
		answer = ports->read_include(ports->context, w->d->arena,
		    t->name, w->d->policy->allow_unsafe_files, &text);
	trace_add(w->d->trace, "include " SLICE_FMT ": %s", SLICE_ARG(t->name),
	    answer == WORLD_FOUND ? "read" : "cannot be read");
	switch (answer) {
	case WORLD_NONE:
		refuse_include(w, t, 550, "5.2.4");
		return;
	case WORLD_TEMPFAIL:
		refuse_include(w, t, 451, "4.2.4");
		return;
	case WORLD_FOUND:
		break;
	}
	while (
	    is_well(w) && !is_below_left(t) && include_next_line(&text, &line))
		walk_list(w, line, t, level + 1);
}

/*
 * Users.
 */

static bool
find_alias(struct walk *w, slice name, slice *ret_value)
{
	struct map_hit hit;

	if (w->d->policy->aliases == NULL)
		return false;
	switch (map_find(w->d->policy->aliases, name, &hit)) {
	case MAP_FOUND:
		trace_add(w->d->trace,
		    "aliases " SLICE_FMT ": " SLICE_FMT " (%s:%u)",
		    SLICE_ARG(name), SLICE_ARG(hit.value), hit.file, hit.line);
		*ret_value = hit.value;
		return true;
	case MAP_MISSING:
		trace_add(
		    w->d->trace, "aliases " SLICE_FMT ": -", SLICE_ARG(name));
		return false;
	case MAP_TEMPFAIL:
		break;
	}
	stop_for_now(w);
	return false;
}

/* A list of owners, or one who is no plain address, is called by its name. */
static bool
is_plain_owner(slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (c == ',' || c == ':' || c == '/' || c == '|' || c == '"')
			return false;
	}
	return true;
}

static void
find_owner(struct walk *w, struct target *t)
{
	slice key = SLICE("owner-owner");
	slice value;

	if (!slice_has_prefix_nocase(t->name, SLICE("owner-")))
		key = arena_printf(
		    w->d->arena, "owner-" SLICE_FMT, SLICE_ARG(t->name));
	if (find_alias(w, key, &value))
		t->owner = is_plain_owner(value) ? slice_trim(value) : key;
}

static void
walk_alias(struct walk *w, struct target *t, slice value, unsigned level)
{
	t->refers_to_itself = false;
	t->is_dead = true;
	walk_list(w, value, t, level + 1);
	if (t->refers_to_itself || t->is_left)
		t->is_dead = false;
	if (is_well(w) && !t->is_left)
		find_owner(w, t);
}

static struct target *
target_like(struct walk *w, struct target *t, slice name, slice detail)
{
	struct target *new = new_target(w, t->written, t);

	new->name = name;
	new->detail = detail;
	new->is_primary = t->is_primary;
	new->is_quoted = slice_index(name, '\\') < name.len;
	return new;
}

/* "error:5.7.1:550 text", "error:nouser:text", "error:text" */
static void
refuse_unknown(struct walk *w, slice value, slice about)
{
	slice status = SLICE("");
	size_t colon = slice_index(value, ':');

	if (colon < value.len && slice_index(value, ' ') > colon) {
		status = slice_first(value, colon);
		value = slice_from(value, colon + 1);
	}
	stop(
	    w, access_refusal(w->d, status, text_of(w->d, value), rule), about);
}

/* luser_relay: "local:user", "error:...", "mailer:host" or "host". */
static struct target *
relayed_user(struct walk *w, struct target *t)
{
	slice place = w->d->policy->luser_relay;
	size_t colon = slice_index(place, ':');
	slice mailer = SLICE("");
	struct target *new = target_like(w, t, SLICE(""), SLICE(""));

	if (colon < place.len && place.ptr[0] != '[') {
		mailer = slice_first(place, colon);
		place = slice_from(place, colon + 1);
	}
	if (slice_eq_nocase(mailer, SLICE("error"))) {
		refuse_unknown(w, place, t->written);
		return NULL;
	}
	new->is_final = true;
	if (slice_eq_nocase(mailer, SLICE("local"))) {
		set_local(w, new, place);
		new->is_stand_in = true;
		new->detail = with_detail(w->d->arena, t);
		return new;
	}
	new->kind = TARGET_ADDRESS;
	new->name = arena_printf(w->d->arena, SLICE_FMT "@" SLICE_FMT,
	    SLICE_ARG(with_detail(w->d->arena, t)), SLICE_ARG(place));
	return new;
}

/*
 * Who is no alias is tried in another spelling (ruleset 5): user+detail as
 * user+*, that as user; then an unknown user as luser_relay; last the user with
 * the detail back in its place. NULL where there is none.
 */
static struct target *
next_spelling(struct walk *w, struct target *t)
{
	struct arena *arena = w->d->arena;
	slice user = t->name;
	size_t plus = slice_index(slice_from(user, 1), '+') + 1;

	if (user.len == 0 || user.ptr[0] == '"')
		plus = user.len;
	if (user.len > 2 && plus < user.len &&
	    slice_has_suffix_nocase(user, SLICE("+*")))
		return target_like(
		    w, t, slice_first(user, user.len - 2), t->detail);
	if (plus < user.len)
		return target_like(w, t,
		    arena_printf(arena, SLICE_FMT "+*",
			SLICE_ARG(slice_first(user, plus))),
		    slice_from(user, plus));
	if (w->d->policy->luser_relay.len > 0) {
		if (!is_user(w, t))
			return is_well(w) ? relayed_user(w, t) : NULL;
		/* Asking sendmail's map "user" unquotes. */
		user = target_plain_user(arena, user);
	}
	if (t->detail.len == 0)
		return NULL;
	t = target_like(w, t, user, slice_from(t->detail, 1));
	t->is_final = true;
	return t;
}

static void
walk_user(struct walk *w, struct target *t, unsigned level)
{
	struct target *next;
	slice value;

	if (!t->is_quoted && find_alias(w, t->name, &value))
		walk_alias(w, t, value, level);
	if (!is_well(w) || t->is_dead || t->is_final || t->is_left)
		return;
	next = next_spelling(w, t);
	if (next == NULL)
		return;
	t->is_dead = true;
	walk_target(w, next, level + 1);
}

/*
 * The walk.
 */

static void
walk_target(struct walk *w, struct target *t, unsigned level)
{
	if (is_below_left(t->parent))
		return;
	if (level > MAX_DEPTH) {
		refuse(w, 554, "5.4.6",
		    arena_printf(w->d->arena,
			"aliasing/forwarding loop broken (%u aliases deep; "
			"%d max)",
			level, MAX_DEPTH),
		    t->written);
		return;
	}
	if (!meet(w, t))
		return;
	switch (t->kind) {
	case TARGET_USER:
		walk_user(w, t, level);
		break;
	case TARGET_INCLUDE:
		walk_include(w, t, level);
		break;
	case TARGET_ADDRESS:
		break;
	}
}

static bool
leads_to_nobody(const struct walk *w)
{
	for (const struct target *t = w->first; t != NULL; t = t->next) {
		if (target_is_living(t))
			return false;
	}
	return true;
}

void
walk_aliases(const struct decision *d, slice recipient, struct walk *w)
{
	struct target *t;

	*w = (struct walk){.d = d, .outcome = EXPANSION_SET};
	w->end = &w->first;
	t = target_from(w, recipient, NULL);
	if (t != NULL)
		walk_target(w, t, 0);
	if (is_well(w) && leads_to_nobody(w))
		refuse(w, 554, "5.4.6",
		    SLICE("aliasing/forwarding loop broken"), recipient);
}
