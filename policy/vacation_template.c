/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/vacation_template.h"

#include "base/duration.h"
#include "base/strbuf.h"
#include "policy/civil.h"
#include "policy/mime_encode.h"
#include "policy/path.h"

#include <string.h>

enum {
	FIELDS_MAX = 100,
	ADDRESSES_MAX = 200,
	VALUE_MAX = 4096,
	DAY = 86400,
	ONCE_DAYS = 3650,
};

struct parser {
	struct arena *arena;
	struct vacation_template *template;
	struct error *error;
	unsigned line; /* of the field being looked at */
};

static bool
refuse(const struct parser *p, const char *what, slice text)
{
	(void)error_set(p->error, "%s: \"" SLICE_FMT "\"", what,
	    SLICE_ARG(slice_first(text, 80)));
	if (p->error != NULL)
		p->error->line = p->line;
	return false;
}

/* "Name:" at the front of a line (RFC 5322, 2.2), or 0. */
static size_t
name_length(slice line)
{
	size_t colon = slice_index(line, ':');

	if (colon == line.len)
		return 0;
	for (size_t i = 0; i < colon; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if (c <= ' ' || c >= 0x7f)
			return 0;
	}
	return colon;
}

static slice
line_at_front(slice text)
{
	slice line = slice_first(text, slice_index(text, '\n'));

	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool
is_continued(slice text)
{
	return text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t') &&
	       slice_trim(line_at_front(text)).len > 0;
}

/* The first field of *rest, its folding included. */
static bool
next_field(struct parser *p, slice *rest, struct vacation_field *ret_field)
{
	size_t len = name_length(line_at_front(*rest));
	size_t end = 0;
	unsigned lines = 0;

	if (len == 0)
		return false;
	do {
		end += slice_index(slice_from(*rest, end), '\n') + 1;
		lines++;
	} while (is_continued(slice_from(*rest, end)));
	ret_field->name = slice_first(*rest, len);
	ret_field->value = header_text_clean(
	    p->arena, slice_from(slice_first(*rest, end), len + 1));
	*rest = slice_from(*rest, end);
	p->line += lines;
	return true;
}

static bool
set_interval(struct parser *p, slice value)
{
	unsigned long long seconds;

	p->template->has_interval = true;
	p->template->interval_s = (unsigned long)ONCE_DAYS * DAY;
	if (slice_eq_nocase(value, SLICE("once")))
		return true;
	if (!duration_parse(value, 'd', &seconds))
		return refuse(p, "no interval", value);
	if (seconds < p->template->interval_s)
		p->template->interval_s = (unsigned long)seconds;
	return true;
}

static bool
is_address_word(slice word)
{
	for (size_t i = 0; i < word.len; i++) {
		if ((unsigned char)word.ptr[i] <= ' ' ||
		    memchr("<>()\",;:", word.ptr[i], 8) != NULL)
			return false;
	}
	return true;
}

/* Words between commas or blanks; several fields add up. */
static bool
add_addresses(struct parser *p, slice value, slice **list, size_t *count)
{
	size_t at = 0;

	if (*list == NULL)
		*list = ARENA_ARRAY(p->arena, slice, ADDRESSES_MAX);
	while (at < value.len) {
		size_t start = at;
		slice word;

		while (at < value.len && value.ptr[at] != ',' &&
		       !ascii_is_space(value.ptr[at]))
			at++;
		word = path_address((slice){value.ptr + start, at - start});
		at++;
		if (word.len == 0)
			continue;
		if (!is_address_word(word) || *count == ADDRESSES_MAX)
			return refuse(p, "no address, or too many", word);
		(*list)[(*count)++] = arena_copy_lower(p->arena, word);
	}
	return true;
}

static bool
set_alias(struct parser *p, slice value)
{
	return add_addresses(
	    p, value, &p->template->aliases, &p->template->alias_count);
}

static bool
set_excluded(struct parser *p, slice value)
{
	return add_addresses(
	    p, value, &p->template->excluded, &p->template->excluded_count);
}

static bool
set_start(struct parser *p, slice value)
{
	bool has_time;

	p->template->has_start = true;
	if (civil_parse(value, &p->template->start, &has_time))
		return true;
	return refuse(p, "no date", value);
}

static bool
set_end(struct parser *p, slice value)
{
	bool has_time;

	p->template->has_end = true;
	if (!civil_parse(value, &p->template->end, &has_time))
		return refuse(p, "no date", value);
	p->template->end += has_time ? 1 : DAY;
	return true;
}

/* clang-format off */
static const struct setting {
	slice name;
	bool (*set)(struct parser *p, slice value);
} settings[] = {
	{SLICE_INIT("Vacation-Interval"), set_interval},
	{SLICE_INIT("Vacation-Aliases"), set_alias},
	{SLICE_INIT("Vacation-Exclude"), set_excluded},
	{SLICE_INIT("Vacation-Start"), set_start},
	{SLICE_INIT("Vacation-End"), set_end},
};
/* clang-format on */

static bool
apply_setting(struct parser *p, const struct vacation_field *field)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (slice_eq_nocase(field->name, settings[i].name))
			return settings[i].set(p, field->value);
	}
	return refuse(p, "no such setting", field->name);
}

/* Fields that the reply has of its own, or that would send it elsewhere. */
static bool
is_ours(slice name)
{
	static const char *const names[] = {"To", "Cc", "Bcc", "Date",
	    "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
	    "Return-Path", "Received", "Delivered-To", "X-Loop",
	    "DKIM-Signature", "Apparently-To", "Content-Length"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (slice_eq_nocase(name, slice_from_cstr(names[i])))
			return true;
	}
	return slice_has_prefix_nocase(name, SLICE("Resent-")) ||
	       slice_has_prefix_nocase(name, SLICE("X-Milterd-"));
}

static bool
add_field(struct parser *p, const struct vacation_field *field)
{
	struct vacation_template *t = p->template;
	slice name = field->name;

	if (slice_has_prefix_nocase(name, SLICE("Vacation-")))
		return apply_setting(p, field);
	if (name.len > 64)
		return refuse(p, "no name of a field", name);
	if (field->value.len > VALUE_MAX || t->field_count == FIELDS_MAX)
		return refuse(p, "too long, or one field too many", name);
	if (!is_ours(name))
		t->fields[t->field_count++] = (struct vacation_field){
		    arena_copy(p->arena, name), field->value};
	return true;
}

static bool
has_own_mime(const struct vacation_template *t)
{
	for (size_t i = 0; i < t->field_count; i++) {
		if (slice_has_prefix_nocase(
			t->fields[i].name, SLICE("Content-")))
			return true;
	}
	return false;
}

/* Lines end in "\n", the last one too; a CR is no character of a text. */
static slice
plain_lines(struct arena *arena, slice text)
{
	struct strbuf out;

	strbuf_init(&out, arena);
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '\r')
			strbuf_add_char(&out, text.ptr[i]);
	}
	if (out.len > 0 && out.data[out.len - 1] != '\n')
		strbuf_add_char(&out, '\n');
	return strbuf_slice(&out);
}

/* FNV-1a. */
static uint64_t
digest_add(uint64_t digest, slice text)
{
	for (size_t i = 0; i <= text.len; i++) {
		digest ^= i < text.len ? (unsigned char)text.ptr[i] : 0U;
		digest *= 0x100000001b3U;
	}
	return digest;
}

static uint64_t
digest_of(const struct vacation_template *t)
{
	uint64_t digest = 0xcbf29ce484222325U;

	for (size_t i = 0; i < t->field_count; i++) {
		digest = digest_add(digest, t->fields[i].name);
		digest = digest_add(digest, t->fields[i].value);
	}
	return digest_add(digest, t->body);
}

bool
vacation_template_parse(struct arena *arena, slice text,
    struct vacation_template *ret_template, struct error *error)
{
	struct vacation_template t = {.field_count = 0};
	struct parser p = {
	    .arena = arena, .template = &t, .error = error, .line = 1};
	struct vacation_field field;
	unsigned line = 1;

	if (text.len > VACATION_TEMPLATE_MAX)
		return refuse(&p, "larger than 64 KB", SLICE(""));
	if (slice_index(text, '\0') < text.len)
		return refuse(&p, "it has a NUL byte in it", SLICE(""));
	/* Some editors begin a text in UTF-8 with a mark. */
	if (slice_has_prefix_nocase(text, SLICE("\xef\xbb\xbf")))
		text = slice_from(text, 3);
	t.fields = ARENA_ARRAY(arena, struct vacation_field, FIELDS_MAX);
	while (next_field(&p, &text, &field)) {
		unsigned behind = p.line;

		p.line = line;
		if (!add_field(&p, &field))
			return false;
		p.line = line = behind;
	}
	if (slice_trim(line_at_front(text)).len == 0)
		text = slice_from(text, slice_index(text, '\n') + 1);
	t.has_own_mime = has_own_mime(&t);
	t.body = plain_lines(
	    arena, t.has_own_mime ? text : utf8_from_any(arena, text));
	t.digest = digest_of(&t);
	*ret_template = t;
	return true;
}
