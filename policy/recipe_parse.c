/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the text of an rc file to statements. procmail reads its file while it
 * runs it; nothing that it reads decides where a recipe ends but quotes,
 * backslashes and line ends, so the places are the same when it is read before.
 */
#include "policy/recipe_private.h"

#include <string.h>

#define NESTING_MAX 100

struct reading {
	struct arena *arena;
	struct recipe_file *file;
	const char *text;
	size_t len;
	size_t at;
	unsigned line;
	recipe_warn *warn;
	void *context;
	struct error *error;
	bool has_failed;
	bool has_empty_line; /* before the action */
	bool is_closed; /* the block read last, by its brace */
};

__attribute__((format(printf, 3, 4))) static void
warn_at(struct reading *r, unsigned line, const char *format, ...)
{
	va_list args;
	slice text;

	if (r->warn == NULL)
		return;
	va_start(args, format);
	text = arena_vprintf(r->arena, format, args);
	va_end(args);
	text = arena_printf(r->arena, "%s:%u: " SLICE_FMT, r->file->path, line,
	    SLICE_ARG(text));
	r->warn(r->context, text.ptr);
}

bool
recipe_is_name(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!is_first && ascii_is_digit(c));
}

static int
peek(const struct reading *r, size_t ahead)
{
	return r->at + ahead < r->len ? (unsigned char)r->text[r->at + ahead]
				      : -1;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t';
}

static bool
is_space_or_end(int c)
{
	return c < 0 || is_blank(c) || c == '\n';
}

static int
take(struct reading *r)
{
	int c = peek(r, 0);

	if (c < 0)
		return c;
	r->at++;
	if (c == '\n')
		r->line++;
	return c;
}

static void
skip_blanks(struct reading *r)
{
	while (is_blank(peek(r, 0)) ||
	       (peek(r, 0) == '\\' && peek(r, 1) == '\n')) {
		if (take(r) == '\\')
			(void)take(r);
	}
}

static void
skip_line(struct reading *r)
{
	while (peek(r, 0) >= 0 && take(r) != '\n')
		continue;
}

/* Blanks, line ends and comments. */
static void
skip_space(struct reading *r)
{
	for (;;) {
		skip_blanks(r);
		if (peek(r, 0) == '\n')
			(void)take(r);
		else if (peek(r, 0) == '#')
			skip_line(r);
		else
			return;
	}
}

/* Raw text that is to be expanded; what ends it is taken as well. */
static slice
take_raw(struct reading *r, enum recipe_purpose purpose)
{
	slice rest = {r->text + r->at, r->len - r->at};
	struct recipe_extent extent = recipe_find_end(rest, purpose);

	for (size_t i = 0; i < extent.next; i++)
		(void)take(r);
	if (extent.is_unclosed)
		warn_at(r, r->line, "a quote is not closed");
	return slice_first(rest, extent.end);
}

/* A line as it stands, its continuations joined to it without the blanks they
 * begin with; quotes mean nothing. */
static slice
take_line(struct reading *r)
{
	struct strbuf line;
	int c;

	strbuf_init(&line, r->arena);
	while ((c = take(r)) >= 0 && c != '\n') {
		if (c == '\\' && peek(r, 0) == '\n') {
			(void)take(r);
			while (is_blank(peek(r, 0)))
				(void)take(r);
			continue;
		}
		strbuf_add_char(&line, (char)c);
	}
	return strbuf_slice(&line);
}

static slice
take_name(struct reading *r)
{
	size_t from = r->at;

	while (
	    peek(r, 0) >= 0 && recipe_is_name((char)peek(r, 0), r->at == from))
		r->at++;
	return (slice){r->text + from, r->at - from};
}

static struct recipe_statement *
statement_new(struct reading *r, enum statement_kind kind)
{
	struct recipe_statement *s =
	    ARENA_NEW(r->arena, struct recipe_statement);

	s->kind = kind;
	s->line = r->line;
	return s;
}

/*
 * Conditions.
 */

static void
keep_regex(struct reading *r, struct recipe_regex *regex)
{
	struct recipe_file *file = r->file;

	if (file->regex_count == file->regex_size) {
		size_t size = file->regex_size == 0 ? 64 : file->regex_size * 2;
		struct recipe_regex **grown =
		    ARENA_ARRAY(r->arena, struct recipe_regex *, size);

		if (file->regex_count > 0)
			memcpy(grown, file->regexes,
			    file->regex_count * sizeof(*grown));
		file->regexes = grown;
		file->regex_size = size;
	}
	file->regexes[file->regex_count++] = regex;
}

static void
compile(struct reading *r, struct recipe_condition *c, bool case_matters)
{
	struct recipe_regex_options options = {.case_matters = case_matters};
	struct recipe_regex_note note = {0};
	struct error error = {.text = ""};
	struct recipe_regex *regex =
	    recipe_regex_compile(r->arena, c->text, options, &note, &error);

	if (regex == NULL) {
		warn_at(r, c->line, "%s", error.text);
		return;
	}
	if (note.is_unbalanced)
		warn_at(r, c->line, "Invalid regexp \"" SLICE_FMT "\"",
		    SLICE_ARG(c->text));
	c->regex[case_matters] = regex;
	keep_regex(r, regex);
}

static void
check_size(struct reading *r, const struct recipe_condition *c)
{
	slice digits = c->text;

	if (digits.len > 1 && (digits.ptr[0] == '-' || digits.ptr[0] == '+'))
		digits = slice_from(digits, 1);
	if (!slice_is_number(digits))
		warn_at(
		    r, c->line, "Skipped \"" SLICE_FMT "\"", SLICE_ARG(digits));
}

static void
prepare(struct reading *r, struct recipe_condition *c,
    const struct recipe_flags *flags)
{
	if (c->kind == CONDITION_SMALLER || c->kind == CONDITION_LARGER)
		check_size(r, c);
	if (c->kind != CONDITION_REGEX)
		return;
	if (flags == NULL || !flags->has['D'])
		compile(r, c, false);
	if (flags == NULL || flags->has['D'])
		compile(r, c, true);
}

static slice
trim_right(slice s)
{
	while (s.len > 0 && ascii_is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static struct recipe_condition *
read_condition(struct reading *r, const struct recipe_flags *flags)
{
	struct recipe_condition *c =
	    ARENA_NEW(r->arena, struct recipe_condition);
	unsigned line = r->line;

	recipe_read_condition(trim_right(take_line(r)), line, c);
	prepare(r, c, flags);
	return c;
}

static bool has_flag(const struct recipe_statement *s, char flag);

/* How many lines of a recipe without a number, or of old, need no star. */
static long
bare_conditions(const struct recipe_statement *s)
{
	bool is_chained = s->flags != NULL &&
	    (has_flag(s, 'A') || has_flag(s, 'a') || has_flag(s, 'E') ||
		has_flag(s, 'e'));

	return is_chained ? 0 : 1;
}

/* With a star each; the first `bare` lines need none, whatever they are. */
static void
read_conditions(struct reading *r, struct recipe_statement *s, long bare)
{
	struct recipe_condition **end = &s->conditions;

	r->has_empty_line = false;
	for (;;) {
		skip_blanks(r);
		bare--;
		if (peek(r, 0) < 0)
			return;
		if (peek(r, 0) == '*') {
			(void)take(r);
		} else if (bare < 0 && peek(r, 0) == '#') {
			skip_line(r);
			continue;
		} else if (bare < 0 && peek(r, 0) == '\n') {
			(void)take(r);
			r->has_empty_line = true;
			continue;
		} else if (bare < 0) {
			return;
		}
		*end = read_condition(r, s->flags);
		end = &(*end)->next;
	}
}

/*
 * The recipe's line.
 */

static bool
is_plain(slice head)
{
	for (size_t i = 0; i < head.len; i++) {
		if (head.ptr[i] == '\0' ||
		    strchr("$\"'`\\", head.ptr[i]) != NULL)
			return false;
	}
	return true;
}

static void
read_head(struct reading *r, struct recipe_statement *s)
{
	struct recipe_flags *flags;
	slice skipped;

	s->head = take_raw(r, RECIPE_FOR_WORDS);
	if (!is_plain(s->head))
		return;
	flags = ARENA_NEW(r->arena, struct recipe_flags);
	recipe_read_flags(s->head, flags, &skipped);
	s->flags = flags;
	if (skipped.len > 0)
		warn_at(r, s->line, "Skipped \"" SLICE_FMT "\"",
		    SLICE_ARG(skipped));
	if (flags->taken_back != NULL)
		warn_at(r, s->line, "Conflicting %s suppressed",
		    flags->taken_back);
}

/*
 * Actions.
 */

static bool read_statements(
    struct reading *r, unsigned depth, struct recipe_statement **ret_first);

static void
read_line_action(
    struct reading *r, struct recipe_statement *s, enum action_kind kind)
{
	(void)take(r);
	s->action = kind;
	s->text = take_line(r);
}

static void
read_forward(
    struct reading *r, struct recipe_statement *s, enum action_kind kind)
{
	(void)take(r);
	s->action = kind;
	s->text = take_raw(r, RECIPE_FOR_WORDS);
}

/* What might be a variable's name, and its "=", are looked at first: a comment
 * may begin right behind them. */
static slice
take_folder(struct reading *r)
{
	size_t from = r->at;
	slice text;

	if (take_name(r).len > 0) {
		skip_blanks(r);
		if (peek(r, 0) == '=') {
			(void)take(r);
			skip_blanks(r);
		}
	}
	text = take_raw(r, RECIPE_FOR_WORDS);
	return (slice){r->text + from,
	    (size_t)(text.ptr + text.len - (r->text + from))};
}

/* "NAME=|" or "NAME=!", blanks about the "=" allowed. */
static bool
read_capture(struct reading *r, struct recipe_statement *s)
{
	size_t at = r->at;
	unsigned line = r->line;
	slice name = take_name(r);

	skip_blanks(r);
	if (name.len > 0 && peek(r, 0) == '=') {
		bool has_blank = r->at != at + name.len;

		(void)take(r);
		skip_blanks(r);
		if (peek(r, 0) == '|' || peek(r, 0) == '!') {
			/* A blank before "=": nothing is assigned. */
			s->name = has_blank ? SLICE("") : name;
			if (peek(r, 0) == '|')
				read_line_action(r, s, ACTION_CAPTURE);
			else
				read_forward(r, s, ACTION_CAPTURE_FORWARD);
			return true;
		}
	}
	r->at = at;
	r->line = line;
	return false;
}

static bool
read_block(struct reading *r, struct recipe_statement *s, unsigned depth)
{
	(void)take(r);
	s->action = ACTION_BLOCK;
	if (depth + 1 > NESTING_MAX) {
		r->has_failed = true;
		return error_at(r->error, r->file->path, s->line,
		    "blocks nested more than %d deep", NESTING_MAX);
	}
	if (!read_statements(r, depth + 1, &s->block))
		return false;
	s->is_unclosed = !r->is_closed;
	return true;
}

static bool
read_action(struct reading *r, struct recipe_statement *s, unsigned depth)
{
	unsigned line;

	skip_space(r);
	line = r->line;
	switch (peek(r, 0)) {
	case -1:
		warn_at(r, s->line, "Missing action");
		s->action = ACTION_MISSING;
		return true;
	case ':':
		/* Behind an empty line the next recipe begins; else it is a
		 * folder of that name. */
		if (!r->has_empty_line)
			break;
		warn_at(r, s->line, "Missing action");
		s->action = ACTION_MISSING;
		return true;
	case '!':
		read_forward(r, s, ACTION_FORWARD);
		return true;
	case '|':
		read_line_action(r, s, ACTION_PIPE);
		return true;
	case '{':
		if (is_space_or_end(peek(r, 1)))
			return read_block(r, s, depth);
		break;
	case '}':
		if (is_space_or_end(peek(r, 1))) {
			warn_at(r, line, "Missing action");
			s->action = ACTION_MISSING;
			return true;
		}
		break;
	default:
		break;
	}
	if (read_capture(r, s))
		return true;
	s->action = ACTION_FOLDER;
	s->text = take_folder(r);
	if (s->text.len > 0 && strchr(":*", s->text.ptr[0]) != NULL)
		warn_at(r, line,
		    "a folder called \"" SLICE_FMT
		    "\": is something missing before it?",
		    SLICE_ARG(s->text));
	return true;
}

static bool
has_flag(const struct recipe_statement *s, char flag)
{
	return s->flags == NULL || s->flags->has[(unsigned char)flag];
}

static bool
is_body_variable(slice name)
{
	return slice_eq(name, SLICE("B")) || slice_eq(name, SLICE("HB")) ||
	       slice_eq(name, SLICE("BH")) ||
	       slice_eq(name, SLICE("BODY_DECODED"));
}

/* What may make one recipient's message another than the next one's: then
 * somebody gets a copy, with the body. */
static bool
may_make_copies(slice name)
{
	return slice_eq(name, SLICE("SMTP_QUARANTINE")) ||
	       slice_eq(name, SLICE("SMTP_ADD_HEADER")) ||
	       slice_eq(name, SLICE("SMTP_CHANGE_HEADER")) ||
	       slice_eq(name, SLICE("SMTP_REMOVE_HEADER"));
}

/* Sizes need the body, too; so does all that hands the message on, or half of
 * it. */
static bool
needs_body(const struct recipe_statement *s)
{
	if (has_flag(s, 'B') || s->action == ACTION_PIPE ||
	    s->action == ACTION_CAPTURE || has_flag(s, 'c') ||
	    has_flag(s, 'h') != has_flag(s, 'b'))
		return true;
	for (const struct recipe_condition *c = s->conditions; c != NULL;
	     c = c->next) {
		if (c->kind == CONDITION_EXPAND ||
		    is_body_variable(c->variable) ||
		    (c->kind != CONDITION_REGEX && c->variable.len == 0))
			return true;
	}
	return false;
}

static bool
read_recipe(struct reading *r, unsigned depth, struct recipe_statement *s)
{
	long count = 0;
	bool has_number = false;

	(void)take(r);
	skip_blanks(r);
	while (peek(r, 0) >= '0' && peek(r, 0) <= '9') {
		count = count * 10 + (take(r) - '0');
		has_number = true;
		if (count > 1000000)
			count = 1000000;
	}
	read_head(r, s);
	read_conditions(r, s, has_number ? count : bare_conditions(s));
	r->file->recipes++;
	if (!read_action(r, s, depth))
		return false;
	if (needs_body(s))
		r->file->needs_body = true;
	return true;
}

/*
 * Assignments.
 */

static bool
names_a_file(slice name)
{
	return slice_eq(name, SLICE("INCLUDERC")) ||
	       slice_eq(name, SLICE("SWITCHRC"));
}

static void
skip_bad_word(struct reading *r)
{
	unsigned line = r->line;
	size_t from = r->at;
	slice word;

	while (peek(r, 0) >= 0 && peek(r, 0) != '\n')
		r->at++;
	word = slice_trim((slice){r->text + from, r->at - from});
	warn_at(r, line, "Skipped \"" SLICE_FMT "\"", SLICE_ARG(word));
}

/* One word of a line that is no recipe; NULL where it is nothing. */
static struct recipe_statement *
read_word(struct reading *r)
{
	struct recipe_statement *s = statement_new(r, STATEMENT_UNSET);
	size_t at;

	s->name = take_name(r);
	at = r->at;
	if (s->name.len == 0) {
		skip_bad_word(r);
		return NULL;
	}
	skip_blanks(r);
	if (peek(r, 0) == '=') {
		(void)take(r);
		skip_blanks(r);
		s->kind = STATEMENT_ASSIGN;
		s->value = take_raw(r, RECIPE_FOR_VALUE);
		if (names_a_file(s->name) || may_make_copies(s->name))
			r->file->needs_body = true;
		if (memchr(s->value.ptr, '`', s->value.len) != NULL)
			r->file->needs_body = true;
		return s;
	}
	r->at = at;
	if (!is_space_or_end(peek(r, 0))) {
		warn_at(r, s->line, "Skipped \"" SLICE_FMT "\"",
		    SLICE_ARG(s->name));
		return NULL;
	}
	return s;
}

/*
 * The whole.
 */

static bool
read_statements(
    struct reading *r, unsigned depth, struct recipe_statement **ret_first)
{
	struct recipe_statement **end = ret_first;

	for (;;) {
		struct recipe_statement *s;

		skip_space(r);
		if (peek(r, 0) < 0) {
			if (depth > 0)
				warn_at(r, r->line, "Missing closing brace");
			r->is_closed = false;
			return true;
		}
		if (peek(r, 0) == '}') {
			(void)take(r);
			r->is_closed = true;
			if (depth > 0)
				return true;
			warn_at(r, r->line, "Closing brace unexpected");
			continue;
		}
		if (peek(r, 0) == ':') {
			s = statement_new(r, STATEMENT_RECIPE);
			if (!read_recipe(r, depth, s))
				return false;
		} else {
			s = read_word(r);
		}
		if (s != NULL) {
			*end = s;
			end = &s->next;
		}
	}
}

struct recipe_file *
recipe_file_read(struct arena *arena, const char *path, slice text,
    recipe_warn *warn, void *context, struct error *error)
{
	struct recipe_file *file = ARENA_NEW(arena, struct recipe_file);
	struct reading r = {.arena = arena,
	    .file = file,
	    .text = text.ptr,
	    .len = text.len,
	    .line = 1,
	    .warn = warn,
	    .context = context,
	    .error = error};

	file->path = arena_cstr(arena, slice_from_cstr(path));
	if (text.len > RECIPE_FILE_MAX) {
		(void)error_at(
		    error, path, 0, "more than %d bytes", RECIPE_FILE_MAX);
		return NULL;
	}
	if (slice_index(text, '\0') < text.len) {
		(void)error_at(error, path, 0, "a NUL byte in it");
		return NULL;
	}
	r.text = arena_copy(arena, text).ptr;
	if (read_statements(&r, 0, &file->first))
		return file;
	recipe_file_free(file);
	return NULL;
}

void
recipe_file_free(struct recipe_file *file)
{
	for (size_t i = 0; file != NULL && i < file->regex_count; i++)
		recipe_regex_free(file->regexes[i]);
}

const char *
recipe_file_path(const struct recipe_file *file)
{
	return file->path;
}

size_t
recipe_file_recipes(const struct recipe_file *file)
{
	return file->recipes;
}

bool
recipe_file_needs_body(const struct recipe_file *file)
{
	return file->needs_body;
}
