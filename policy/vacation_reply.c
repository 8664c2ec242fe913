/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reply (RFC 3834, 3; RFC 5230, 5). What comes from the message answered,
 * its subject, sender and ids, was chosen by a stranger: it is cleaned and cut
 * before it goes anywhere, and in fields of addresses it can be no more than a
 * word of a name.
 */
#include "policy/vacation_private.h"

#include "policy/civil.h"
#include "policy/header.h"
#include "policy/mime_encode.h"

#include <string.h>

enum {
	SUBJECT_MAX = 200,
	ID_MAX = 250,
	REFERENCES_MAX = 10,
	LINE_LONGEST = 900,
	REPLY_MAX = 4 * VACATION_TEMPLATE_MAX,
};

struct reply {
	struct arena *arena;
	const struct vacation_question *question;
	const struct vacation_template *template;
	struct strbuf header;
	slice subject; /* clean, of the message answered */
	slice to;
};

/* In whole characters and whole encoded words. */
static slice
cut_subject(struct arena *arena, slice text)
{
	slice cut = utf8_first(text, SUBJECT_MAX);
	size_t blank = slice_last_index(cut, ' ');

	if (cut.len == text.len)
		return text;
	if (blank < cut.len && slice_has_prefix_nocase(
				   slice_from(cut, blank + 1), SLICE("=?")))
		cut = slice_first(cut, blank);
	return arena_join(arena, cut, SLICE("..."), SLICE(""));
}

static slice
subject_of(struct arena *arena, const struct vacation_mail *mail)
{
	const struct header_field *field =
	    vacation_find_field(mail, SLICE("Subject"));
	slice text = mail->subject;

	if (text.len == 0 && field != NULL)
		text = field->value;
	return cut_subject(
	    arena, header_text_clean(arena, utf8_first(text, 4096)));
}

/* Nothing that has a meaning in a field of addresses. */
static slice
name_only(struct arena *arena, slice text)
{
	char *copy = arena_cstr(arena, text);

	for (size_t i = 0; i < text.len; i++) {
		if (memchr("()<>[]:;@\\,\"", copy[i], 12) != NULL)
			copy[i] = ' ';
	}
	return (slice){copy, text.len};
}

static bool
take(slice *rest, slice word)
{
	if (!slice_eq(slice_first(*rest, word.len), word))
		return false;
	*rest = slice_from(*rest, word.len);
	return true;
}

/* Each $SUBJECT and $FROM; what is put in is not looked at again. */
static slice
expand(struct arena *arena, slice text, slice subject, slice from)
{
	struct strbuf out;

	if (slice_index(text, '$') == text.len)
		return text;
	strbuf_init(&out, arena);
	while (text.len > 0) {
		bool has_room = out.len < REPLY_MAX;

		if (take(&text, SLICE("$SUBJECT"))) {
			strbuf_add(&out, has_room ? subject : SLICE(""));
		} else if (take(&text, SLICE("$FROM"))) {
			strbuf_add(&out, has_room ? from : SLICE(""));
		} else {
			strbuf_add_char(&out, text.ptr[0]);
			text = slice_from(text, 1);
		}
	}
	return strbuf_slice(&out);
}

static slice
template_value(const struct reply *r, slice name)
{
	for (size_t i = 0; i < r->template->field_count; i++) {
		if (slice_eq_nocase(r->template->fields[i].name, name))
			return r->template->fields[i].value;
	}
	return SLICE("");
}

static bool
is_address_list(slice value)
{
	struct header_parser parser;
	enum header_next next;
	slice address;
	unsigned count = 0;

	header_parser_init(&parser, value);
	while ((next = header_next(&parser, &address)) == HEADER_ADDRESS)
		count++;
	return next == HEADER_END && count > 0;
}

static void
add_addresses(struct reply *r, slice name, slice value)
{
	slice expanded = expand(r->arena, value,
	    name_only(r->arena, r->subject), name_only(r->arena, r->to));

	if (is_address_list(expanded))
		header_add_addresses(&r->header, name, expanded);
	else if (slice_eq_nocase(name, SLICE("From")))
		header_add_addresses(
		    &r->header, name, r->question->owner.address);
}

static void
add_text(struct reply *r, slice name, slice value)
{
	header_add_text(&r->header, name,
	    expand(r->arena, value, r->subject, r->to));
}

static void
add_from(struct reply *r)
{
	slice value = template_value(r, SLICE("From"));

	add_addresses(r, SLICE("From"),
	    value.len > 0 ? value : r->question->owner.address);
}

static void
add_subject(struct reply *r)
{
	slice value = template_value(r, SLICE("Subject"));

	if (value.len > 0)
		add_text(r, SLICE("Subject"), value);
	else if (r->subject.len > 0)
		header_add_text(&r->header, SLICE("Subject"),
		    arena_join(
			r->arena, SLICE("Auto: "), r->subject, SLICE("")));
	else
		header_add_text(&r->header, SLICE("Subject"),
		    SLICE("Automated reply"));
}

/* "<...>" at the front of *rest or behind; false when there is none. */
static bool
next_id(slice *rest, slice *ret_id)
{
	size_t start = slice_index(*rest, '<');
	slice id = slice_from(*rest, start);
	size_t end = slice_index(id, '>');

	*rest = slice_from(id, end + 1);
	*ret_id = slice_first(id, end + 1);
	return end < id.len;
}

static bool
is_good_id(slice id)
{
	if (id.len < 3 || id.len > ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		if (id.ptr[i] <= ' ' || id.ptr[i] == 0x7f ||
		    (i > 0 && id.ptr[i] == '<'))
			return false;
	}
	return true;
}

/* The message's own id, or empty. */
static slice
id_in(const struct vacation_mail *mail, slice name)
{
	const struct header_field *field = vacation_find_field(mail, name);
	slice rest;
	slice id;

	if (field == NULL)
		return SLICE("");
	rest = field->value;
	return next_id(&rest, &id) && is_good_id(id) ? id : SLICE("");
}

/* The first one and the last ones (RFC 5322, 3.6.4, knows no limit; a message
 * could bring thousands). */
static void
add_references(struct reply *r, slice message_id)
{
	const struct vacation_mail *mail = &r->question->mail;
	const struct header_field *field =
	    vacation_find_field(mail, SLICE("References"));
	slice ids[REFERENCES_MAX];
	size_t count = 0;
	slice rest;
	slice id;

	if (field == NULL)
		field = vacation_find_field(mail, SLICE("In-Reply-To"));
	rest = field == NULL ? SLICE("") : field->value;
	while (next_id(&rest, &id)) {
		if (!is_good_id(id))
			continue;
		if (count == REFERENCES_MAX) {
			memmove(&ids[1], &ids[2], sizeof(ids) - 2 * sizeof(*ids));
			count--;
		}
		ids[count++] = id;
	}
	strbuf_add(&r->header, SLICE("References:"));
	for (size_t i = 0; i < count; i++)
		strbuf_printf(&r->header, "%s" SLICE_FMT,
		    i == 0 ? " " : "\n ", SLICE_ARG(ids[i]));
	strbuf_printf(&r->header, "%s" SLICE_FMT "\n",
	    count == 0 ? " " : "\n ", SLICE_ARG(message_id));
}

static void
add_ids(struct reply *r)
{
	const struct vacation_question *q = r->question;
	slice id = id_in(&q->mail, SLICE("Message-ID"));
	slice date = civil_format(r->arena, q->now, q->utc_offset);

	strbuf_printf(
	    &r->header, "Date: " SLICE_FMT "\n", SLICE_ARG(date));
	strbuf_printf(&r->header,
	    "Message-ID: <vacation." SLICE_FMT "@" SLICE_FMT ">\n",
	    SLICE_ARG(q->unique), SLICE_ARG(q->options->hostname));
	if (id.len == 0)
		return;
	strbuf_printf(
	    &r->header, "In-Reply-To: " SLICE_FMT "\n", SLICE_ARG(id));
	add_references(r, id);
}

/* Has it its own place? */
static bool
is_placed(slice name)
{
	return slice_eq_nocase(name, SLICE("From")) ||
	    slice_eq_nocase(name, SLICE("Subject")) ||
	    slice_eq_nocase(name, SLICE("MIME-Version"));
}

/* The user's other fields, each once. */
static void
add_others(struct reply *r)
{
	for (size_t i = 0; i < r->template->field_count; i++) {
		const struct vacation_field *f = &r->template->fields[i];

		if (is_placed(f->name) || f->value.len == 0 ||
		    template_value(r, f->name).ptr != f->value.ptr)
			continue;
		if (slice_has_prefix_nocase(f->name, SLICE("Content-")))
			header_add_addresses(&r->header, f->name, f->value);
		else if (header_kind(f->name) != HEADER_OTHER)
			add_addresses(r, f->name, f->value);
		else
			add_text(r, f->name, f->value);
	}
}

static bool
line_needs_encoding(slice line)
{
	if (line.len > LINE_LONGEST || slice_eq(line, SLICE(".")) ||
	    slice_has_prefix_nocase(line, SLICE("From ")))
		return true;
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if ((c < ' ' && c != '\t') || c >= 0x7f)
			return true;
	}
	return false;
}

static bool
needs_encoding(slice text)
{
	slice line;

	while (slice_next(&text, '\n', &line)) {
		if (line_needs_encoding(line))
			return true;
	}
	return false;
}

/* What a MIME structure of the user's own has in it cannot be known here. */
static slice
body_as_it_is(const struct reply *r)
{
	slice subject = r->subject;

	if (!text_is_ascii(subject))
		subject = SLICE("");
	return expand(r->arena, r->template->body, subject, r->to);
}

static slice
encode(struct reply *r, slice text)
{
	struct strbuf out;

	strbuf_init(&out, r->arena);
	quoted_printable_add(&out, text);
	strbuf_add(&r->header,
	    SLICE("Content-Transfer-Encoding: quoted-printable\n"));
	return strbuf_slice(&out);
}

static bool
is_text(slice content_type)
{
	return content_type.len == 0 ||
	    slice_has_prefix_nocase(content_type, SLICE("text/"));
}

static slice
add_body(struct reply *r)
{
	slice type = template_value(r, SLICE("Content-Type"));
	slice encoding =
	    template_value(r, SLICE("Content-Transfer-Encoding"));
	slice body;

	if (r->template->has_own_mime) {
		strbuf_add(&r->header, SLICE("MIME-Version: 1.0\n"));
		body = body_as_it_is(r);
		if (encoding.len > 0 || !needs_encoding(body))
			return body;
		if (is_text(type))
			return encode(r, body);
		strbuf_add(
		    &r->header, SLICE("Content-Transfer-Encoding: 8bit\n"));
		return body;
	}
	body = expand(r->arena, r->template->body, r->subject, r->to);
	if (!needs_encoding(body))
		return body;
	strbuf_add(&r->header,
	    SLICE("MIME-Version: 1.0\n"
		  "Content-Type: text/plain; charset=utf-8\n"));
	return encode(r, body);
}

void
vacation_compose(struct arena *arena,
    const struct vacation_question *question, struct vacation_answer *answer)
{
	struct reply r = {.arena = arena,
	    .question = question,
	    .template = question->template,
	    .subject = subject_of(arena, &question->mail),
	    .to = answer->to};

	strbuf_init(&r.header, arena);
	add_from(&r);
	strbuf_printf(
	    &r.header, "To: <" SLICE_FMT ">\n", SLICE_ARG(answer->to));
	add_subject(&r);
	add_ids(&r);
	strbuf_add(&r.header,
	    SLICE("Auto-Submitted: auto-replied (vacation)\n"));
	if (template_value(&r, SLICE("X-Auto-Response-Suppress")).len == 0)
		strbuf_add(
		    &r.header, SLICE("X-Auto-Response-Suppress: All\n"));
	add_others(&r);
	answer->body = add_body(&r);
	answer->header = strbuf_slice(&r.header);
}
