/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pattern on the first line, a text behind it. What must hold: with and
 * without machine code the answers are the same, MATCH lies in the text, and
 * counting comes to an end.
 */
#include "policy/mail_text.h"
#include "policy/recipe_regex.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum recipe_answer
ask(struct arena *arena, slice pattern, slice area, bool once,
    struct recipe_match *match)
{
	struct recipe_regex_options options = {.once = once};
	struct recipe_matcher matcher;
	struct recipe_matches matches;
	struct recipe_match each;
	struct error error;
	enum recipe_answer answer;
	struct recipe_regex *regex =
	    recipe_regex_compile(arena, pattern, options, NULL, &error);

	if (regex == NULL)
		return RECIPE_LIMIT;
	recipe_matcher_init(&matcher, arena, area.len);
	matcher.steps_left = 100000;
	answer = recipe_regex_match(regex, &matcher, area, match);
	recipe_matches_init(&matches, regex, area);
	while (recipe_matches_next(&matches, &matcher, &each) == RECIPE_MATCHED)
		continue;
	recipe_regex_free(regex);
	return answer;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = {(const char *)data, size};
	slice pattern = slice_first(input, slice_index(input, '\n'));
	struct arena *arena = arena_new(0);
	slice area =
	    recipe_area_copy(arena, slice_from(input, pattern.len + 1));
	struct recipe_match first = {.has_match = false};
	struct recipe_match second = {.has_match = false};
	enum recipe_answer quick = ask(arena, pattern, area, false, &first);
	enum recipe_answer slow = ask(arena, pattern, area, true, &second);

	if (quick != RECIPE_LIMIT && slow != RECIPE_LIMIT &&
	    (quick != slow || first.has_match != second.has_match ||
		!slice_eq(first.match, second.match)))
		abort();
	if (first.has_match &&
	    (first.match.ptr < area.ptr ||
		first.match.ptr + first.match.len > area.ptr + area.len))
		abort();
	arena_free(arena);
	return 0;
}
