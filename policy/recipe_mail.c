/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/mail_text.h"
#include "policy/recipe_private.h"

#include <string.h>

static slice
join(struct machine *m, slice a, slice b, slice c)
{
	if (!recipe_spend_text(m, a.len + b.len + c.len))
		return SLICE("");
	return arena_join(m->run->arena, a, b, c);
}

/* A text with a newline before and behind it. */
static slice
with_newlines(struct machine *m, slice a, slice b, slice c)
{
	size_t len = a.len + b.len + c.len;
	char *text;

	if (!recipe_spend_text(m, len))
		return (slice){&"\n\n"[1], 0};
	text = arena_alloc(m->run->arena, len + 2);
	*text = '\n';
	if (a.len > 0)
		memcpy(text + 1, a.ptr, a.len);
	if (b.len > 0)
		memcpy(text + 1 + a.len, b.ptr, b.len);
	if (c.len > 0)
		memcpy(text + 1 + a.len + b.len, c.ptr, c.len);
	text[len + 1] = '\n';
	return (slice){text + 1, len};
}

static slice
joined_header(struct machine *m)
{
	return mail_header_join(m->run->arena, m->mail->header);
}

static slice
decoded(struct machine *m, bool wants_body)
{
	const struct mail *mail = m->mail;
	const struct recipe_ports *ports = m->run->ports;

	if (ports->decode == NULL)
		return wants_body ? mail->body : joined_header(m);
	return ports->decode(ports->context, m->run->arena, mail->header,
	    mail->body, wants_body);
}

static slice
make_area(struct machine *m, const slice *place)
{
	const struct mail *mail = m->mail;
	slice none = SLICE("");

	if (place == &mail->header_area)
		return with_newlines(
		    m, mail->from_line, joined_header(m), none);
	if (place == &mail->body_area)
		return with_newlines(m, mail->body, none, none);
	if (place == &mail->whole_area)
		return with_newlines(
		    m, mail->from_line, joined_header(m), mail->body);
	return with_newlines(
	    m, decoded(m, place == &mail->decoded_body_area), none, none);
}

bool
recipe_mail_area(struct machine *m, slice name, slice *ret_area)
{
	struct mail *mail = m->mail;
	slice *place;

	if (slice_eq(name, SLICE("H")))
		place = &mail->header_area;
	else if (slice_eq(name, SLICE("B")))
		place = &mail->body_area;
	else if (slice_eq(name, SLICE("HB")) || slice_eq(name, SLICE("BH")))
		place = &mail->whole_area;
	else if (slice_eq(name, SLICE("HEADER_DECODED")))
		place = &mail->decoded_header_area;
	else if (slice_eq(name, SLICE("BODY_DECODED")))
		place = &mail->decoded_body_area;
	else
		return false;
	if (place->ptr == NULL)
		*place = make_area(m, place);
	*ret_area = *place;
	return true;
}

size_t
recipe_mail_size(const struct mail *mail)
{
	return mail->from_line.len + mail->header.len + mail->body.len;
}

slice
recipe_mail_text(struct machine *m, bool with_header, bool with_body)
{
	const struct mail *mail = m->mail;

	if (!with_header)
		return mail->body;
	return join(m, mail->from_line, mail->header,
	    with_body ? mail->body : SLICE(""));
}

bool
recipe_wants_header(const struct recipe_flags *flags)
{
	return flags == NULL || flags->has['h'] || !flags->has['b'];
}

bool
recipe_wants_body(const struct recipe_flags *flags)
{
	return flags == NULL || flags->has['b'] || !flags->has['h'];
}

static bool
ends_in_empty_line(slice text)
{
	return text.len >= 2 && text.ptr[text.len - 1] == '\n' &&
	    text.ptr[text.len - 2] == '\n';
}

slice
recipe_program_text(struct machine *m, const struct recipe_flags *flags)
{
	return recipe_with_line_end(m,
	    recipe_mail_text(
		m, recipe_wants_header(flags), recipe_wants_body(flags)),
	    flags);
}

slice
recipe_with_line_end(
    struct machine *m, slice text, const struct recipe_flags *flags)
{
	if (ends_in_empty_line(text) || (flags != NULL && flags->has['r']))
		return text;
	return join(m, text, SLICE("\n"), SLICE(""));
}

slice
recipe_take_from_line(slice *text)
{
	size_t end = slice_index(*text, '\n');
	slice line = slice_first(*text, end < text->len ? end + 1 : end);

	if (text->len < 5 || memcmp(text->ptr, "From ", 5) != 0)
		return SLICE("");
	*text = slice_from(*text, line.len);
	return line;
}

void
recipe_mail_replace(
    struct machine *m, slice text, bool with_header, bool with_body)
{
	struct mail *mail = ARENA_NEW(m->run->arena, struct mail);
	struct mail_text split;

	*mail = (struct mail){.from_line = m->mail->from_line,
	    .header = m->mail->header,
	    .body = text};
	if (with_header) {
		if (!with_body)
			text = join(m, text, m->mail->body, SLICE(""));
		mail->from_line = recipe_take_from_line(&text);
		split = mail_text_split(text);
		mail->header = split.header;
		mail->body = split.body;
	}
	m->mail = mail;
}
