/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/recipe_regex.h"

#include "maps/regex.h"
#include "policy/recipe_automaton.h"
#include "policy/recipe_literal.h"
#include "policy/recipe_pattern.h"
#include "policy/recipe_translate.h"

#include <assert.h>
#include <string.h>

/* A few milliseconds for a match, some tens for a message. Both grow with the
 * message, since reading it once costs something already. */
#define STEPS_OF_MATCH 1000000
#define STEPS_OF_MESSAGE 10000000
#define BYTES_OF_STEP 8
/* Headers mostly are no larger. */
#define LOWERED_MAX ((size_t)64 * 1024)

/*
 * PCRE2 looks where a match begins, and mostly finds none, which is the quick
 * and usual answer. The automaton finds where it ends and what MATCH is, and
 * does everything where PCRE2 gave up, or where there is no machine code
 * because the expression is used once or is too much for PCRE2.
 */
struct recipe_regex {
	const struct automaton *automaton;
	struct regex *finder; /* may be NULL */
	slice literal; /* in lower case; empty: unknown, or case matters */
	bool has_split;
};

static slice
drop_backslash(slice pattern)
{
	return slice_from(
	    pattern, pattern.len > 0 && pattern.ptr[0] == '\\' ? 1 : 0);
}

static struct regex *
make_finder(const struct pattern *tree)
{
	struct arena *arena = arena_new(0);
	struct regex_error error;
	struct regex *finder = regex_compile(recipe_translate(arena, tree),
	    REGEX_DOLLAR_END | (tree->ignore_case ? REGEX_CASELESS : 0),
	    &error);

	arena_free(arena);
	return finder;
}

struct recipe_regex *
recipe_regex_compile(struct arena *arena, slice pattern,
    struct recipe_regex_options options, struct recipe_regex_note *ret_note,
    struct error *error)
{
	struct recipe_regex *regex;
	struct pattern tree;
	bool ignore_case = !options.case_matters;

	if (pattern.len > RECIPE_PATTERN_MAX) {
		(void)error_set(error,
		    "regular expression longer than %d bytes",
		    RECIPE_PATTERN_MAX);
		return NULL;
	}
	if (!recipe_pattern_expand(arena, drop_backslash(pattern), &pattern,
		&ignore_case, error) ||
	    !recipe_pattern_read(arena, pattern, ignore_case, &tree, error))
		return NULL;
	regex = ARENA_NEW(arena, struct recipe_regex);
	regex->automaton = automaton_new(arena, &tree);
	regex->finder = options.once ? NULL : make_finder(&tree);
	if (regex->finder != NULL && tree.ignore_case)
		regex->literal = recipe_literal(arena, &tree);
	regex->has_split = tree.has_split;
	if (ret_note != NULL)
		ret_note->is_unbalanced = tree.is_unbalanced;
	return regex;
}

void
recipe_regex_free(struct recipe_regex *regex)
{
	if (regex != NULL)
		regex_free(regex->finder);
}

bool
recipe_regex_has_split(const struct recipe_regex *regex)
{
	return regex->has_split;
}

void
recipe_matcher_init(
    struct recipe_matcher *matcher, struct arena *arena, size_t size)
{
	*matcher = (struct recipe_matcher){.arena = arena,
	    .steps_left = STEPS_OF_MESSAGE + size / 2,
	    .steps_match = STEPS_OF_MATCH + size / BYTES_OF_STEP};
}

void
recipe_matcher_keep_room(struct recipe_matcher *matcher)
{
	matcher->room = regex_room_new(0);
}

void
recipe_matcher_done(struct recipe_matcher *matcher)
{
	regex_room_free(matcher->room);
	matcher->room = NULL;
}

static bool
has_newlines_around(slice area)
{
	return area.ptr[-1] == '\n' && area.ptr[area.len] == '\n';
}

static void
take_match(
    slice area, const struct automaton_found *found, struct recipe_match *match)
{
	ptrdiff_t first = found->split < 0 ? 0 : found->split;
	ptrdiff_t end =
	    found->end > (ptrdiff_t)area.len ? (ptrdiff_t)area.len : found->end;
	slice text = {
	    area.ptr + first, end > first ? (size_t)(end - first) : 0};

	match->has_match = true;
	match->match = slice_first(text, slice_index(text, '\0'));
}

/* Half of what a match may cost is PCRE2's, so that something is left. */
static enum regex_result
find_start(const struct recipe_regex *regex, struct recipe_matcher *matcher,
    slice area, ptrdiff_t *from)
{
	unsigned long most =
	    (unsigned long)(matcher->steps_left < matcher->steps_match
				? matcher->steps_left
				: matcher->steps_match) /
	    2;
	unsigned long left = most;
	struct regex_subject subject = {.text = {area.ptr - 1, area.len + 2},
	    .from = (size_t)(*from + 1),
	    .steps = &left};
	slice whole;
	struct regex_match match = {
	    .groups = &whole, .room = 1, .memory = matcher->room};
	enum regex_result result = regex_match(regex->finder, &subject, &match);

	matcher->steps_left -= most - left;
	if (result == REGEX_MATCH)
		*from = whole.ptr - area.ptr;
	return result;
}

/* The newlines around the area are part of it here. */
static slice
lowered(struct recipe_matcher *matcher, slice area)
{
	size_t len = area.len + 2;

	if (matcher->lowered_of.ptr == area.ptr &&
	    matcher->lowered_of.len == area.len)
		return (slice){matcher->lowered, len};
	/* Areas may take turns: the room is made a few times at most. */
	if (len > matcher->lowered_room) {
		matcher->lowered_room = len * 2;
		matcher->lowered = arena_alloc(matcher->arena, len * 2);
	}
	for (size_t i = 0; i < len; i++)
		matcher->lowered[i] = ascii_lower(area.ptr[(ptrdiff_t)i - 1]);
	matcher->lowered_of = area;
	return (slice){matcher->lowered, len};
}

static bool
may_match(const struct recipe_regex *regex, struct recipe_matcher *matcher,
    slice area)
{
	slice text;

	if (regex->literal.len == 0 || area.len > LOWERED_MAX)
		return true;
	text = lowered(matcher, area);
	return memmem(text.ptr, text.len, regex->literal.ptr,
		   regex->literal.len) != NULL;
}

/* The automaton takes over at the first place where a match begins. None may
 * begin at the newline behind the area. */
static enum recipe_answer
search(const struct recipe_regex *regex, struct recipe_matcher *matcher,
    struct automaton_search *where, struct automaton_found *ret_found)
{
	if (regex->finder != NULL) {
		/* Only where all of the area is to be searched: a count of
		 * matches would look for it as often as there are some. */
		if (where->from < 0 && !may_match(regex, matcher, where->area))
			return RECIPE_NO_MATCH;
		switch (find_start(regex, matcher, where->area, &where->from)) {
		case REGEX_NO_MATCH:
			return RECIPE_NO_MATCH;
		case REGEX_MATCH:
			if (where->from >= (ptrdiff_t)where->area.len)
				return RECIPE_NO_MATCH;
			if (ret_found == NULL)
				return RECIPE_MATCHED;
			break;
		case REGEX_LIMIT:
			break;
		}
	}
	return automaton_run(regex->automaton, matcher, where, ret_found);
}

enum recipe_answer
recipe_regex_match(const struct recipe_regex *regex,
    struct recipe_matcher *matcher, slice area, struct recipe_match *ret_match)
{
	bool wants_match = regex->has_split && ret_match != NULL;
	struct automaton_search where = {.area = area,
	    .from = -1,
	    .is_beginning = true,
	    .wants_match = wants_match};
	struct automaton_found found = {.has_split = false};
	enum recipe_answer answer;

	assert(has_newlines_around(area));
	answer = search(regex, matcher, &where, wants_match ? &found : NULL);
	if (answer != RECIPE_MATCHED || ret_match == NULL)
		return answer;
	*ret_match = (struct recipe_match){.has_match = false};
	if (found.has_split)
		take_match(area, &found, ret_match);
	return answer;
}

void
recipe_matches_init(struct recipe_matches *matches,
    const struct recipe_regex *regex, slice area)
{
	assert(has_newlines_around(area));
	*matches = (struct recipe_matches){.regex = regex, .area = area};
}

/* Where nothing of the text is left and the last byte of it was no newline,
 * the search is one in an empty text with newlines of its own. */
static enum recipe_answer
search_end(const struct recipe_matches *matches, struct recipe_matcher *matcher,
    struct automaton_found *ret_found)
{
	struct automaton_search where = {
	    .area = {&"\n\n"[1], 0},
	    .from = -1,
	    .wants_match = matches->regex->has_split,
	};
	enum recipe_answer answer = automaton_run(
	    matches->regex->automaton, matcher, &where, ret_found);
	ptrdiff_t moved = (ptrdiff_t)matches->area.len + 1;

	if (answer == RECIPE_MATCHED) {
		ret_found->end += moved;
		ret_found->split += moved;
	}
	return answer;
}

static enum recipe_answer
search_on(const struct recipe_matches *matches, struct recipe_matcher *matcher,
    struct automaton_found *ret_found)
{
	slice area = matches->area;
	ptrdiff_t from = (ptrdiff_t)matches->at;
	struct automaton_search where = {
	    .area = area,
	    .from = area.ptr[from - 1] == '\n' ? from - 1 : from,
	    .is_beginning = true,
	    .wants_match = matches->regex->has_split,
	};

	if (matches->at == area.len && where.from == from)
		return search_end(matches, matcher, ret_found);
	return search(matches->regex, matcher, &where, ret_found);
}

enum recipe_answer
recipe_matches_next(struct recipe_matches *matches,
    struct recipe_matcher *matcher, struct recipe_match *ret_match)
{
	struct automaton_found found;
	enum recipe_answer answer;
	ptrdiff_t len = (ptrdiff_t)matches->area.len;

	if (matches->ended)
		return RECIPE_NO_MATCH;
	answer = search_on(matches, matcher, &found);
	matches->ended = answer != RECIPE_MATCHED;
	if (answer != RECIPE_MATCHED)
		return answer;
	*ret_match = (struct recipe_match){.has_match = false};
	if (found.has_split) {
		take_match(matches->area, &found, ret_match);
		found.end = found.end > len ? len : found.end;
	}
	ret_match->is_empty = found.end <= (ptrdiff_t)matches->at;
	matches->ended = ret_match->is_empty || found.end > len;
	if (!matches->ended)
		matches->at = (size_t)found.end;
	return answer;
}

slice
recipe_area_copy(struct arena *arena, slice text)
{
	return slice_first(
	    slice_from(arena_join(arena, SLICE("\n"), text, SLICE("\n")), 1),
	    text.len);
}
