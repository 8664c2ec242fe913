/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/mailertable.h"

#include "policy/access.h"
#include "policy/template.h"
#include "policy/token.h"

static const char rule[] = "mailertable";

struct search {
	const struct decision *d;
	enum map_result result;
	slice value;
};

/* Arguments: the key itself, then "%1", "%2". True when the search is over
 * or goes on with another name. */
static bool
find_key(struct search *s, const slice *arguments, size_t count)
{
	struct map_hit hit;
	slice key = arguments[0];

	s->result = map_find(
	    s->d->policy->mailertable, key, s->d->arena, &hit);
	trace_lookup(s->d->trace, "mailertable", key, s->result, &hit);
	if (s->result == MAP_FOUND)
		s->value =
		    template_fill(s->d->arena, hit.value, arguments, count);
	return s->result != MAP_MISSING;
}

/* "mailer:..." A value without a mailer stands for another host to look for.
 */
static bool
has_mailer(struct tokens value)
{
	return value.count >= 2 && !token_is(value, 0, '[') &&
	       token_is(value, 1, ':');
}

static bool
is_way(const struct search *s)
{
	return s->result == MAP_TEMPFAIL ||
	       has_mailer(tokens_from(s->d->arena, s->value, NULL));
}

/* ".b.c" and ".c" for "a.b.c", then ".". */
static bool
find_parents(struct search *s, slice host)
{
	struct arena *arena = s->d->arena;
	struct tokens t = tokens_from(arena, host, NULL);
	slice all = host;

	for (size_t i = 0; i + 2 < t.count && token_is(t, i + 1, '.'); i += 2) {
		slice below = tokens_join(arena, tokens_part(t, 0, i + 1));
		slice parent =
		    tokens_join(arena, tokens_part(t, i + 2, t.count));
		slice arguments[3] = {
		    arena_printf(arena, "." SLICE_FMT, SLICE_ARG(parent)),
		    below, t.list[i]};

		if (!find_key(s, arguments, 3))
			continue;
		if (is_way(s))
			return true;
		all = tokens_join(
		    arena, tokens_concat(arena, tokens_part(t, 0, i + 1),
			       tokens_from(arena, s->value, NULL)));
		break;
	}
	return find_key(s, (slice[]){SLICE("."), all}, 2) && is_way(s);
}

static bool
find_way(struct search *s, slice host)
{
	if (!find_key(s, &host, 1))
		return find_parents(s, host);
	return is_way(s) || find_parents(s, s->value);
}

static struct way
error_of(const struct decision *d, struct tokens t)
{
	slice status = SLICE("");
	size_t text = 2;

	if (t.count > 8 && token_is(t, 3, '.') && token_is(t, 5, '.') &&
	    token_is(t, 7, ':')) {
		status = tokens_join(d->arena, tokens_part(t, 2, 7));
		text = 8;
	} else if (t.count > 4 && token_is(t, 3, ':')) {
		text = 4;
	}
	return (struct way){
	    .kind = WAY_ERROR,
	    .error = access_refusal(d, status,
		tokens_join_text(d->arena, tokens_part(t, text, t.count)),
		rule),
	};
}

static struct way
way_of(const struct decision *d, struct tokens t)
{
	struct way way = {.kind = WAY_MAILER, .mailer = t.list[0]};
	size_t at;

	if (token_is_word(t, 0, SLICE("error")) && t.count > 2)
		return error_of(d, t);
	t = tokens_part(t, 2, t.count);
	at = tokens_index(t, 0, '@');
	if (slice_eq_nocase(way.mailer, SLICE("local"))) {
		way.user = tokens_join(d->arena, tokens_part(t, 0, at));
	} else if (at < t.count) {
		way.user = tokens_join(d->arena, tokens_part(t, 0, at));
		way.host =
		    tokens_join(d->arena, tokens_part(t, at + 1, t.count));
	} else {
		way.host = tokens_join(d->arena, t);
	}
	return way;
}

struct way
mailertable_find(const struct decision *d, slice host)
{
	struct search s = {.d = d};

	if (d->policy->mailertable == NULL || host.len == 0 ||
	    host.ptr[0] == '[' || class_has(d->policy->local, host) ||
	    !find_way(&s, host))
		return (struct way){.kind = WAY_NONE};
	if (s.result == MAP_TEMPFAIL)
		return (struct way){
		    .kind = WAY_TEMPFAIL, .error = access_tempfail(rule)};
	return way_of(d, tokens_from(d->arena, s.value, NULL));
}
