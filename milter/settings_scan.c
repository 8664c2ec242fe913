/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The look through milterd.conf before libConfuse reads it.
 *
 * The library has traps, and its scanner is one global machine that keeps its
 * state when it stops in the middle, so that the next file begins inside the
 * last one's string. Refused here, with their lines: strings and lists that do
 * not end, a word set twice (the last would silently win), unknown words,
 * ${ENVIRONMENT}, numeric escapes, and stray characters, which the library
 * skips. Comments are blanked, because the library allows none inside a list
 * and miscounts lines after a block comment. What is left for it is the
 * grammar.
 */
#include "milter/settings_private.h"

#include <string.h>

#include "maps/text.h"

#define NAME_MAX_LENGTH 40

/* How many letters must be changed, added or dropped; both names fit. */
static size_t
edit_distance(slice a, slice b)
{
	size_t row[NAME_MAX_LENGTH + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t above = row[j];
			bool same = ascii_lower(a.ptr[i - 1]) ==
				    ascii_lower(b.ptr[j - 1]);
			size_t best = corner + (same ? 0 : 1);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			corner = above;
		}
	}
	return row[b.len];
}

/* The word that was probably meant, or NULL. */
static const char *
nearest_word(slice name)
{
	const char *nearest = NULL;
	size_t least = name.len / 3 + 1;

	if (name.len > NAME_MAX_LENGTH)
		return NULL;
	for (const struct settings_word *word = settings_words();
	     word->name != NULL; word++) {
		size_t distance =
		    edit_distance(name, slice_from_cstr(word->name));

		if (distance < least) {
			least = distance;
			nearest = word->name;
		}
	}
	return nearest;
}

struct scan {
	struct reading *reading;
	char *text; /* comments are blanked in it */
	size_t len;
	size_t at;
	unsigned line;
	unsigned list_line; /* where the open list began, 0: none is open */
	unsigned section_line;
	slice section; /* the open one; empty: none */
	slice token;   /* the last string or bare word */
	unsigned token_line;
	bool after_equals;
};

static char
peek(const struct scan *s, size_t ahead)
{
	return s->at + ahead < s->len ? s->text[s->at + ahead] : '\0';
}

static void
blank(struct scan *s, size_t count)
{
	for (; count > 0; count--, s->at++) {
		if (s->text[s->at] != '\n')
			s->text[s->at] = ' ';
	}
}

static bool
blank_line_comment(struct scan *s)
{
	while (s->at < s->len && s->text[s->at] != '\n')
		blank(s, 1);
	return true;
}

static bool
blank_block_comment(struct scan *s)
{
	unsigned began = s->line;

	blank(s, 2);
	while (s->at < s->len) {
		if (peek(s, 0) == '*' && peek(s, 1) == '/') {
			blank(s, 2);
			return true;
		}
		if (peek(s, 0) == '\n')
			s->line++;
		blank(s, 1);
	}
	return settings_refuse(
	    s->reading, began, "the comment that begins here never ends");
}

static bool
refuse_environment(struct scan *s)
{
	return settings_refuse(s->reading, s->line,
	    "${...} is not replaced by anything here; in 'single quotes' it "
	    "stands for itself");
}

static bool
scan_string(struct scan *s)
{
	char quote = s->text[s->at++];
	size_t began = s->at;

	for (; s->at < s->len && s->text[s->at] != '\n'; s->at++) {
		char c = s->text[s->at];

		if (c == quote) {
			s->token = (slice){s->text + began, s->at - began};
			s->token_line = s->line;
			s->at++;
			return true;
		}
		if (quote == '"' && c == '$' && peek(s, 1) == '{')
			return refuse_environment(s);
		if (c != '\\')
			continue;
		if (quote == '"' &&
		    (ascii_is_digit(peek(s, 1)) || peek(s, 1) == 'x'))
			return settings_refuse(s->reading, s->line,
			    "numeric escapes such as \\%c are not allowed",
			    peek(s, 1));
		if (peek(s, 1) != '\n')
			s->at++;
	}
	return settings_refuse(s->reading, s->line,
	    "the string that begins with %c does not end on its line", quote);
}

static bool
is_bare(const struct scan *s)
{
	char c = peek(s, 0);

	if (c == '/' && peek(s, 1) == '*')
		return false;
	return (unsigned char)c > ' ' && c != 0x7f &&
	       strchr("#\"'={}()+,*", c) == NULL;
}

static bool
scan_bare(struct scan *s)
{
	size_t began = s->at;

	while (s->at < s->len && is_bare(s))
		s->at++;
	s->token = (slice){s->text + began, s->at - began};
	s->token_line = s->line;
	if (s->text[s->at - 1] == '$' && peek(s, 0) == '{')
		return refuse_environment(s);
	return true;
}

static bool
refuse_name(struct scan *s)
{
	struct reading *reading = s->reading;
	unsigned line = s->token_line;
	slice name =
	    s->section.len == 0
		? s->token
		: arena_join(reading->arena, s->section, SLICE("."), s->token);
	const char *meant = nearest_word(name);

	if (meant == NULL)
		return settings_refuse(reading, line,
		    "unknown word \"" SLICE_FMT "\"",
		    SLICE_ARG(slice_first(name, 80)));
	return settings_refuse(reading, line,
	    "unknown word \"" SLICE_FMT "\", did you mean %s?", SLICE_ARG(name),
	    meant);
}

/* At "=" or "+=": the token before it is the name of a word. */
static bool
scan_assignment(struct scan *s)
{
	const struct settings_word *word =
	    settings_find_word_in(s->section, s->token);
	unsigned *set_at;

	s->at += peek(s, 0) == '+' ? 2 : 1;
	if (s->list_line != 0)
		return true; /* the library says what is wrong */
	if (s->token.len == 0)
		return settings_refuse(
		    s->reading, s->line, "no word stands before this =");
	if (word == NULL)
		return refuse_name(s);
	set_at = &s->reading->set_at[word - settings_words()];
	if (*set_at != 0)
		return settings_refuse(s->reading, s->token_line,
		    "%s is set a second time, the first is in line %u",
		    word->name, *set_at);
	*set_at = s->token_line;
	s->token = SLICE("");
	s->after_equals = true;
	return true;
}

static bool
is_section(slice name)
{
	for (const struct settings_word *word = settings_words();
	     word->name != NULL; word++) {
		slice section = settings_section_of(word);

		if (section.len > 0 && slice_eq_nocase(section, name))
			return true;
	}
	return false;
}

/* At "{": of a list behind "=", of a section behind its name. */
static bool
scan_open(struct scan *s)
{
	s->at++;
	if (s->after_equals || s->list_line != 0) {
		s->list_line = s->line;
		s->after_equals = false;
		return true;
	}
	if (s->section_line != 0)
		return settings_refuse(
		    s->reading, s->line, "no section can stand inside another");
	if (!is_section(s->token))
		return settings_refuse(s->reading, s->line,
		    "unknown section \"" SLICE_FMT "\"",
		    SLICE_ARG(slice_first(s->token, 80)));
	s->section = s->token;
	s->section_line = s->line;
	s->token = SLICE("");
	return true;
}

static void
scan_close(struct scan *s)
{
	s->at++;
	if (s->list_line != 0) {
		s->list_line = 0;
		return;
	}
	s->section = SLICE("");
	s->section_line = 0;
	s->token = SLICE("");
}

static bool
scan_symbol(struct scan *s)
{
	char c = s->text[s->at];

	if (c == '=' || (c == '+' && peek(s, 1) == '='))
		return scan_assignment(s);
	if (c == '{')
		return scan_open(s);
	if (c == '}') {
		scan_close(s);
		return true;
	}
	if (c == '\n')
		s->line++;
	else if (c != ',' && !ascii_is_space(c))
		return settings_refuse(s->reading, s->line,
		    (unsigned char)c > ' ' && c != 0x7f
			? "unexpected \"%c\"; a value with it needs quotes"
			: "control character %#x",
		    (unsigned char)c);
	s->at++;
	return true;
}

static bool
scan_next(struct scan *s)
{
	char c = peek(s, 0);

	if (c == '#' || (c == '/' && peek(s, 1) == '/'))
		return blank_line_comment(s);
	if (c == '/' && peek(s, 1) == '*')
		return blank_block_comment(s);
	if (c == '"' || c == '\'' || is_bare(s)) {
		s->after_equals = false;
		return c == '"' || c == '\'' ? scan_string(s) : scan_bare(s);
	}
	return scan_symbol(s);
}

/* No NUL, no endless line: both would be cut somewhere below. */
static bool
check_lines(struct reading *reading, slice text)
{
	slice line;
	unsigned number = 0;

	while (slice_next(&text, '\n', &line)) {
		number++;
		if (line.len > TEXT_LINE_MAX)
			return settings_refuse(reading, number,
			    "the line is longer than %d bytes", TEXT_LINE_MAX);
		if (slice_index(line, '\0') < line.len)
			return settings_refuse(
			    reading, number, "the line has a NUL byte in it");
	}
	return true;
}

bool
settings_scan(struct reading *reading, char *text, size_t len)
{
	struct scan s = {
	    .reading = reading, .text = text, .len = len, .line = 1};

	if (!check_lines(reading, (slice){text, len}))
		return false;
	while (s.at < s.len) {
		if (!scan_next(&s))
			return false;
	}
	if (s.list_line != 0)
		return settings_refuse(reading, s.list_line,
		    "the list that begins here never ends: } is missing");
	if (s.section_line != 0)
		return settings_refuse(reading, s.section_line,
		    "the section that begins here never ends: } is missing");
	return true;
}
