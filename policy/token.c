/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/token.h"

#include "base/strbuf.h"

#include <string.h>

/*
 * The scanner walks the text once. It keeps three things that sendmail keeps:
 * the depth of comments, the number of open angle brackets, and whether it is
 * inside quotes. A fault (something left open at the end, something closed
 * that was never open) is noted and mended so that the tokens balance.
 */
struct scanner {
	struct arena *arena;
	slice text;
	size_t at;
	slice *list;
	size_t count;
	size_t size;
	unsigned open_angles;
	const char *problem;
};

/* What a byte is to the scanner. */
enum { PLAIN, BLANK, QUOTE, OPERATOR };

/* clang-format off */
static const unsigned char kinds[256] = {
	[' '] = BLANK, ['\t'] = BLANK, ['\r'] = BLANK, ['\n'] = BLANK, ['"'] = QUOTE,
	['.'] = OPERATOR, [':'] = OPERATOR, ['%'] = OPERATOR, ['@'] = OPERATOR, ['!'] = OPERATOR,
	['^'] = OPERATOR, ['/'] = OPERATOR, ['['] = OPERATOR, [']'] = OPERATOR, ['+'] = OPERATOR,
	['('] = OPERATOR, [')'] = OPERATOR, ['<'] = OPERATOR, ['>'] = OPERATOR, [','] = OPERATOR,
	[';'] = OPERATOR,
};
/* clang-format on */

static bool
is_operator_char(char c)
{
	return kinds[(unsigned char)c] == OPERATOR;
}

bool
token_is_operator(slice token)
{
	return token.len == 1 && is_operator_char(token.ptr[0]);
}

bool
token_is_routing(slice token)
{
	return token.len == 1 &&
	    (token.ptr[0] == '@' || token.ptr[0] == '%' ||
		token.ptr[0] == '!');
}

static bool
token_is_atom(slice token)
{
	return token.len > 0 && token.ptr[0] != '"' &&
	    !token_is_operator(token);
}

static void
fault(struct scanner *s, const char *problem)
{
	if (s->problem == NULL)
		s->problem = problem;
}

static void
push(struct scanner *s, slice token)
{
	if (s->count == s->size) {
		size_t size = s->size == 0 ? 16 : s->size * 2;
		slice *grown = ARENA_ARRAY(s->arena, slice, size);

		if (s->count > 0)
			memcpy(grown, s->list, s->count * sizeof(slice));
		s->list = grown;
		s->size = size;
	}
	s->list[s->count++] = token;
}

/* Behind the closing parenthesis of the comment that opens at s->at. */
static void
skip_comment(struct scanner *s)
{
	unsigned depth = 0;

	for (; s->at < s->text.len; s->at++) {
		char c = s->text.ptr[s->at];

		if (c == '\\' && s->at + 1 < s->text.len) {
			s->at++;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			s->at++;
			return;
		}
	}
	fault(s, "Unbalanced '('");
}

static void
scan_quoted(struct scanner *s)
{
	size_t start = s->at++;

	for (; s->at < s->text.len; s->at++) {
		char c = s->text.ptr[s->at];

		if (c == '\\' && s->at + 1 < s->text.len) {
			s->at++;
		} else if (c == '"') {
			s->at++;
			push(s, (slice){s->text.ptr + start, s->at - start});
			return;
		}
	}
	fault(s, "Unbalanced '\"'");
	push(s, arena_printf(s->arena, SLICE_FMT "\"",
	    SLICE_ARG(slice_from(s->text, start))));
}

/* A closing bracket that nothing opened vanishes, as if it were not there. */
static bool
is_stray(struct scanner *s)
{
	char c = s->text.ptr[s->at];

	if (c == ')')
		fault(s, "Unbalanced ')'");
	else if (c == '>' && s->open_angles == 0)
		fault(s, "Unbalanced '>'");
	else
		return false;
	return true;
}

static bool
ends_atom(char c)
{
	return kinds[(unsigned char)c] != PLAIN;
}

static slice
run_of_atom(struct scanner *s)
{
	size_t start = s->at;

	while (s->at < s->text.len && !ends_atom(s->text.ptr[s->at])) {
		bool is_escape = s->text.ptr[s->at] == '\\';

		s->at += is_escape && s->at + 1 < s->text.len ? 2 : 1;
	}
	return (slice){s->text.ptr + start, s->at - start};
}

static void
scan_atom(struct scanner *s)
{
	slice atom = run_of_atom(s);
	struct strbuf mended;

	if (s->at == s->text.len || !is_stray(s)) {
		push(s, atom);
		return;
	}
	strbuf_init(&mended, s->arena);
	strbuf_add(&mended, atom);
	while (s->at < s->text.len && is_stray(s)) {
		s->at++;
		strbuf_add(&mended, run_of_atom(s));
	}
	push(s, strbuf_slice(&mended));
}

static void
scan_operator(struct scanner *s)
{
	slice token = {s->text.ptr + s->at++, 1};

	s->open_angles += token.ptr[0] == '<';
	s->open_angles -= token.ptr[0] == '>';
	push(s, token);
}

static void
scan_token(struct scanner *s)
{
	char c = s->text.ptr[s->at];

	if (ascii_is_space(c) || is_stray(s))
		s->at++;
	else if (c == '(')
		skip_comment(s);
	else if (c == '"')
		scan_quoted(s);
	else if (is_operator_char(c))
		scan_operator(s);
	else
		scan_atom(s);
}

struct tokens
tokens_from(struct arena *arena, slice text, const char **ret_problem)
{
	struct scanner s = {.arena = arena, .text = text};

	while (s.at < text.len)
		scan_token(&s);
	if (s.open_angles > 0)
		fault(&s, "Unbalanced '<'");
	for (; s.open_angles > 0; s.open_angles--)
		push(&s, SLICE(">"));
	if (ret_problem != NULL)
		*ret_problem = s.problem;
	return (struct tokens){s.list, s.count};
}

struct tokens
tokens_part(struct tokens t, size_t from, size_t to)
{
	if (from >= to)
		return (struct tokens){t.list, 0};
	return (struct tokens){t.list + from, to - from};
}

struct tokens
tokens_concat(struct arena *arena, struct tokens a, struct tokens b)
{
	struct tokens sum = {ARENA_ARRAY(arena, slice, a.count + b.count + 1),
	    a.count + b.count};

	if (a.count > 0)
		memcpy(sum.list, a.list, a.count * sizeof(slice));
	if (b.count > 0)
		memcpy(sum.list + a.count, b.list, b.count * sizeof(slice));
	return sum;
}

bool
token_is(struct tokens t, size_t at, char operator_char)
{
	return at < t.count && t.list[at].len == 1 &&
	    t.list[at].ptr[0] == operator_char;
}

bool
token_is_word(struct tokens t, size_t at, slice word)
{
	return at < t.count && slice_eq_nocase(t.list[at], word);
}

bool
tokens_have_routing(struct tokens t)
{
	for (size_t i = 0; i < t.count; i++) {
		if (token_is_routing(t.list[i]))
			return true;
	}
	return false;
}

size_t
tokens_index(struct tokens t, size_t from, char c)
{
	for (size_t i = from; i < t.count; i++) {
		if (token_is(t, i, c))
			return i;
	}
	return t.count;
}

size_t
tokens_last_index(struct tokens t, char c)
{
	for (size_t i = t.count; i > 0; i--) {
		if (token_is(t, i - 1, c))
			return i - 1;
	}
	return t.count;
}

slice
tokens_join(struct arena *arena, struct tokens t)
{
	return tokens_join_with(arena, t, '.');
}

/* Tokens that stand side by side in the text they were made from are a part
 * of it. */
static bool
is_unbroken(struct tokens t)
{
	for (size_t i = 1; i < t.count; i++) {
		if (t.list[i].ptr != t.list[i - 1].ptr + t.list[i - 1].len)
			return false;
	}
	return t.count > 0;
}

static size_t
length_of(struct tokens t)
{
	size_t len = 0;

	for (size_t i = 0; i < t.count; i++)
		len += t.list[i].len;
	return len;
}

slice
tokens_join_with(struct arena *arena, struct tokens t, char between_atoms)
{
	struct strbuf joined;

	if (is_unbroken(t))
		return (slice){t.list[0].ptr, length_of(t)};
	strbuf_init(&joined, arena);
	for (size_t i = 0; i < t.count; i++) {
		if (i > 0 && token_is_atom(t.list[i - 1]) &&
		    token_is_atom(t.list[i]))
			strbuf_add_char(&joined, between_atoms);
		strbuf_add(&joined, t.list[i]);
	}
	return strbuf_slice(&joined);
}

static void
add_without_quotes(struct strbuf *text, slice token)
{
	for (size_t i = 0; i < token.len; i++) {
		if (token.ptr[i] == '\\' && i + 1 < token.len)
			strbuf_add_char(text, token.ptr[++i]);
		else if (token.ptr[i] != '"')
			strbuf_add_char(text, token.ptr[i]);
	}
}

slice
tokens_join_text(struct arena *arena, struct tokens t)
{
	struct strbuf text;

	strbuf_init(&text, arena);
	for (size_t i = 0; i < t.count; i++) {
		if (i > 0 && token_is_atom(t.list[i - 1]) &&
		    token_is_atom(t.list[i]))
			strbuf_add_char(&text, ' ');
		add_without_quotes(&text, t.list[i]);
	}
	return strbuf_slice(&text);
}

/* What sendmail's dequote map refuses: blanks, and brackets that do not
 * balance. */
static bool
can_dequote(slice inside)
{
	unsigned angles = 0;
	unsigned comments = 0;

	for (size_t i = 0; i < inside.len; i++) {
		char c = inside.ptr[i];

		if (c == '\\' && ++i == inside.len)
			return false;
		if (c == ' ' || c == '\t')
			return false;
		angles += c == '<';
		comments += c == '(';
		if ((c == '>' && angles-- == 0) || (c == ')' && comments-- == 0))
			return false;
	}
	return angles == 0 && comments == 0;
}

struct tokens
tokens_dequote(struct arena *arena, struct tokens t)
{
	slice token;
	slice inside;

	if (t.count != 1 || t.list[0].len < 2 || t.list[0].ptr[0] != '"')
		return t;
	token = t.list[0];
	inside = slice_first(slice_from(token, 1), token.len - 2);
	if (!can_dequote(inside))
		return t;
	return tokens_from(arena, inside, NULL);
}

/* Is a token, or stands between two. */
static bool
separates(char c)
{
	return c == ' ' || is_operator_char(c);
}

bool
text_is_boundary(slice text, size_t at)
{
	return at == 0 || at == text.len || separates(text.ptr[at]) ||
	    separates(text.ptr[at - 1]);
}
