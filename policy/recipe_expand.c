/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quotes, backslashes, variables and backticks, read as procmail does: one
 * character after the other, with a place in mind that says what it means. One
 * reader serves three purposes: the value of an assignment (one string, up to
 * a blank), words (unquoted blanks part them, those of an unquoted variable
 * too), and conditions behind `$` (as if a double quote were in front of them).
 *
 * It also finds where such a text ends in an rc file, before there is a
 * message: then there is no machine, and variables have no values.
 *
 * What a substitution leaves out, as `x` of `${A:-x}` where A is set, is read
 * as all else is and then taken back: braces and quotes in it count.
 */
#include "policy/recipe_private.h"

#include <string.h>

enum place {
	NOWHERE, /* nothing but blanks yet */
	BETWEEN, /* words */
	WITHIN,
	DOUBLE,
	SINGLE,
};

struct left_out {
	bool is_on;
	unsigned braces; /* around it */
	enum place place;
	size_t length; /* of what was there before */
	size_t breaks;
	slice value; /* stands in its place */
};

struct expander {
	struct machine *m; /* NULL: only to find the end */
	enum recipe_purpose purpose;
	slice text;
	size_t at;
	size_t end; /* of what counts: a comment does not */
	bool is_at_end;
	bool is_full;
	enum place place;
	unsigned braces;
	unsigned quote_braces; /* of them, outside the double quotes */
	struct left_out left_out;
	struct strbuf out; /* the words, one behind the other */
	size_t *breaks;	   /* where they part */
	size_t break_count;
	size_t break_size;
	bool has_arguments;
	size_t arguments_at; /* where "$@" stood last, in which word */
	size_t arguments_word;
};

static int
peek(const struct expander *x)
{
	return x->at < x->text.len ? (unsigned char)x->text.ptr[x->at] : -1;
}

static int
take(struct expander *x)
{
	int c = peek(x);

	if (c >= 0)
		x->at++;
	return c;
}

static void
put(struct expander *x, slice text)
{
	if (x->m == NULL || x->is_full)
		return;
	if (x->out.len + x->break_count + text.len > x->m->line_max)
		x->is_full = true;
	else
		strbuf_add(&x->out, text);
}

static void
put_char(struct expander *x, int c)
{
	char byte = (char)c;

	if (c >= 0)
		put(x, (slice){&byte, 1});
}

static void
begin_word(struct expander *x)
{
	if (x->place <= BETWEEN)
		x->place = WITHIN;
}

static void
end_word(struct expander *x)
{
	x->place = BETWEEN;
	if (x->purpose != RECIPE_FOR_WORDS) {
		put_char(x, ' ');
		return;
	}
	if (x->m == NULL)
		return;
	if (x->break_count == x->break_size) {
		size_t size = x->break_size == 0 ? 8 : x->break_size * 2;
		size_t *grown = ARENA_ARRAY(x->m->run->arena, size_t, size);

		if (x->break_count > 0)
			memcpy(grown, x->breaks,
			    x->break_count * sizeof(*grown));
		x->breaks = grown;
		x->break_size = size;
	}
	x->breaks[x->break_count++] = x->out.len;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Whole, even where words are made. */
static void
put_whole(struct expander *x, slice value)
{
	if (x->m != NULL && !recipe_spend_text(x->m, value.len))
		x->is_full = true;
	put(x, value);
	begin_word(x);
}

/* A variable's value: where words are made and it is not quoted, the blanks in
 * it part them. */
static void
put_value(struct expander *x, slice value)
{
	if (x->m == NULL || x->place == DOUBLE ||
	    x->purpose != RECIPE_FOR_WORDS) {
		put_whole(x, value);
		return;
	}
	if (!recipe_spend_text(x->m, value.len))
		x->is_full = true;
	for (size_t i = 0; i < value.len && !x->is_full; i++) {
		if (!is_blank(value.ptr[i])) {
			put_char(x, (unsigned char)value.ptr[i]);
			x->place = WITHIN;
		} else if (x->place == WITHIN) {
			end_word(x);
		}
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
		put_char(x, (unsigned char)value.ptr[i]);
	}
	begin_word(x);
}

static void
put_number(struct expander *x, long n)
{
	if (x->m == NULL)
		begin_word(x);
	else
		put_whole(x, arena_printf(x->m->run->arena, "%ld", n));
}

/*
 * Variables.
 */

/* $1 and so on; $0 is the program. */
static slice
argument(const struct machine *m, char digit)
{
	size_t number = (size_t)(digit - '0');

	if (number == 0)
		return SLICE("procmail");
	return number <= m->argument_count ? m->arguments[number - 1]
					   : SLICE("");
}

/* Whether it is set. What is left out has no values. */
static bool
look_up(const struct expander *x, slice name, slice *ret)
{
	*ret = SLICE("");
	if (x->m == NULL || x->left_out.is_on)
		return false;
	if (name.len > 0 && ascii_is_digit(name.ptr[0])) {
		*ret = argument(x->m, name.ptr[0]);
		return ret->len > 0;
	}
	return recipe_get(x->m, name, ret);
}

static slice
take_letters(struct expander *x)
{
	size_t from = x->at;

	while (x->at < x->text.len &&
	    recipe_is_name(x->text.ptr[x->at], false))
		x->at++;
	return (slice){x->text.ptr + from, x->at - from};
}

/* All of it but what is left of it stays. */
static void
tell_bad(const struct expander *x, slice name)
{
	if (x->m != NULL)
		recipe_note_add(x->m, true,
		    "Bad substitution of \"" SLICE_FMT "\"", SLICE_ARG(name));
}

static void
leave_out(struct expander *x, slice value)
{
	x->left_out = (struct left_out){.is_on = true,
	    .braces = x->braces,
	    .place = x->place,
	    .length = x->out.len,
	    .breaks = x->break_count,
	    .value = value};
}

/* Behind "${". */
static void
take_braced(struct expander *x)
{
	slice name = take_letters(x);
	int c = take(x);
	slice value;
	bool is_set = look_up(x, name, &value);

	if (name.len > 1 && ascii_is_digit(name.ptr[0])) {
		tell_bad(x, name);
		return;
	}
	if (c == '}') {
		put_value(x, value);
		return;
	}
	if (c == ':') {
		c = take(x);
		is_set = is_set && value.len > 0;
	}
	if (c != '-' && c != '+') {
		tell_bad(x, name);
		return;
	}
	if (!x->left_out.is_on && (c == '-') == is_set)
		leave_out(x, value);
	x->braces++;
}

/* Does a "}" here end a substitution? */
static bool
is_in_braces(const struct expander *x)
{
	if (x->place == DOUBLE)
		return x->braces > x->quote_braces;
	return x->place <= WITHIN && x->braces > 0;
}

static void
close_brace(struct expander *x)
{
	struct left_out left_out = x->left_out;

	x->braces--;
	if (!left_out.is_on || x->braces != left_out.braces)
		return;
	x->left_out.is_on = false;
	x->place = left_out.place;
	x->break_count = left_out.breaks;
	x->out.len = left_out.length;
	if (x->out.data != NULL)
		x->out.data[x->out.len] = '\0';
	put_value(x, left_out.value);
}

/* $?, $= and their like; false when there is none of that letter. */
static bool
put_special(struct expander *x, int c)
{
	const struct machine *m = x->m;

	switch (c) {
	case '=':
		put_number(x, m == NULL ? 0 : m->score);
		return true;
	case '?':
		put_number(x, m == NULL ? 0 : m->last_status);
		return true;
	case '#':
		put_number(x, m == NULL ? 0 : (long)m->argument_count);
		return true;
	case '$':
		put_number(x, 1);
		return true;
	case '_':
		put_value(
		    x, m == NULL ? SLICE("") : slice_from_cstr(m->file));
		return true;
	case '-':
		put_value(x,
		    m == NULL ? SLICE("")
			      : recipe_value(m, SLICE("LASTFOLDER")));
		return true;
	default:
		return false;
	}
}

static void take_escaped(struct expander *x);

/* Behind "$\". */
static void
take_quoted_name(struct expander *x)
{
	slice name = take_letters(x);
	slice value;

	if (name.len == 0) {
		put_char(x, '$');
		begin_word(x);
		take_escaped(x);
		return;
	}
	(void)look_up(x, name, &value);
	put_escaped(x, value);
}

/* Behind "$". */
static void
take_dollar(struct expander *x)
{
	int c = peek(x);
	slice name;
	slice value;

	if (put_special(x, c)) {
		(void)take(x);
	} else if (c == '{') {
		(void)take(x);
		take_braced(x);
	} else if (c == '\\') {
		(void)take(x);
		take_quoted_name(x);
	} else if (c == '@') {
		if (x->place != DOUBLE) {
			begin_word(x);
			return;
		}
		(void)take(x);
		x->has_arguments |= !x->left_out.is_on;
		x->arguments_at = x->out.len;
		x->arguments_word = x->break_count;
	} else if (c >= 0 && recipe_is_name((char)c, false)) {
		name = take_letters(x);
		if (ascii_is_digit((char)c)) {
			x->at -= name.len - 1;
			name.len = 1;
		}
		(void)look_up(x, name, &value);
		put_value(x, value);
	} else {
		put_char(x, '$');
		begin_word(x);
	}
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

static slice
output_of(struct expander *x, slice command)
{
	struct recipe_program_result result;

	if (x->m == NULL || x->left_out.is_on ||
	    !recipe_run_command(x->m, command,
		recipe_program_text(x->m, NULL), true, &result))
		return SLICE("");
	return without_newlines(result.output);
}

/* Behind a backslash in a command: false where both are as they stand. */
static bool
is_command_escape(const struct expander *x, int c)
{
	return c == '\\' || c == '$' || c == '`' ||
	    (c == '"' && x->place == DOUBLE);
}

/* Behind the first backtick. A double quote that is to be closed ends it. */
static void
take_backticks(struct expander *x)
{
	struct strbuf command = {0};
	int c;

	if (x->m != NULL)
		strbuf_init(&command, x->m->run->arena);
	while ((c = take(x)) >= 0 && c != '`' &&
	    !(c == '"' && x->place == DOUBLE)) {
		if (c == '\\') {
			c = take(x);
			if (c == '\n')
				continue;
			if (x->m != NULL && !is_command_escape(x, c))
				strbuf_add_char(&command, '\\');
		}
		if (x->m != NULL && c >= 0)
			strbuf_add_char(&command, (char)c);
	}
	put_value(x,
	    x->m == NULL ? SLICE("") : output_of(x, strbuf_slice(&command)));
	if (c == '"')
		x->place = WITHIN;
}

/*
 * The text.
 */

/* Is a backslash in front of it taken away? */
static bool
is_escape(const struct expander *x, int c)
{
	switch (c) {
	case '"':
	case '\\':
	case '$':
	case '`':
		return true;
	case '}':
		return is_in_braces(x) || x->place != DOUBLE;
	case '#':
		return x->place <= BETWEEN;
	default:
		return x->place != DOUBLE;
	}
}

/* Behind a backslash. */
static void
take_escaped(struct expander *x)
{
	int c = take(x);

	if (c == '\n' || c < 0)
		return;
	if (!is_escape(x, c))
		put_char(x, '\\');
	put_char(x, c);
	begin_word(x);
}

static void
take_quote(struct expander *x)
{
	if (x->place != DOUBLE) {
		x->quote_braces = x->braces;
		x->place = DOUBLE;
	} else if (x->quote_braces < x->braces) {
		put_char(x, '"');
	} else {
		x->place = WITHIN;
	}
}

static void
end_here(struct expander *x)
{
	x->end = x->at - 1;
	x->is_at_end = true;
}

static void
take_comment(struct expander *x)
{
	int c;

	end_here(x);
	do
		c = take(x);
	while (c >= 0 && c != '\n');
}

static void
take_space(struct expander *x, int c)
{
	if (c == '\n' || (x->place == WITHIN && x->purpose == RECIPE_FOR_VALUE))
		end_here(x);
	else if (x->place == WITHIN)
		end_word(x);
}

static void
take_single_quoted(struct expander *x, int c)
{
	if (c == '\'')
		x->place = WITHIN;
	else
		put_char(x, c);
}

static void
take_step(struct expander *x)
{
	int c = take(x);

	if (x->place == SINGLE)
		take_single_quoted(x, c);
	else if (c == '\\')
		take_escaped(x);
	else if (c == '$')
		take_dollar(x);
	else if (c == '`')
		take_backticks(x);
	else if (c == '"')
		take_quote(x);
	else if (c == '}' && is_in_braces(x))
		close_brace(x);
	else if (c == '\'' && x->place != DOUBLE)
		x->place = SINGLE;
	else if (c == '#' && x->place <= BETWEEN)
		take_comment(x);
	else if (is_blank(c) && x->place <= WITHIN)
		take_space(x, c);
	else {
		put_char(x, c);
		begin_word(x);
	}
}

static void
expand(struct expander *x)
{
	x->end = x->text.len;
	while (peek(x) >= 0 && !x->is_at_end && !x->is_full &&
	    (x->m == NULL || !recipe_is_over(x->m)))
		take_step(x);
}

static struct expander
begin(struct machine *m, enum recipe_purpose purpose, slice text)
{
	struct expander x = {.m = m, .purpose = purpose, .text = text};

	strbuf_init(&x.out, m->run->arena);
	if (purpose == RECIPE_FOR_CONDITION)
		x.place = DOUBLE;
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
	struct expander x;

	if (is_plain(raw) && raw.len <= m->line_max) {
		*ret_value = raw;
		return true;
	}
	x = begin(m, RECIPE_FOR_VALUE, raw);
	expand(&x);
	*ret_value = strbuf_slice(&x.out);
	return finish(&x);
}

/* The word that ends where "$@" stood gives way to the arguments. */
static void
add_word(const struct expander *x, struct recipe_words *words, size_t number,
    size_t end)
{
	size_t from = number == 0 ? 0 : x->breaks[number - 1];
	const struct machine *m = x->m;
	slice text = slice_first(strbuf_slice(&x->out), end);

	if (!x->has_arguments || x->arguments_word != number ||
	    x->arguments_at != end || m->argument_count == 0) {
		words->list[words->count++] = slice_from(text, from);
		return;
	}
	for (size_t i = 0; i < m->argument_count; i++)
		words->list[words->count++] = m->arguments[i];
}

static void
make_words(const struct expander *x, struct recipe_words *ret)
{
	size_t most = x->break_count + 1 + x->m->argument_count;

	*ret = (struct recipe_words){
	    .list = ARENA_ARRAY(x->m->run->arena, slice, most)};
	for (size_t i = 0; i < x->break_count; i++)
		add_word(x, ret, i, x->breaks[i]);
	if (x->place > BETWEEN)
		add_word(x, ret, x->break_count, x->out.len);
}

bool
recipe_expand_words(
    struct machine *m, slice raw, struct recipe_words *ret_words)
{
	struct expander x = begin(m, RECIPE_FOR_WORDS, raw);

	expand(&x);
	x.has_arguments = false;
	make_words(&x, ret_words);
	return finish(&x);
}

bool
recipe_expand_command(
    struct machine *m, slice raw, struct recipe_words *ret_words)
{
	struct expander x = begin(m, RECIPE_FOR_WORDS, raw);

	expand(&x);
	make_words(&x, ret_words);
	return finish(&x);
}

bool
recipe_expand_condition(struct machine *m, slice raw, slice *ret_text)
{
	struct expander x = begin(m, RECIPE_FOR_CONDITION, raw);

	expand(&x);
	*ret_text = strbuf_slice(&x.out);
	return finish(&x);
}

struct recipe_extent
recipe_find_end(slice text, enum recipe_purpose purpose)
{
	struct expander x = {.purpose = purpose, .text = text};

	expand(&x);
	return (struct recipe_extent){.end = x.end,
	    .next = x.at,
	    .is_unclosed = !x.is_at_end && x.place >= DOUBLE};
}
