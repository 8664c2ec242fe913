/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a message's header says to being answered. All of it is read once, from
 * top to bottom; the first field that speaks against it is the reason.
 */
#include "policy/vacation_private.h"

#include "policy/header.h"

enum { ADDRESSES_MAX = 10000, HOPS_MAX = 50 };

/* What is gathered on the way. */
struct reading {
	struct arena *arena;
	const struct vacation_question *question;
	unsigned hops;
	unsigned addresses;
	bool is_addressed;
};

static bool
is_word_end(char c)
{
	return ascii_is_space(c) || c == ';' || c == ',' || c == '(' ||
	    c == '"';
}

/* The next word of an unstructured or parametered value: comments, quotes,
 * folding and separators passed over. */
static bool
next_word(slice *rest, slice *ret_word)
{
	unsigned depth = 0;
	size_t at = 0;
	size_t start;

	for (; at < rest->len; at++) {
		char c = rest->ptr[at];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && !is_word_end(c))
			break;
	}
	start = at;
	while (at < rest->len && !is_word_end(rest->ptr[at]))
		at++;
	*ret_word = (slice){rest->ptr + start, at - start};
	*rest = slice_from(*rest, at);
	return ret_word->len > 0;
}

static slice
first_word(slice value)
{
	slice word;

	return next_word(&value, &word) ? word : SLICE("");
}

static bool
has_word(slice value, const char *wanted)
{
	slice word;

	while (next_word(&value, &word)) {
		if (slice_eq_nocase(word, slice_from_cstr(wanted)))
			return true;
	}
	return false;
}

/* RFC 3834, 5: the keyword, and parameters that mean nothing yet. */
static enum vacation_reason
judge_auto_submitted(struct reading *r, slice value)
{
	(void)r;
	return slice_eq_nocase(first_word(value), SLICE("no"))
	    ? VACATION_ANSWER
	    : VACATION_AUTO_SUBMITTED;
}

static enum vacation_reason
judge_list(struct reading *r, slice value)
{
	(void)r;
	(void)value;
	return VACATION_LIST;
}

static enum vacation_reason
judge_precedence(struct reading *r, slice value)
{
	slice word = first_word(value);

	(void)r;
	return slice_eq_nocase(word, SLICE("bulk")) ||
		slice_eq_nocase(word, SLICE("list")) ||
		slice_eq_nocase(word, SLICE("junk")) ||
		slice_eq_nocase(word, SLICE("auto_reply"))
	    ? VACATION_PRECEDENCE
	    : VACATION_ANSWER;
}

static enum vacation_reason
judge_suppress(struct reading *r, slice value)
{
	(void)r;
	return has_word(value, "all") || has_word(value, "oof")
	    ? VACATION_SUPPRESSED
	    : VACATION_ANSWER;
}

static enum vacation_reason
judge_spam(struct reading *r, slice value)
{
	(void)r;
	return slice_eq_nocase(first_word(value), SLICE("yes"))
	    ? VACATION_SPAM
	    : VACATION_ANSWER;
}

static enum vacation_reason
judge_content_type(struct reading *r, slice value)
{
	(void)r;
	return slice_eq_nocase(first_word(value), SLICE("multipart/report"))
	    ? VACATION_REPORT
	    : VACATION_ANSWER;
}

static enum vacation_reason
judge_loop(struct reading *r, slice value)
{
	(void)r;
	(void)value;
	return VACATION_LOOP;
}

static enum vacation_reason
judge_received(struct reading *r, slice value)
{
	(void)value;
	return ++r->hops > HOPS_MAX ? VACATION_LOOP : VACATION_ANSWER;
}

static bool
names_owner(struct reading *r, slice value)
{
	struct header_parser parser;
	slice address;

	header_parser_init(&parser, value);
	while (header_next(&parser, &address) == HEADER_ADDRESS &&
	    r->addresses++ < ADDRESSES_MAX) {
		if (vacation_is_owner(
			r->question, vacation_party_of(r->arena, address)))
			return true;
	}
	return false;
}

static enum vacation_reason
judge_delivered_to(struct reading *r, slice value)
{
	return names_owner(r, value) ? VACATION_LOOP : VACATION_ANSWER;
}

static enum vacation_reason
judge_recipients(struct reading *r, slice value)
{
	if (!r->is_addressed)
		r->is_addressed = names_owner(r, value);
	return VACATION_ANSWER;
}

/* clang-format off */
static const struct {
	slice name;
	enum vacation_reason (*judge)(struct reading *reading, slice value);
} judges[] = {
	{SLICE_INIT("To"), judge_recipients},
	{SLICE_INIT("Cc"), judge_recipients},
	{SLICE_INIT("Bcc"), judge_recipients},
	{SLICE_INIT("Resent-To"), judge_recipients},
	{SLICE_INIT("Resent-Cc"), judge_recipients},
	{SLICE_INIT("Resent-Bcc"), judge_recipients},
	{SLICE_INIT("Auto-Submitted"), judge_auto_submitted},
	{SLICE_INIT("Precedence"), judge_precedence},
	{SLICE_INIT("X-Auto-Response-Suppress"), judge_suppress},
	{SLICE_INIT("X-Spam-Flag"), judge_spam},
	{SLICE_INIT("X-Spam-Status"), judge_spam},
	{SLICE_INIT("X-Spam"), judge_spam},
	{SLICE_INIT("Content-Type"), judge_content_type},
	{SLICE_INIT("Mailing-List"), judge_list},
	{SLICE_INIT("X-Mailing-List"), judge_list},
	{SLICE_INIT("X-BeenThere"), judge_list},
	{SLICE_INIT("X-Loop"), judge_loop},
	{SLICE_INIT("Delivered-To"), judge_delivered_to},
	{SLICE_INIT("Received"), judge_received},
};
/* clang-format on */

static enum vacation_reason
judge_field(struct reading *r, const struct header_field *field)
{
	for (size_t i = 0; i < sizeof(judges) / sizeof(*judges); i++) {
		if (slice_eq_nocase(field->name, judges[i].name))
			return judges[i].judge(r, field->value);
	}
	return slice_has_prefix_nocase(field->name, SLICE("List-"))
	    ? VACATION_LIST
	    : VACATION_ANSWER;
}

enum vacation_reason
vacation_judge_header(struct arena *arena,
    const struct vacation_question *question, slice *ret_detail)
{
	const struct vacation_mail *mail = &question->mail;
	struct reading r = {.arena = arena, .question = question};

	for (size_t i = 0; i < mail->field_count; i++) {
		enum vacation_reason reason = judge_field(&r, &mail->fields[i]);

		if (reason == VACATION_ANSWER)
			continue;
		*ret_detail = mail->fields[i].name;
		return reason;
	}
	return r.is_addressed ? VACATION_ANSWER : VACATION_NOT_ADDRESSED;
}

const struct header_field *
vacation_find_field(const struct vacation_mail *mail, slice name)
{
	for (size_t i = 0; i < mail->field_count; i++) {
		if (slice_eq_nocase(mail->fields[i].name, name))
			return &mail->fields[i];
	}
	return NULL;
}
