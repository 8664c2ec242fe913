/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers questions about regular expressions, one a line, for a test that
 * puts the same ones to the real procmail. Bytes are in hexadecimal, "-" for
 * none:
 *
 *	text BYTES	the text from here on; no answer
 *	header BYTES	the same, a header, with its folds joined
 *	match PATTERN	"yes" or "no", then MATCH where it was set
 *	MATCH PATTERN	the same, with flag D
 *	count PATTERN	how often, "endless" added after an empty match
 *	COUNT PATTERN	the same, with flag D
 *
 * An answer is "limit" where the work was given up, or "refused: REASON".
 */
#include "policy/mail_text.h"
#include "policy/recipe_regex.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char
digit(char c)
{
	return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static slice
unhex(struct arena *arena, const char *hex)
{
	size_t len = hex[0] == '-' ? 0 : strlen(hex) / 2;
	char *bytes = arena_alloc(arena, len + 1);

	for (size_t i = 0; i < len; i++)
		bytes[i] =
		    (char)(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
	return (slice){bytes, len};
}

static void
print_hex(struct strbuf *to, slice bytes)
{
	if (bytes.len == 0)
		strbuf_add_char(to, '-');
	for (size_t i = 0; i < bytes.len; i++)
		strbuf_printf(to, "%02x", (unsigned char)bytes.ptr[i]);
}

static void
answer_match(const struct recipe_regex *regex, struct recipe_matcher *matcher,
    slice text, struct strbuf *to)
{
	struct recipe_match match;

	switch (recipe_regex_match(regex, matcher, text, &match)) {
	case RECIPE_LIMIT:
		strbuf_add(to, SLICE("limit"));
		return;
	case RECIPE_NO_MATCH:
		strbuf_add(to, SLICE("no"));
		return;
	case RECIPE_MATCHED:
		break;
	}
	strbuf_add(to, SLICE("yes"));
	if (match.has_match) {
		strbuf_add_char(to, ' ');
		print_hex(to, match.match);
	}
}

static void
answer_count(const struct recipe_regex *regex, struct recipe_matcher *matcher,
    slice text, struct strbuf *to)
{
	struct recipe_matches matches;
	struct recipe_match match = {.is_empty = false};
	enum recipe_answer answer;
	unsigned count = 0;

	recipe_matches_init(&matches, regex, text);
	while ((answer = recipe_matches_next(&matches, matcher, &match)) ==
	       RECIPE_MATCHED)
		count++;
	if (answer == RECIPE_LIMIT)
		strbuf_add(to, SLICE("limit"));
	else
		strbuf_printf(
		    to, "%u%s", count, match.is_empty ? " endless" : "");
}

/* With machine code, or without. */
static slice
answer(
    struct arena *arena, const char *word, slice pattern, slice text, bool once)
{
	struct recipe_regex_options options = {
	    .case_matters = isupper((unsigned char)word[0]) != 0, .once = once};
	struct recipe_matcher matcher;
	struct strbuf to;
	struct error error;
	struct recipe_regex *regex =
	    recipe_regex_compile(arena, pattern, options, NULL, &error);

	strbuf_init(&to, arena);
	recipe_matcher_init(&matcher, arena, text.len);
	if (regex == NULL)
		strbuf_printf(&to, "refused: %s", error.text);
	else if (tolower((unsigned char)word[0]) == 'm')
		answer_match(regex, &matcher, text, &to);
	else
		answer_count(regex, &matcher, text, &to);
	recipe_regex_free(regex);
	return strbuf_slice(&to);
}

static void
print_answer(const char *word, slice pattern, slice text)
{
	struct arena *arena = arena_new(0);
	slice first = answer(arena, word, pattern, text, false);
	slice second = answer(arena, word, pattern, text, true);

	(void)printf(SLICE_FMT, SLICE_ARG(first));
	if (!slice_eq(first, second))
		(void)printf(" but " SLICE_FMT " without machine code",
		    SLICE_ARG(second));
	(void)putchar('\n');
	arena_free(arena);
}

static slice
take_text(struct arena *arena, const char *word, slice bytes)
{
	if (strcmp(word, "header") == 0)
		bytes = mail_header_join(arena, bytes);
	return recipe_area_copy(arena, bytes);
}

int
main(void)
{
	struct arena *texts = arena_new(0);
	struct arena *patterns = arena_new(0);
	slice text = recipe_area_copy(texts, SLICE(""));
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		char *blank = strchr(line, ' ');

		if (blank == NULL)
			return EXIT_FAILURE;
		line[strcspn(line, "\n")] = '\0';
		*blank = '\0';
		if (line[0] == 't' || line[0] == 'h') {
			arena_reset(texts);
			text = take_text(texts, line, unhex(texts, blank + 1));
			continue;
		}
		print_answer(line, unhex(patterns, blank + 1), text);
		arena_reset(patterns);
	}
	free(line);
	arena_free(texts);
	arena_free(patterns);
	return EXIT_SUCCESS;
}
