/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/recipe_regex.h"

#include "policy/recipe_automaton.h"
#include "policy/recipe_pattern.h"

#include <assert.h>
#include <string.h>

/* A few milliseconds each; what a message may take grows with its size, since
 * already reading it once for every recipe does. */
#define STEPS_OF_MATCH 2000000
#define STEPS_OF_MESSAGE 20000000
#define STEPS_OF_BYTE 64

struct recipe_regex {
	const struct automaton *automaton;
	bool has_split;
};

static slice
drop_backslash(slice pattern)
{
	return slice_from(
	    pattern, pattern.len > 0 && pattern.ptr[0] == '\\' ? 1 : 0);
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
	regex->has_split = tree.has_split;
	if (ret_note != NULL)
		ret_note->is_unbalanced = tree.is_unbalanced;
	return regex;
}

void
recipe_regex_free(struct recipe_regex *regex)
{
	(void)regex;
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
	    .steps_left = STEPS_OF_MESSAGE + STEPS_OF_BYTE * size,
	    .steps_match = STEPS_OF_MATCH + size};
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

enum recipe_answer
recipe_regex_match(const struct recipe_regex *regex,
    struct recipe_matcher *matcher, slice area, struct recipe_match *ret_match)
{
	struct automaton_search search = {.area = area,
	    .from = -1,
	    .is_beginning = true,
	    .wants_match = regex->has_split && ret_match != NULL};
	struct automaton_found found;
	enum recipe_answer answer;

	assert(has_newlines_around(area));
	answer = automaton_run(regex->automaton, matcher, &search, &found);
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
	struct automaton_search search = {
	    .area = {"\n\n" + 1, 0},
	    .from = -1,
	    .wants_match = matches->regex->has_split,
	};
	enum recipe_answer answer = automaton_run(
	    matches->regex->automaton, matcher, &search, ret_found);
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
	struct automaton_search search = {
	    .area = area,
	    .from = area.ptr[from - 1] == '\n' ? from - 1 : from,
	    .is_beginning = true,
	    .wants_match = matches->regex->has_split,
	};

	if (matches->at == area.len && search.from == from)
		return search_end(matches, matcher, ret_found);
	return automaton_run(
	    matches->regex->automaton, matcher, &search, ret_found);
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
