/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/pattern_text.h"

#include "base/strbuf.h"
#include "maps/regex.h"

void
pattern_reader_init(
    struct pattern_reader *reader, struct arena *arena, slice content)
{
	*reader = (struct pattern_reader){.arena = arena, .rest = content};
}

/* isspace() of the C locale. */
static bool
is_blank(char c)
{
	return ascii_is_space(c) || c == '\v' || c == '\f';
}

static bool
is_word(char c)
{
	return ascii_is_digit(c) ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static slice
skip_blanks(slice s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = slice_from(s, 1);
	return s;
}

static slice
without_end_blanks(slice s)
{
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static enum text_next
bad(struct pattern_reader *reader, const char *problem)
{
	reader->problem = problem;
	return TEXT_BAD;
}

static bool
is_nothing(slice line)
{
	line = skip_blanks(line);
	return line.len == 0 || line.ptr[0] == '#';
}

/* One line of the file that is neither empty nor a comment. */
static enum text_next
take_line(struct pattern_reader *reader, slice *ret_line)
{
	do {
		if (!slice_next(&reader->rest, '\n', ret_line))
			return TEXT_END;
		reader->lines++;
		if (slice_index(*ret_line, '\0') < ret_line->len) {
			reader->line = reader->lines;
			return bad(reader, "line contains a NUL byte");
		}
	} while (is_nothing(*ret_line));
	return TEXT_ENTRY;
}

/* Whether the next line that is one begins with a blank. */
static bool
goes_on(const struct pattern_reader *reader)
{
	slice rest = reader->rest;
	slice line;

	while (slice_next(&rest, '\n', &line)) {
		if (!is_nothing(line))
			return is_blank(line.ptr[0]);
	}
	return false;
}

/* A line with all that continue it. */
static enum text_next
take_rule(struct pattern_reader *reader, slice *ret_text)
{
	struct strbuf joined;
	enum text_next next = take_line(reader, ret_text);

	if (next != TEXT_ENTRY)
		return next;
	reader->line = reader->lines;
	if (goes_on(reader)) {
		strbuf_init(&joined, reader->arena);
		strbuf_add(&joined, *ret_text);
		do {
			slice more;

			next = take_line(reader, &more);
			if (next != TEXT_ENTRY)
				return next;
			strbuf_add(&joined, more);
		} while (joined.len <= TEXT_LINE_MAX && goes_on(reader));
		*ret_text = strbuf_slice(&joined);
	}
	if (ret_text->len > TEXT_LINE_MAX)
		return bad(reader, "rule is longer than 65536 bytes");
	*ret_text = without_end_blanks(*ret_text);
	return TEXT_ENTRY;
}

/* 0: no such flag. X is none in PCRE2. */
static unsigned
flag_of(char letter)
{
	switch (letter) {
	case 'i':
		return REGEX_CASELESS;
	case 'm':
		return REGEX_MULTILINE;
	case 's':
		return REGEX_DOTALL;
	case 'x':
		return REGEX_EXTENDED;
	case 'A':
		return REGEX_ANCHORED;
	case 'E':
		return REGEX_DOLLAR_END;
	case 'U':
		return REGEX_UNGREEDY;
	default:
		return 0;
	}
}

static enum text_next
take_flags(struct pattern_reader *reader, slice *text, unsigned *ret_flags)
{
	*ret_flags = REGEX_CASELESS | REGEX_DOTALL;
	while (text->len > 0 && !is_blank(text->ptr[0])) {
		unsigned flag = flag_of(text->ptr[0]);

		if (text->ptr[0] == 'X')
			reader->problem = "the flag X is ignored";
		else if (flag == 0)
			return bad(reader, "unknown flag behind the pattern");
		*ret_flags ^= flag;
		*text = slice_from(*text, 1);
	}
	return TEXT_ENTRY;
}

/* "!/pattern/flags" off the front of the text, with the blanks behind it. */
static enum text_next
take_pattern(
    struct pattern_reader *reader, slice *text, struct pattern_rule *rule)
{
	size_t end = 0;
	char delimiter;
	enum text_next next;

	for (*text = skip_blanks(*text); text->len > 0 && text->ptr[0] == '!';
	     *text = skip_blanks(slice_from(*text, 1)))
		rule->is_negated = !rule->is_negated;
	if (text->len == 0)
		return bad(reader, "no pattern");
	delimiter = text->ptr[0];
	if (is_word(delimiter))
		return bad(reader, "a pattern does not begin with a letter or "
				   "digit");
	*text = slice_from(*text, 1);
	while (end < text->len && text->ptr[end] != delimiter)
		end += text->ptr[end] == '\\' ? 2 : 1;
	if (end >= text->len)
		return bad(reader, "no second delimiter behind the pattern");
	rule->pattern = slice_first(*text, end);
	*text = slice_from(*text, end + 1);
	next = take_flags(reader, text, &rule->flags);
	*text = skip_blanks(*text);
	return next;
}

static enum text_next
take_value(struct pattern_reader *reader, slice text, struct pattern_rule *rule)
{
	enum text_next next = take_pattern(reader, &text, rule);

	if (next != TEXT_ENTRY)
		return next;
	if (text.len == 0)
		return bad(reader, "no value behind the pattern");
	rule->kind = PATTERN_VALUE;
	rule->value = text;
	return TEXT_ENTRY;
}

static enum text_next
take_if(struct pattern_reader *reader, slice text, struct pattern_rule *rule)
{
	enum text_next next = take_pattern(reader, &text, rule);

	if (next != TEXT_ENTRY)
		return next;
	if (text.len > 0)
		reader->problem = "what stands behind \"if\" and its pattern "
				  "is ignored";
	if (reader->depth++ == 0)
		reader->if_line = reader->line;
	rule->kind = PATTERN_IF;
	return TEXT_ENTRY;
}

static enum text_next
take_endif(struct pattern_reader *reader, slice text, struct pattern_rule *rule)
{
	if (text.len > 0)
		reader->problem = "what stands behind \"endif\" is ignored";
	if (reader->depth == 0)
		return bad(reader, "\"endif\" without \"if\"");
	reader->depth--;
	rule->kind = PATTERN_ENDIF;
	return TEXT_ENTRY;
}

static bool
begins_with_word(slice text, slice word)
{
	return slice_has_prefix_nocase(text, word) &&
	       (text.len == word.len || !is_word(text.ptr[word.len]));
}

enum text_next
pattern_reader_next(
    struct pattern_reader *reader, struct pattern_rule *ret_rule)
{
	slice text;
	enum text_next next;

	reader->problem = NULL;
	next = take_rule(reader, &text);
	if (next == TEXT_END && reader->depth > 0) {
		reader->line = reader->if_line;
		return bad(reader, "\"if\" without \"endif\"");
	}
	if (next != TEXT_ENTRY)
		return next;
	*ret_rule = (struct pattern_rule){.line = reader->line};
	if (is_blank(text.ptr[0]))
		return bad(reader, "line continues nothing");
	if (begins_with_word(text, SLICE("if")))
		return take_if(reader, slice_from(text, 2), ret_rule);
	if (begins_with_word(text, SLICE("endif")))
		return take_endif(reader, slice_from(text, 5), ret_rule);
	return take_value(reader, text, ret_rule);
}

/* The digits of "$1", "${1}" or "$(1)" behind the '$', and where they end. */
static bool
take_digits(slice rest, slice *ret_digits, size_t *ret_end)
{
	size_t end = 1;
	char close = '\0';

	if (rest.len > 1 && rest.ptr[1] == '{')
		close = '}';
	else if (rest.len > 1 && rest.ptr[1] == '(')
		close = ')';
	if (close != '\0') {
		end = slice_index(rest, close);
		*ret_digits = slice_from(slice_first(rest, end), 2);
		*ret_end = end + 1;
		return end < rest.len;
	}
	while (
	    end < rest.len && (is_word(rest.ptr[end]) || rest.ptr[end] == '_'))
		end++;
	*ret_digits = slice_from(slice_first(rest, end), 1);
	*ret_end = end;
	return true;
}

static bool
take_group(slice *rest, struct pattern_piece *piece, const char **problem)
{
	slice digits;
	size_t end;

	if (!take_digits(*rest, &digits, &end)) {
		*problem = "\"$\" with a bracket that is not closed";
		return false;
	}
	if (!slice_is_number(digits)) {
		*problem = "\"$\" without a number behind it (\"$$\" is one "
			   "\"$\", \"${1}\" ends a number)";
		return false;
	}
	*piece = (struct pattern_piece){.group = 0};
	for (size_t i = 0; i < digits.len && piece->group <= PATTERN_GROUP_MAX;
	     i++)
		piece->group =
		    piece->group * 10 + (unsigned)(digits.ptr[i] - '0');
	if (piece->group == 0 || piece->group > PATTERN_GROUP_MAX) {
		*problem = "a number behind \"$\" is not from 1 to 99";
		return false;
	}
	*rest = slice_from(*rest, end);
	return true;
}

bool
pattern_value_next(
    slice *rest, struct pattern_piece *ret_piece, const char **problem)
{
	size_t dollar = slice_index(*rest, '$');

	if (rest->len == 0)
		return false;
	if (dollar == 0 && (rest->len == 1 || rest->ptr[1] != '$'))
		return take_group(rest, ret_piece, problem);
	/* "$$" is a piece of one byte. */
	*ret_piece =
	    (struct pattern_piece){.text = slice_first(*rest, dollar + 1)};
	if (dollar > 0)
		ret_piece->text.len = dollar < rest->len ? dollar : rest->len;
	*rest = slice_from(*rest, dollar == 0 ? 2 : ret_piece->text.len);
	return true;
}
