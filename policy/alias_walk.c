/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/alias_walk.h"

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
	bool is_include = t->kind == TARGET_INCLUDE;

	while (t->kind == TARGET_INCLUDE)
		t = t->parent;
	t->is_left = true;
	/* Of an alias that has it itself no member was walked to. */
	for (struct target *old = t->next; is_include && old != NULL;
	     old = old->next) {
		if (target_descends_from(old, t))
			old->is_dead = true;
	}
	trace_add(w->d->trace, "aliases " SLICE_FMT ": left to the MTA",
	    SLICE_ARG(t->name));
}

/* NULL when there is nothing more to do: an error, or left to the MTA. */
static struct target *
target_from(struct walk *w, slice written, struct target *parent)
{
	struct route route = route_find(w->d, written);
	struct target *t = targets_add(&w->targets, written, parent);
	enum special special;

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
	if (user_plain(w->d->arena, route.user).len == 0) {
		refuse(w, 550, "5.1.1", SLICE("User unknown"), written);
		return NULL;
	}
	special = user_special(route.user);
	if (parent == NULL && special != SPECIAL_NONE) {
		refuse_special(w, special, written);
		return NULL;
	}
	if (special == SPECIAL_PROGRAM || special == SPECIAL_FILE) {
		leave_to_mta(w, parent);
		return NULL;
	}
	target_set_name(&w->targets, t, route.user);
	return t;
}

/* Without a port everybody is a user. */
static bool
is_user(struct walk *w, const struct target *t)
{
	const struct ports *ports = w->d->ports;

	if (ports->find_user == NULL)
		return true;
	switch (ports->find_user(
	    ports->context, w->d->arena, user_plain(w->d->arena, t->name))) {
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

	while (top != NULL && !target_is_same(t, top))
		top = top->parent;
	if (top == NULL)
		return NULL;
	for (struct target *at = t; at != NULL; at = at->parent) {
		if (at->kind == TARGET_USER && is_user(w, at))
			return target_is_same(at, top) ? top : at;
	}
	return NULL;
}

/* False where t closes a loop and is not wanted. */
static bool
break_loop(struct walk *w, struct target *t)
{
	struct target *keeper;

	if (target_is_same(t, t->parent))
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

static bool
is_comment(struct walk *w, slice written)
{
	return tokens_from(w->d->arena, written, NULL).count == 0;
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
		if (is_comment(w, written))
			continue;
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
		answer = ports->read_include(
		    ports->context, w->d->arena, t->name, w->d->policy, &text);
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
	enum map_result result;
	struct map_hit hit;

	if (w->d->policy->aliases == NULL)
		return false;
	result =
	    map_find(w->d->policy->aliases, name, w->d->arena, &hit);
	trace_lookup(w->d->trace, "aliases", name, result, &hit);
	switch (result) {
	case MAP_FOUND:
		*ret_value = hit.value;
		return true;
	case MAP_MISSING:
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
	struct target *new = targets_add(&w->targets, t->written, t);

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
		target_set_name(&w->targets, new, place);
		new->is_stand_in = true;
		new->detail = target_full_name(w->d->arena, t);
		return new;
	}
	new->kind = TARGET_ADDRESS;
	new->name = arena_printf(w->d->arena, SLICE_FMT "@" SLICE_FMT,
	    SLICE_ARG(target_full_name(w->d->arena, t)), SLICE_ARG(place));
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
	size_t plus = user_plus(user);

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
		user = user_plain(arena, user);
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
	if (!targets_meet(&w->targets, t))
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
	for (const struct target *t = w->targets.first; t != NULL;
	     t = t->next) {
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
	targets_init(&w->targets, d->arena);
	t = target_from(w, recipient, NULL);
	if (t != NULL)
		walk_target(w, t, 0);
	if (is_well(w) && leads_to_nobody(w))
		refuse(w, 554, "5.4.6",
		    SLICE("aliasing/forwarding loop broken"), recipient);
}
