/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a run remembers: its limits, its notes, and the variables, which are a
 * list that only grows at its front, so that a clone of a machine shares it.
 */
#include "policy/recipe_private.h"

#include <string.h>

#define LINE_MIN_BYTES 128

bool
recipe_hit(struct machine *m, const char *limit)
{
	if (m->run->result->limit == NULL) {
		m->run->result->limit = limit;
		recipe_note_add(m, true, "Limit \"%s\" hit", limit);
	}
	return false;
}

bool
recipe_is_over(const struct machine *m)
{
	return m->run->result->limit != NULL;
}

bool
recipe_spend_text(struct machine *m, size_t bytes)
{
	if (bytes > m->run->limits.text - m->run->text)
		return recipe_hit(m, "text");
	m->run->text += bytes;
	return true;
}

bool
recipe_spend_step(struct machine *m)
{
	if (m->run->steps++ >= m->run->limits.steps)
		return recipe_hit(m, "steps");
	return true;
}

void
recipe_note_add(struct machine *m, bool is_warning, const char *format, ...)
{
	struct run *run = m->run;
	struct recipe_note *note;
	va_list args;

	if (!is_warning && !run->input->is_verbose)
		return;
	note = ARENA_NEW(run->arena, struct recipe_note);
	va_start(args, format);
	note->text = arena_vprintf(run->arena, format, args);
	va_end(args);
	note->file = m->file;
	note->line = m->line;
	note->is_warning = is_warning;
	*run->last_note = note;
	run->last_note = &note->next;
}

bool
recipe_get(const struct machine *m, slice name, slice *ret_value)
{
	for (const struct binding *b = m->variables; b != NULL; b = b->older) {
		if (!slice_eq(b->name, name))
			continue;
		*ret_value = b->value;
		return !b->is_unset;
	}
	return false;
}

slice
recipe_value(const struct machine *m, slice name)
{
	slice value = SLICE("");

	(void)recipe_get(m, name, &value);
	return value;
}

static struct binding *
bind(struct machine *m, slice name, slice value)
{
	struct binding *b = ARENA_NEW(m->run->arena, struct binding);

	b->name = name;
	b->value = value;
	b->older = m->variables;
	m->variables = b;
	return b;
}

void
recipe_bind(struct machine *m, slice name, slice value)
{
	(void)bind(m, name, value);
}

/*
 * Names that mean something.
 */

static bool
begins_with(slice text, const char *letters)
{
	return text.len > 0 && text.ptr[0] != '\0' &&
	    strchr(letters, text.ptr[0]) != NULL;
}

/* yes, true, enable; no, false, disable; on, off; all. */
static long
number_of_word(slice text, long fallback)
{
	if (begins_with(text, "yYtTeE") ||
	    slice_has_prefix_nocase(text, SLICE("on")))
		return 1;
	if (begins_with(text, "nNfFdD") ||
	    slice_has_prefix_nocase(text, SLICE("off")))
		return 0;
	return begins_with(text, "aA") ? 2 : fallback;
}

long
recipe_number(slice text, long fallback)
{
	long n = 0;
	bool is_negative = false;
	size_t i = 0;

	text = slice_trim(text);
	if (begins_with(text, "+-"))
		is_negative = text.ptr[i++] == '-';
	if (i >= text.len || !ascii_is_digit(text.ptr[i]))
		return number_of_word(text, fallback);
	for (; i < text.len && ascii_is_digit(text.ptr[i]); i++) {
		if (n < 100000000)
			n = n * 10 + (text.ptr[i] - '0');
	}
	return is_negative ? -n : n;
}

static void
set_line_max(struct machine *m, slice value)
{
	long n = recipe_number(value, 0);

	m->line_max = n < LINE_MIN_BYTES ? LINE_MIN_BYTES : (size_t)n;
}

static void
shift_arguments(struct machine *m, slice value)
{
	long n = recipe_number(value, 0);
	size_t count = n < 0 ? 0 : (size_t)n;

	if (count > m->argument_count)
		count = m->argument_count;
	if (count == 0)
		return;
	m->arguments += count;
	m->argument_count -= count;
}

static void
add_to_log(struct machine *m, slice value)
{
	strbuf_add(&m->run->log, value);
}

/* The rest of the rc files, and the message, are for another host. */
static void
check_host(struct machine *m, slice value)
{
	slice ours = SLICE("");
	const struct recipe_input *input = m->run->input;

	for (size_t i = 0; i < input->variable_count; i++) {
		if (slice_eq(input->variables[i].name, SLICE("HOST")))
			ours = input->variables[i].value;
	}
	if (slice_eq_nocase(ours, value))
		return;
	recipe_note_add(m, true, "HOST mismatched \"" SLICE_FMT "\"",
	    SLICE_ARG(value));
	m->is_done = m->is_foreign = true;
}

static void
set_reject(struct machine *m, slice value)
{
	m->run->result->reject = value;
}

static void
set_defer(struct machine *m, slice value)
{
	m->run->result->defer = value;
}

static void
set_quarantine(struct machine *m, slice value)
{
	m->run->result->quarantine = value;
}

static bool
is_field_name(slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c <= ' ' || c >= 127 || c == ':')
			return false;
	}
	return name.len > 0;
}

static void
edit_header(struct machine *m, enum recipe_header_kind kind, slice text)
{
	size_t colon = slice_index(text, ':');
	struct recipe_header_edit *edit;

	if (!is_field_name(slice_first(text, colon)) ||
	    (kind != RECIPE_REMOVE_HEADER && colon == text.len)) {
		recipe_note_add(m, true, "Not a header field: \"" SLICE_FMT
		    "\"", SLICE_ARG(text));
		return;
	}
	edit = ARENA_NEW(m->run->arena, struct recipe_header_edit);
	edit->kind = kind;
	edit->name = slice_first(text, colon);
	edit->value = slice_trim(slice_from(text, colon + 1));
	*m->run->last_edit = edit;
	m->run->last_edit = &edit->next;
}

static void
add_header(struct machine *m, slice value)
{
	edit_header(m, RECIPE_ADD_HEADER, value);
}

static void
change_header(struct machine *m, slice value)
{
	edit_header(m, RECIPE_CHANGE_HEADER, value);
}

static void
remove_header(struct machine *m, slice value)
{
	edit_header(m, RECIPE_REMOVE_HEADER, value);
}

/* clang-format off */
static const struct special {
	slice name;
	void (*set)(struct machine *m, slice value);
} specials[] = {
	{SLICE_INIT("LINEBUF"), set_line_max},
	{SLICE_INIT("SHIFT"), shift_arguments},
	{SLICE_INIT("LOG"), add_to_log},
	{SLICE_INIT("HOST"), check_host},
	{SLICE_INIT("SMTP_REJECT"), set_reject},
	{SLICE_INIT("SMTP_DEFER"), set_defer},
	{SLICE_INIT("SMTP_QUARANTINE"), set_quarantine},
	{SLICE_INIT("SMTP_ADD_HEADER"), add_header},
	{SLICE_INIT("SMTP_CHANGE_HEADER"), change_header},
	{SLICE_INIT("SMTP_REMOVE_HEADER"), remove_header},
};
/* clang-format on */

static void
act_on_name(struct machine *m, slice name, slice value)
{
	for (size_t i = 0; i < sizeof(specials) / sizeof(*specials); i++) {
		if (slice_eq(name, specials[i].name))
			specials[i].set(m, value);
	}
}

void
recipe_assign(struct machine *m, slice name, slice value)
{
	recipe_note_add(m, false,
	    "Assigning \"" SLICE_FMT "=" SLICE_FMT "\"", SLICE_ARG(name),
	    SLICE_ARG(value));
	(void)bind(m, name, value);
	act_on_name(m, name, value);
}

void
recipe_unset(struct machine *m, slice name)
{
	recipe_note_add(
	    m, false, "Assigning \"" SLICE_FMT "\"", SLICE_ARG(name));
	bind(m, name, SLICE(""))->is_unset = true;
	if (slice_eq(name, SLICE("HOST")) ||
	    slice_has_prefix_nocase(name, SLICE("SMTP_")))
		act_on_name(m, name, SLICE(""));
}
