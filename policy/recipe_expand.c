/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quotes, backslashes, variables and backticks, as procmailrc(5) has them and
 * procmail reads them. One expander serves three purposes: the value of an
 * assignment (one string, whatever blanks are in it), words (unquoted blanks
 * part them, those of an unquoted variable too), and conditions behind `$`
 * (everything as within double quotes, which vanish).
 */
#include "policy/recipe_private.h"

#include <string.h>

#define DEPTH_MAX 50

enum purpose { FOR_VALUE, FOR_WORDS, FOR_CONDITION };

struct expander {
	struct machine *m;
	enum purpose purpose;
	struct strbuf out;
	bool has_word; /* a word is begun, be it empty */
	bool took_arguments;
	bool is_full;
	unsigned depth;
	unsigned braces; /* around the text at work */
	size_t total;
	struct recipe_words *words;
};

static void expand(struct expander *x, slice raw, bool is_quoted);

static void
put(struct expander *x, slice text)
{
	if (x->total + text.len > x->m->line_max) {
		x->is_full = true;
		return;
	}
	x->total += text.len;
	strbuf_add(&x->out, text);
	x->has_word = true;
}

static void
put_char(struct expander *x, char c)
{
	put(x, (slice){&c, 1});
}

static void
words_add(struct arena *arena, struct recipe_words *words, slice word)
{
	if (words->count == words->size) {
		size_t size = words->size == 0 ? 8 : words->size * 2;
		slice *list = ARENA_ARRAY(arena, slice, size);

		if (words->count > 0)
			memcpy(list, words->list,
			    words->count * sizeof(*list));
		words->list = list;
		words->size = size;
	}
	words->list[words->count++] = word;
}

static void
end_word(struct expander *x)
{
	if (!x->has_word)
		return;
	words_add(x->m->run->arena, x->words,
	    arena_copy(x->m->run->arena, strbuf_slice(&x->out)));
	strbuf_clear(&x->out);
	x->has_word = false;
	x->total++;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* A variable's value: where words are made and it is not quoted, the blanks in
 * it part them. */
static void
put_value(struct expander *x, slice value, bool is_quoted)
{
	if (!recipe_spend_text(x->m, value.len)) {
		x->is_full = true;
		return;
	}
	if (is_quoted || x->purpose != FOR_WORDS) {
		if (value.len > 0)
			put(x, value);
		return;
	}
	for (size_t i = 0; i < value.len; i++) {
		if (is_blank(value.ptr[i]))
			end_word(x);
		else
			put_char(x, value.ptr[i]);
	}
}

/* So that it matches itself; "()" in front keeps a backslash from being the
 * first of the expression. */
static void
put_escaped(struct expander *x, slice value)
{
	put(x, SLICE("()"));
	for (size_t i = 0; i < value.len; i++) {
		if (strchr("(|)*?+.^$[\\", value.ptr[i]) != NULL)
			put_char(x, '\\');
		put_char(x, value.ptr[i]);
	}
}

static void
put_number(struct expander *x, long n)
{
	put(x, arena_printf(x->m->run->arena, "%ld", n));
}

/* The argument of that number; $0 is the program. */
static slice
argument(const struct machine *m, size_t number)
{
	if (number == 0)
		return SLICE("procmail");
	return number <= m->argument_count ? m->arguments[number - 1]
					   : SLICE("");
}

static void
put_arguments(struct expander *x)
{
	const struct machine *m = x->m;

	x->took_arguments = true;
	if (m->argument_count == 0)
		x->has_word = true;
	for (size_t i = 0; i < m->argument_count; i++) {
		if (i > 0)
			end_word(x);
		put(x, m->arguments[i]);
		x->has_word = true;
	}
}

/*
 * Braces.
 */

static size_t
name_length(slice s)
{
	size_t len = 0;

	if (s.len > 0 && ascii_is_digit(s.ptr[0]))
		return 1;
	while (len < s.len && recipe_is_name(s.ptr[len], len == 0))
		len++;
	return len;
}

/* Within braces digits may come first. */
static size_t
letters_length(slice s)
{
	size_t len = 0;

	while (len < s.len && recipe_is_name(s.ptr[len], false))
		len++;
	return len;
}

/* Up to the "}" that belongs to what came before; quotes are skipped. */
static size_t
brace_end(slice s)
{
	unsigned depth = 0;
	char quote = '\0';

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '\\' && quote != '\'')
			i++;
		else if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '$' && i + 1 < s.len && s.ptr[i + 1] == '{')
			depth++;
		else if (c == '}' && depth-- == 0)
			return i;
	}
	return s.len;
}

static bool
get_named(const struct machine *m, slice name, slice *ret)
{
	if (name.len == 1 && ascii_is_digit(name.ptr[0])) {
		*ret = argument(m, (size_t)(name.ptr[0] - '0'));
		return ret->len > 0;
	}
	return recipe_get(m, name, ret);
}

/* Behind "${NAME": the operator and its text, already delimited. */
static void
substitute(struct expander *x, slice name, slice rest, bool is_quoted)
{
	slice value = SLICE("");
	bool is_set = get_named(x->m, name, &value);
	bool with_colon = rest.ptr[0] == ':';
	char operator;

	if (with_colon) {
		is_set = is_set && value.len > 0;
		rest = slice_from(rest, 1);
	}
	operator = rest.ptr[0];
	rest = slice_from(rest, 1);
	x->braces++;
	if (operator == '-' && is_set)
		put_value(x, value, is_quoted);
	else if ((operator == '-') != is_set)
		expand(x, rest, is_quoted);
	x->braces--;
}

static bool
is_operator(slice s)
{
	if (s.len > 0 && s.ptr[0] == ':')
		s = slice_from(s, 1);
	return s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
}

/* It gives nothing; what stands behind the `taken` characters stays. */
static size_t
bad_substitution(struct expander *x, slice name, slice behind, size_t taken)
{
	recipe_note_add(x->m, true, "Bad substitution of \"" SLICE_FMT "\"",
	    SLICE_ARG(name));
	return name.len + (behind.len < taken ? behind.len : taken);
}

/* Behind "${". How much of it was taken. */
static size_t
put_braced(struct expander *x, slice rest, bool is_quoted)
{
	slice name = slice_first(rest, letters_length(rest));
	slice behind = slice_from(rest, name.len);
	slice value = SLICE("");
	size_t end;

	if (name.len > 1 && ascii_is_digit(name.ptr[0]))
		return bad_substitution(x, name, behind, 1);
	if (behind.len > 0 && behind.ptr[0] == '}') {
		(void)get_named(x->m, name, &value);
		put_value(x, value, is_quoted);
		return name.len + 1;
	}
	if (!is_operator(behind))
		return bad_substitution(x, name, behind,
		    behind.len > 0 && behind.ptr[0] == ':' ? 2 : 1);
	end = brace_end(behind);
	substitute(x, name, slice_first(behind, end), is_quoted);
	return name.len + end + (end < behind.len);
}

/* Behind "$". How much of it was taken. */
static size_t
put_dollar(struct expander *x, slice rest, bool is_quoted)
{
	size_t len = name_length(rest);
	slice value = SLICE("");
	char c = rest.len == 0 ? '\0' : rest.ptr[0];

	if (len > 0 && c != '_') {
		(void)get_named(x->m, slice_first(rest, len), &value);
		put_value(x, value, is_quoted);
		return len;
	}
	switch (c) {
	case '{':
		return 1 + put_braced(x, slice_from(rest, 1), is_quoted);
	case '\\':
		len = name_length(slice_from(rest, 1));
		if (len == 0)
			break;
		(void)get_named(
		    x->m, slice_first(slice_from(rest, 1), len), &value);
		put_escaped(x, value);
		return 1 + len;
	case '=':
		put_number(x, x->m->score);
		return 1;
	case '?':
		put_number(x, x->m->last_status);
		return 1;
	case '#':
		put_number(x, (long)x->m->argument_count);
		return 1;
	case '$':
		put_number(x, 1);
		return 1;
	case '_':
		put_value(x, slice_from_cstr(x->m->file), is_quoted);
		return 1;
	case '-':
		put_value(
		    x, recipe_value(x->m, SLICE("LASTFOLDER")), is_quoted);
		return 1;
	case '@':
		if (!is_quoted)
			put_char(x, '@');
		else if (x->purpose == FOR_WORDS && !x->took_arguments)
			put_arguments(x);
		return 1;
	default:
		break;
	}
	put_char(x, '$');
	return 0;
}

/*
 * Backticks.
 */

static slice
without_newlines(slice s)
{
	while (s.len > 0 && s.ptr[s.len - 1] == '\n')
		s.len--;
	return s;
}

static void
put_output(struct expander *x, slice command, bool is_quoted)
{
	struct recipe_program_result result;

	if (!recipe_run_command(x->m, command,
		recipe_program_text(x->m, NULL), true, &result))
		return;
	put_value(x, without_newlines(result.output), is_quoted);
}

/* Behind the first backtick. How much was taken. */
static size_t
put_backticks(struct expander *x, slice rest, bool is_quoted)
{
	struct strbuf command;
	size_t i;

	strbuf_init(&command, x->m->run->arena);
	for (i = 0; i < rest.len && rest.ptr[i] != '`'; i++) {
		if (rest.ptr[i] == '\\' && i + 1 < rest.len &&
		    (rest.ptr[i + 1] == '`' || rest.ptr[i + 1] == '\\'))
			i++;
		strbuf_add_char(&command, rest.ptr[i]);
	}
	put_output(x, strbuf_slice(&command), is_quoted);
	return i + (i < rest.len);
}

/*
 * The text.
 */

/* A backslash and what follows it. How much was taken. */
static size_t
put_backslash(struct expander *x, slice rest, bool is_quoted)
{
	if (rest.len < 2) {
		put_char(x, '\\');
		return 1;
	}
	if (rest.ptr[1] == '\n')
		return 2;
	if (is_quoted && strchr("$`\"\\", rest.ptr[1]) == NULL &&
	    (rest.ptr[1] != '}' || x->braces == 0)) {
		put_char(x, '\\');
		put_char(x, rest.ptr[1]);
		return 2;
	}
	put_char(x, rest.ptr[1]);
	return 2;
}

/* The first unescaped `quote` behind the opening one. */
static size_t
quote_end(slice s, char quote)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == quote)
			return i;
		if (s.ptr[i] == '\\' && quote != '\'')
			i++;
	}
	return s.len;
}

static size_t
put_quotes(struct expander *x, slice rest)
{
	char quote = rest.ptr[0];
	slice inside = slice_from(rest, 1);
	size_t end = quote_end(inside, quote);

	/* An empty one is a word as well; "$@" decides that for itself. */
	if (!slice_eq(slice_first(inside, end), SLICE("$@")))
		x->has_word = true;
	if (quote == '\'')
		put(x, slice_first(inside, end));
	else
		expand(x, slice_first(inside, end), true);
	return 1 + end + (end < inside.len);
}

/* One step; how much of `rest` it took. */
static size_t
expand_step(struct expander *x, slice rest, bool is_quoted)
{
	char c = rest.ptr[0];

	if (c == '$')
		return 1 + put_dollar(x, slice_from(rest, 1), is_quoted);
	if (c == '`')
		return 1 + put_backticks(x, slice_from(rest, 1), is_quoted);
	if (c == '\\')
		return put_backslash(x, rest, is_quoted);
	if (c == '"' && x->purpose == FOR_CONDITION)
		return 1;
	if (!is_quoted && (c == '"' || c == '\''))
		return put_quotes(x, rest);
	if (!is_quoted && x->purpose == FOR_WORDS && is_blank(c)) {
		end_word(x);
		return 1;
	}
	put_char(x, c);
	return 1;
}

static bool
begins_comment(const struct expander *x, slice raw, bool is_quoted)
{
	return raw.ptr[0] == '#' && x->purpose == FOR_WORDS && !is_quoted &&
	    !x->has_word && x->depth == 1;
}

static void
expand(struct expander *x, slice raw, bool is_quoted)
{
	if (x->depth++ >= DEPTH_MAX)
		x->is_full = true;
	while (raw.len > 0 && !x->is_full && !recipe_is_over(x->m) &&
	    !begins_comment(x, raw, is_quoted))
		raw = slice_from(raw, expand_step(x, raw, is_quoted));
	x->depth--;
}

static struct expander
begin(struct machine *m, enum purpose purpose)
{
	struct expander x = {.m = m, .purpose = purpose};

	strbuf_init(&x.out, m->run->arena);
	return x;
}

static bool
finish(struct expander *x)
{
	if (x->is_full && !recipe_is_over(x->m))
		recipe_note_add(x->m, true, "Exceeded LINEBUF");
	return !x->is_full && !recipe_is_over(x->m);
}

/* Most values have nothing in them to expand. */
static bool
is_plain(slice raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.ptr[i] == '$' || raw.ptr[i] == '`' ||
		    raw.ptr[i] == '\\' || raw.ptr[i] == '"' ||
		    raw.ptr[i] == '\'')
			return false;
	}
	return true;
}

bool
recipe_expand_value(struct machine *m, slice raw, slice *ret_value)
{
	struct expander x = begin(m, FOR_VALUE);

	if (is_plain(raw) && raw.len <= m->line_max) {
		*ret_value = raw;
		return true;
	}
	expand(&x, raw, false);
	*ret_value = strbuf_slice(&x.out);
	return finish(&x);
}

bool
recipe_expand_words(
    struct machine *m, slice raw, struct recipe_words *ret_words)
{
	struct expander x = begin(m, FOR_WORDS);

	*ret_words = (struct recipe_words){0};
	x.words = ret_words;
	expand(&x, raw, false);
	end_word(&x);
	return finish(&x);
}

bool
recipe_expand_condition(struct machine *m, slice raw, slice *ret_text)
{
	struct expander x = begin(m, FOR_CONDITION);

	expand(&x, raw, true);
	*ret_text = strbuf_slice(&x.out);
	return finish(&x);
}
