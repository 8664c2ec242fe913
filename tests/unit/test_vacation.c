/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vacation: when a message is answered, by the rules of RFC 3834 and RFC 5230,
 * and what the reply looks like. The rows of `rules` name where each rule
 * stands; what the real programs do is asked in tests/parity.
 */
#include "policy/vacation.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;

static void
setup(void)
{
	arena = arena_new(0);
}

static void
teardown(void)
{
	arena_free(arena);
}

static const struct vacation_options options = {
    .hostname = SLICE_INIT("mx.example.com"),
    .interval_s = 7 * 86400,
    .interval_min_s = 86400,
};

/* 2026-11-28 12:00:00 UTC */
#define NOON INT64_C(1795867200)

/* A user "ann", whose mail is for ann@example.com and ann.smith@example.com,
 * with the message `text`. */
static struct vacation_question
ask(const char *text, const char *sender, const char *header)
{
	static const slice more[] = {SLICE_INIT("ann.smith@example.com")};
	struct vacation_template *template =
	    ARENA_NEW(arena, struct vacation_template);
	struct vacation_question q = {
	    .options = &options,
	    .template = template,
	    .owner = {.user = SLICE("ann"),
		.address = SLICE("ann@example.com"),
		.addresses = more,
		.address_count = 1},
	    .mail = {.sender = slice_from_cstr(sender)},
	    .now = NOON,
	    .unique = SLICE("x1"),
	};
	struct header_field *fields = ARENA_ARRAY(arena, struct header_field, 64);
	struct error error = {.line = 0};
	slice rest = slice_from_cstr(header);

	ck_assert_msg(vacation_template_parse(
			  arena, slice_from_cstr(text), template, &error),
	    "%s", error.text);
	while (rest.len > 0) {
		size_t end = slice_index(rest, '\n');
		size_t colon = slice_index(rest, ':');

		while (end + 1 < rest.len &&
		    (rest.ptr[end + 1] == ' ' || rest.ptr[end + 1] == '\t'))
			end += 1 + slice_index(slice_from(rest, end + 1), '\n');
		fields[q.mail.field_count++] = (struct header_field){
		    .name = slice_first(rest, colon),
		    .value = slice_from(slice_first(rest, end), colon + 2)};
		rest = slice_from(rest, end + 1);
	}
	q.mail.fields = fields;
	return q;
}

static const char *
reason(const struct vacation_question *q)
{
	return vacation_reason_word(vacation_decide(arena, q).reason);
}

#define TO "To: ann@example.com\n"

static const struct {
	const char *source;
	const char *sender;
	const char *header;
	const char *reason;
} rules[] = {
	/* clang-format off */
	{"RFC 3834 2: a person is answered", "<bob@b.test>", TO, "answer"},
	{"sender without brackets", "bob@b.test", TO, "answer"},
	{"a local sender", "bob", TO, "answer"},
	{"row 1, RFC 3834 2: null sender", "<>", TO, "null-sender"},
	{"row 1", "", TO, "null-sender"},
	{"row 2, RFC 3834 4: From: does not count", "<>", TO "From: bob@b.test\n", "null-sender"},
	{"RFC 3834 4: no address", "<bob@>", TO, "bad-sender"},
	{"no address", "<@b.test>", TO, "bad-sender"},
	{"CVE-1999-0057: an option", "<-oQ/tmp@b.test>", TO, "bad-sender"},
	{"a program", "<|id@b.test>", TO, "bad-sender"},
	{"8-bit", "<b\xc3\xb6@b.test>", TO, "bad-sender"},
	{"a line break", "<bob\nBcc: x@b.test>", TO, "bad-sender"},
	{"a route", "<@r.test:bob@b.test>", TO, "answer"},
	{"quoted", "<\"bob b\"@b.test>", TO, "answer"},
	{"row 3, RFC 3834 5", "<bob@b.test>", TO "Auto-Submitted: auto-replied\n", "auto-submitted"},
	{"row 3", "<bob@b.test>", TO "Auto-Submitted: auto-generated\n", "auto-submitted"},
	{"row 3: a value of tomorrow", "<bob@b.test>", TO "auto-submitted: x-later\n", "auto-submitted"},
	{"row 3: nothing", "<bob@b.test>", TO "Auto-Submitted:  \n", "auto-submitted"},
	{"row 3: nope is not no", "<bob@b.test>", TO "Auto-Submitted: nope\n", "auto-submitted"},
	{"RFC 3834 5: no", "<bob@b.test>", TO "Auto-Submitted: no\n", "answer"},
	{"RFC 3834 5: case", "<bob@b.test>", TO "Auto-Submitted: NO\n", "answer"},
	{"RFC 3834 5: parameters", "<bob@b.test>", TO "Auto-Submitted: no; x=y\n", "answer"},
	{"RFC 3834 5: comments", "<bob@b.test>", TO "Auto-Submitted: (by hand) no\n", "answer"},
	{"folded", "<bob@b.test>", TO "Auto-Submitted:\n  auto-replied\n", "auto-submitted"},
	{"row 4, RFC 2369", "<bob@b.test>", TO "List-Help: <mailto:x@y>\n", "list"},
	{"row 4", "<bob@b.test>", TO "List-Subscribe: <mailto:x@y>\n", "list"},
	{"row 4", "<bob@b.test>", TO "list-unsubscribe: <mailto:x@y>\n", "list"},
	{"row 4", "<bob@b.test>", TO "List-Post: NO\n", "list"},
	{"row 4", "<bob@b.test>", TO "List-Owner: <mailto:x@y>\n", "list"},
	{"row 4", "<bob@b.test>", TO "List-Archive: <http://x>\n", "list"},
	{"row 4, RFC 2919", "<bob@b.test>", TO "List-Id: <x.y>\n", "list"},
	{"row 4: ezmlm", "<bob@b.test>", TO "Mailing-List: contact x@y\n", "list"},
	{"no list", "<bob@b.test>", TO "X-Listener: y\n", "answer"},
	{"row 5, RFC 3834 2", "<bob@b.test>", TO "Precedence: bulk\n", "precedence"},
	{"row 5", "<bob@b.test>", TO "Precedence: LIST\n", "precedence"},
	{"row 5", "<bob@b.test>", TO "Precedence: junk\n", "precedence"},
	{"row 5: quoted", "<bob@b.test>", TO "Precedence: \"bulk\"\n", "precedence"},
	{"row 5: folded", "<bob@b.test>", TO "Precedence:\n bulk\n", "precedence"},
	{"row 5: the whole word", "<bob@b.test>", TO "Precedence: listless\n", "answer"},
	{"row 5", "<bob@b.test>", TO "Precedence: first-class\n", "answer"},
	{"row 6", "<bob@b.test>", TO "X-Auto-Response-Suppress: All\n", "suppressed"},
	{"row 6", "<bob@b.test>", TO "X-Auto-Response-Suppress: DR, oof, RN\n", "suppressed"},
	{"row 6", "<bob@b.test>", TO "X-Auto-Response-Suppress: DR, RN\n", "answer"},
	{"row 6", "<bob@b.test>", TO "X-Spam-Flag: YES\n", "spam"},
	{"row 6", "<bob@b.test>", TO "X-Spam-Status: Yes, score=9\n", "spam"},
	{"row 6", "<bob@b.test>", TO "X-Spam-Status: No, score=1\n", "answer"},
	{"row 7, RFC 5230 4.6", "<MAILER-DAEMON@b.test>", TO, "system-sender"},
	{"row 7", "<listserv@b.test>", TO, "system-sender"},
	{"row 7", "<majordomo@b.test>", TO, "system-sender"},
	{"row 7", "<kernel-request@b.test>", TO, "system-sender"},
	{"row 7: not off by one", "<kernel-requests@b.test>", TO, "answer"},
	{"row 7", "<OWNER-x@b.test>", TO, "system-sender"},
	{"row 7: sendmail", "<x-owner@b.test>", TO, "system-sender"},
	{"row 7: sendmail", "<x-relay@b.test>", TO, "system-sender"},
	{"row 7", "<noreply@b.test>", TO, "system-sender"},
	{"row 7", "<no-reply+77@b.test>", TO, "system-sender"},
	{"row 7", "<do-not-reply@b.test>", TO, "system-sender"},
	{"row 7", "<bounces@b.test>", TO, "system-sender"},
	{"row 7", "<list-bounces@b.test>", TO, "system-sender"},
	{"row 7: VERP", "<list-return-7-ann=example.com@b.test>", TO, "system-sender"},
	{"row 7: SRS", "<SRS0=ab=cd=b.test=bob@f.test>", TO, "system-sender"},
	{"row 7: BATV", "<prvs=123=bob@b.test>", TO, "system-sender"},
	{"row 7: a postmaster is a person", "<postmaster@b.test>", TO, "answer"},
	{"row 7: only the end", "<thepostmaster@b.test>", TO, "answer"},
	{"row 7: only the end", "<mailer-daemons@b.test>", TO, "answer"},
	{"row 8, RFC 5230 4.5", "<bob@b.test>", "To: x@example.com\n", "not-addressed"},
	{"row 8: no fields", "<bob@b.test>", "Subject: x\n", "not-addressed"},
	{"row 8", "<bob@b.test>", "Cc: x@y.test, Ann <ANN@Example.COM>\n", "answer"},
	{"row 8", "<bob@b.test>", "Bcc: ann@example.com\n", "answer"},
	{"row 8", "<bob@b.test>", "To: x@y.test\nResent-To: ann@example.com\n", "answer"},
	{"row 8", "<bob@b.test>", "Resent-Cc: ann@example.com\n", "answer"},
	{"row 8", "<bob@b.test>", "Resent-Bcc: ann@example.com\n", "answer"},
	{"row 8: another of her own", "<bob@b.test>", "To: ann.smith@example.com\n", "answer"},
	{"row 8: detail", "<bob@b.test>", "To: ann+lists@example.com\n", "answer"},
	{"row 8: this host", "<bob@b.test>", "To: ann@mx.example.com\n", "answer"},
	{"row 8: unqualified", "<bob@b.test>", "To: ann\n", "answer"},
	{"row 8: folded", "<bob@b.test>", "To: x@y.test,\n\tann@example.com\n", "answer"},
	{"row 8: comments", "<bob@b.test>", "To: ann(the)@(good)example.com\n", "answer"},
	{"row 8: quoted", "<bob@b.test>", "To: \"ann\"@example.com\n", "answer"},
	{"row 8: a group", "<bob@b.test>", "To: g:ann@example.com;\n", "answer"},
	{"row 8: not a display name", "<bob@b.test>", "To: ann <x@example.com>\n", "not-addressed"},
	{"row 8: not a comment", "<bob@b.test>", "To: x@example.com (ann@example.com)\n", "not-addressed"},
	{"row 8: not another domain", "<bob@b.test>", "To: ann@y.test\n", "not-addressed"},
	{"row 8: not a part", "<bob@b.test>", "To: joann@example.com\n", "not-addressed"},
	{"row 8: not a part", "<bob@b.test>", "To: ann-list@example.com\n", "not-addressed"},
	{"row 8: not From", "<bob@b.test>", "From: ann@example.com\n", "not-addressed"},
	{"row 8: what is broken ends it", "<bob@b.test>", "To: <x, ann@example.com\n", "not-addressed"},
	{"row 9: herself", "<ann@example.com>", TO, "self"},
	{"row 9: detail", "<Ann+x@example.com>", TO, "self"},
	{"row 9: another of her own", "<ann.smith@example.com>", TO, "self"},
	{"row 9: this host", "<ann@mx.example.com>", TO, "self"},
	{"RFC 3464, 8098: a report", "<bob@b.test>", TO "Content-Type: multipart/report; x=y\n", "report"},
	{"V4: it was here", "<bob@b.test>", TO "Delivered-To: ann@example.com\n", "loop"},
	{"V4: with another", "<bob@b.test>", TO "Delivered-To: x@y.test\n", "answer"},
	{"V4: procmail's mark", "<bob@b.test>", TO "X-Loop: x\n", "loop"},
	/* clang-format on */
};

START_TEST(test_rules)
{
	struct vacation_question q =
	    ask("gone\n", rules[_i].sender, rules[_i].header);

	ck_assert_msg(strcmp(reason(&q), rules[_i].reason) == 0,
	    "%s: %s, not %s", rules[_i].source, reason(&q), rules[_i].reason);
}
END_TEST

/* Rows 16, 17 (c): what the session says. */
START_TEST(test_session)
{
	struct vacation_question q = ask("gone\n", "<bob@b.test>", TO);
	struct vacation_options other = options;

	q.mail.verdict = VERDICT_ACCEPT;
	ck_assert_str_eq(reason(&q), "answer");
	q.mail.verdict = VERDICT_REJECT;
	ck_assert_str_eq(reason(&q), "not-delivered");
	q.mail.verdict = VERDICT_DEFER;
	ck_assert_str_eq(reason(&q), "not-delivered");
	q.mail.verdict = VERDICT_DISCARD;
	ck_assert_str_eq(reason(&q), "not-delivered");
	q.mail.verdict = VERDICT_QUARANTINE;
	ck_assert_str_eq(reason(&q), "not-delivered");
	q.mail.verdict = VERDICT_CONTINUE;
	q.mail.is_spam = true;
	ck_assert_str_eq(reason(&q), "spam");
	q.mail.is_spam = false;
	q.mail.is_authenticated = true;
	ck_assert_str_eq(reason(&q), "submitted");
	q.mail.is_authenticated = false;
	q.mail.is_submitted = true;
	ck_assert_str_eq(reason(&q), "submitted");
	other.answers_submitted = true;
	q.options = &other;
	ck_assert_str_eq(reason(&q), "answer");
}
END_TEST

START_TEST(test_hops)
{
	char header[1200] = TO;
	struct vacation_question q;

	for (int i = 0; i < 51; i++)
		strcat(header, "Received: by x\n");
	q = ask("gone\n", "<bob@b.test>", header);
	ck_assert_str_eq(reason(&q), "loop");
}
END_TEST

/* Row 17: from the template. */
static const struct {
	const char *settings;
	const char *sender;
	const char *to;
	const char *reason;
} settings[] = {
	/* clang-format off */
	{"Vacation-Start: 2026-11-29", "bob@b.test", "ann@example.com", "not-yet"},
	{"Vacation-Start: 2026-11-28", "bob@b.test", "ann@example.com", "answer"},
	{"Vacation-Start: 2026-11-28 12:00", "bob@b.test", "ann@example.com", "answer"},
	{"Vacation-Start: 2026-11-28T12:01", "bob@b.test", "ann@example.com", "not-yet"},
	{"Vacation-End: 2026-11-28", "bob@b.test", "ann@example.com", "answer"},
	{"Vacation-End: 2026-11-27", "bob@b.test", "ann@example.com", "over"},
	{"Vacation-End: 2026-11-28 11:59", "bob@b.test", "ann@example.com", "over"},
	{"Vacation-Aliases: annie@other.test, sales", "bob@b.test", "annie@other.test", "answer"},
	{"Vacation-Aliases: annie@other.test, sales", "bob@b.test", "sales@example.com", "answer"},
	{"Vacation-Aliases: annie@other.test, sales", "bob@b.test", "sales@other.test", "not-addressed"},
	{"Vacation-Aliases: <annie@other.test>", "annie@other.test", "ann@example.com", "self"},
	{"Vacation-Exclude: bob@b.test", "BOB@B.test", "ann@example.com", "excluded"},
	{"Vacation-Exclude: bob@b.test", "bobby@b.test", "ann@example.com", "answer"},
	{"Vacation-Exclude: @b.test", "bob@b.test", "ann@example.com", "excluded"},
	{"Vacation-Exclude: @b.test", "bob@x.b.test", "ann@example.com", "answer"},
	{"Vacation-Exclude: @.b.test", "bob@x.b.test", "ann@example.com", "excluded"},
	{"Vacation-Exclude: @.b.test", "bob@b.test", "ann@example.com", "answer"},
	{"Vacation-Exclude: bob", "bob@any.test", "ann@example.com", "excluded"},
	{"vacation-exclude: a@b.test\n @c.test", "bob@c.test", "ann@example.com", "excluded"},
	/* clang-format on */
};

START_TEST(test_settings)
{
	slice text = arena_printf(arena, "%s\n\ngone\n", settings[_i].settings);
	slice to = arena_printf(arena, "To: %s\n", settings[_i].to);
	struct vacation_question q = ask(text.ptr, settings[_i].sender, to.ptr);

	ck_assert_msg(strcmp(reason(&q), settings[_i].reason) == 0,
	    "%s, %s: %s", settings[_i].settings, settings[_i].sender,
	    reason(&q));
}
END_TEST

/* Dates are local ones. */
START_TEST(test_offset)
{
	struct vacation_question q = ask(
	    "Vacation-Start: 2026-11-28 14:00\n\nx\n", "bob@b.test", TO);

	ck_assert_str_eq(reason(&q), "not-yet");
	q.utc_offset = 2 * 3600;
	ck_assert_str_eq(reason(&q), "answer");
}
END_TEST

static const struct {
	const char *value;
	unsigned long seconds;
} intervals[] = {
	{"3d", 3 * 86400},
	{"3", 3 * 86400},
	{"36h", 36 * 3600},
	{"2w", 14 * 86400},
	{"2000 m", 2000 * 60},
	{"90000s", 90000},
	{"1h", 86400}, /* RFC 5230, 4.1: the minimum */
	{"0", 86400},
	{"once", 3650UL * 86400},
	{"99999999w", 3650UL * 86400},
	{"", 7 * 86400},
};

START_TEST(test_intervals)
{
	slice text = intervals[_i].value[0] == '\0'
	    ? SLICE("x\n")
	    : arena_printf(arena, "Vacation-Interval: %s\n\nx\n",
		  intervals[_i].value);
	struct vacation_question q = ask(text.ptr, "bob@b.test", TO);

	ck_assert_uint_eq(vacation_decide(arena, &q).interval_s,
	    intervals[_i].seconds);
}
END_TEST

static const struct {
	const char *text;
	unsigned line;
} broken[] = {
	{"Vacation-Interval: soon\n\nx\n", 1},
	{"Vacation-Interval: 3y\n\nx\n", 1},
	{"Vacation-Interval: -1\n\nx\n", 1},
	{"Vacation-Interval: d\n\nx\n", 1},
	{"Subject: x\nVacation-Start: 2026-02-29\n\nx\n", 2},
	{"Vacation-Start: 20.12.2026\n\nx\n", 1},
	{"Vacation-Start: 2026-12-20 25:00\n\nx\n", 1},
	{"Vacation-Start: 2026-12-20 8:00\n\nx\n", 1},
	{"Subject: x\n y\nVacation-End: never\n\nx\n", 3},
	{"Vacation-Intervall: 3d\n\nx\n", 1},
	{"Vacation-Exclude: a<b>@c\n\nx\n", 1},
};

START_TEST(test_broken)
{
	struct vacation_template template;
	struct error error = {.line = 0};

	ck_assert_msg(!vacation_template_parse(arena,
			  slice_from_cstr(broken[_i].text), &template, &error),
	    "%s", broken[_i].text);
	ck_assert_msg(
	    error.line == broken[_i].line, "%s: %u", error.text, error.line);
}
END_TEST

START_TEST(test_too_large)
{
	size_t len = VACATION_TEMPLATE_MAX + 1;
	char *text = arena_alloc(arena, len);
	struct vacation_template template;
	struct error error;

	memset(text, 'x', len);
	ck_assert(vacation_template_parse(
	    arena, (slice){text, len - 1}, &template, &error));
	ck_assert(!vacation_template_parse(
	    arena, (slice){text, len}, &template, &error));
	ck_assert(!vacation_template_parse(
	    arena, (slice){"x\0y", 3}, &template, &error));
}
END_TEST

static struct vacation_answer
answer(const char *text, const char *header)
{
	slice all = arena_printf(arena, TO "%s", header);
	struct vacation_question q = ask(text, "<bob@b.test>", all.ptr);

	return vacation_decide(arena, &q);
}

/* The whole of it, once. */
START_TEST(test_reply)
{
	struct vacation_answer a = answer(
	    "Dear $FROM,\nI am away and read \"$SUBJECT\" later.\n",
	    "Subject: Lunch?\nMessage-ID: <1@b.test>\n"
	    "References: <0@b.test>\n <00@b.test>\n");

	ck_assert_str_eq(a.header.ptr,
	    "From: ann@example.com\n"
	    "To: <bob@b.test>\n"
	    "Subject: Auto: Lunch?\n"
	    "Date: Sat, 28 Nov 2026 12:00:00 +0000\n"
	    "Message-ID: <vacation.x1@mx.example.com>\n"
	    "In-Reply-To: <1@b.test>\n"
	    "References: <0@b.test>\n <00@b.test>\n <1@b.test>\n"
	    "Auto-Submitted: auto-replied (vacation)\n"
	    "X-Auto-Response-Suppress: All\n");
	ck_assert_str_eq(a.body.ptr,
	    "Dear bob@b.test,\nI am away and read \"Lunch?\" later.\n");
	ck_assert_str_eq(a.to.ptr, "bob@b.test>");
	ck_assert_uint_eq(a.to.len, 10);
}
END_TEST

/* A line of the reply's header, or of its body with an empty name. */
static const struct {
	const char *text;
	const char *header;
	const char *line; /* "!": there is none that begins so */
} lines[] = {
	/* clang-format off */
	{"Subject: away: $SUBJECT ($SUBJECT) $FROM\n\nx\n", "Subject: a\n",
	    "Subject: away: a (a) bob@b.test\n"},
	{"x\n", "", "Subject: Automated reply\n"},
	{"x\n", "Subject:  \n", "Subject: Automated reply\n"},
	{"Subject: gone\n\nx\n", "", "Subject: gone\n"},
	/* Only the last word of an encoded word is cut. */
	{"x\n", "Subject: =?utf-8?q?a_b?= c\n", "Subject: Auto: =?utf-8?q?a_b?= c\n"},
	/* RFC 2047 if and only if it is needed. */
	{"Subject: Urlaub f\xc3\xbcr alle\n\nx\n", "",
	    "Subject: Urlaub =?utf-8?B?ZsO8cg==?= alle\n"},
	{"Subject: f\xfcr\n\nx\n", "", "Subject: =?utf-8?B?ZsO8cg==?=\n"},
	{"Subject: \xc3\xa4 \xc3\xb6 x\n\nx\n", "", "Subject: =?utf-8?B?w6Qgw7Y=?= x\n"},
	{"Subject: \xc3\xa4 $SUBJECT\n\nx\n", "Subject: =?utf-8?q?b?=\n",
	    "Subject: =?utf-8?B?w6Qg?= =?utf-8?q?b?=\n"},
	{"x\n", "Subject: \xc3\xa4\n", "Subject: Auto: =?utf-8?B?w6Q=?=\n"},
	/* Injection. */
	{"x\n", "Subject: a\rBcc: x@y.test\n", "Subject: Auto: a Bcc: x@y.test\n"},
	{"x\n", "Subject: a\n Bcc: x@y.test\n", "Subject: Auto: a Bcc: x@y.test\n"},
	{"x\n", "Subject: a\x1b[31m\x7f\xc2\x9b" "b\n", "Subject: Auto: a [31m b\n"},
	{"From: \"$SUBJECT\" <ann@example.com>\n\nx\n", "Subject: x\" <e@v.il>, \"\n",
	    "From: \"x e v.il \" <ann@example.com>\n"},
	{"From: $SUBJECT <ann@example.com>\n\nx\n", "Subject: e@v.il,\n",
	    "From: e v.il <ann@example.com>\n"},
	{"To: all@example.com\nBcc: x@y.test\nCc: z@y.test\n\nx\n", "", "!Bcc:"},
	{"To: all@example.com\nBcc: x@y.test\nCc: z@y.test\n\nx\n", "", "!Cc:"},
	{"To: all@example.com\nBcc: x@y.test\nCc: z@y.test\n\nx\n", "", "To: <bob@b.test>\n"},
	{"Auto-Submitted: no\n\nx\n", "", "!Auto-Submitted: no"},
	{"Resent-To: x@y.test\n\nx\n", "", "!Resent-To:"},
	{"Vacation-Interval: 3d\n\nx\n", "", "!Vacation-"},
	/* Fields of her own. */
	{"From: Ann <a@example.com>\n\nx\n", "", "From: Ann <a@example.com>\n"},
	{"From: J\xc3\xb6 <a@example.com>\n\nx\n", "", "From: =?utf-8?B?SsO2?= <a@example.com>\n"},
	{"From: \"J\xc3\xb6 B.\" <a@example.com>\n\nx\n", "",
	    "From: =?utf-8?B?SsO2IEIu?= <a@example.com>\n"},
	{"From: Ann Smith\n\nx\n", "", "From: ann@example.com\n"},
	{"From: a@example.com\nFrom: b@example.com\n\nx\n", "", "!From: b"},
	{"Reply-To: b@example.com\n\nx\n", "", "Reply-To: b@example.com\n"},
	{"Precedence: bulk\n\nx\n", "", "Precedence: bulk\n"},
	{"x\n", "", "!Precedence:"},
	{"X-Note: one\n two\n\nx\n", "", "X-Note: one two\n"},
	{"X-Auto-Response-Suppress: OOF\n\nx\n", "", "X-Auto-Response-Suppress: OOF\n"},
	/* Ids. */
	{"x\n", "", "!In-Reply-To:"},
	{"x\n", "Message-ID: none\n", "!References:"},
	{"x\n", "Message-ID: <a b@c>\n", "!In-Reply-To:"},
	{"x\n", "Message-ID: <a@b> <c@d>\n", "In-Reply-To: <a@b>\n"},
	{"x\n", "Message-ID: <a@b>\nIn-Reply-To: <c@d>\n", "References: <c@d>\n <a@b>\n"},
	{"x\n", "Message-ID: <a@b>\nReferences: <1@r> <2@r> <3@r> <4@r> <5@r> <6@r> <7@r> <8@r> <9@r> <10@r> <11@r>\n",
	    "References: <1@r>\n <3@r>\n <4@r>\n <5@r>\n <6@r>\n <7@r>\n <8@r>\n <9@r>\n <10@r>\n <11@r>\n <a@b>\n"},
	/* MIME when it is needed. */
	{"x\n", "", "!MIME-Version"},
	{"f\xc3\xbcr\n", "", "Content-Type: text/plain; charset=utf-8\n"},
	{"f\xc3\xbcr\n", "", "Content-Transfer-Encoding: quoted-printable\n"},
	{"Content-Type: text/html; charset=iso-8859-1\n\nf\xfcr\n", "",
	    "Content-Type: text/html; charset=iso-8859-1\n"},
	{"Content-Type: text/html; charset=iso-8859-1\n\nf\xfcr\n", "",
	    "Content-Transfer-Encoding: quoted-printable\n"},
	{"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nf\xfcr\n--x--\n", "",
	    "Content-Transfer-Encoding: 8bit\n"},
	/* clang-format on */
};

START_TEST(test_lines)
{
	struct vacation_answer a = answer(lines[_i].text, lines[_i].header);
	const char *line = lines[_i].line;
	slice text = arena_join(arena, SLICE("\n"), a.header, SLICE(""));
	bool is_absent = line[0] == '!';
	slice wanted = arena_printf(arena, "\n%s", line + is_absent);

	ck_assert_msg((strstr(text.ptr, wanted.ptr) == NULL) == is_absent,
	    "\"%s\": \"%s\"", line, a.header.ptr);
}
END_TEST

static const struct {
	const char *text;
	const char *header;
	const char *body;
} bodies[] = {
	/* clang-format off */
	{"gone", "", "gone\n"},
	{"", "", ""},
	{"Subject: x\n\n", "", ""},
	{"Subject: x\ngone\n", "", "gone\n"},
	{"Subject: x\r\n\r\ngone\r\n", "", "gone\n"},
	{"\xef\xbb\xbfSubject: x\n\ngone\n", "", "gone\n"},
	{" indented\nSubject: x\n", "", " indented\nSubject: x\n"},
	{"Dear all: I am away\n", "", "Dear all: I am away\n"},
	{"\nSubject: in the text\n", "", "Subject: in the text\n"},
	{"$SUBJECT $SUBJECT\n$FROM$FROM\n", "Subject: $FROM\n", "$FROM $FROM\nbob@b.testbob@b.test\n"},
	{"Gr\xc3\xbc\xc3\x9f" "e: x\n", "", "Gr=C3=BC=C3=9Fe: x\n"},
	{"$SUBJECT.\n", "", "=2E\n"},
	{"costs $5 $\n", "", "costs $5 $\n"},
	{"a\n.\nb\n", "", "a\n=2E\nb\n"},
	{"From here\n", "", "=46rom here\n"},
	{"f\xc3\xbcr = x \n", "", "f=C3=BCr =3D x=20\n"},
	{"f\xfcr\n", "", "f=C3=BCr\n"},
	{"$SUBJECT\n", "Subject: \xc3\xa4\n", "=C3=A4\n"},
	{"Content-Type: text/html; charset=iso-8859-1\n\nf\xfcr\n", "", "f=FCr\n"},
	{"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nZm9v\n", "", "Zm9v\n"},
	/* clang-format on */
};

START_TEST(test_bodies)
{
	struct vacation_answer a = answer(bodies[_i].text, bodies[_i].header);

	ck_assert_msg(slice_eq(a.body, slice_from_cstr(bodies[_i].body)),
	    "\"%s\": \"" SLICE_FMT "\"", bodies[_i].text, SLICE_ARG(a.body));
}
END_TEST

/* However long the subject is. */
START_TEST(test_long_subject)
{
	char subject[6000] = "Subject: ";
	struct vacation_answer a;
	slice line;
	slice rest;

	memset(subject + 9, 'x', 5000);
	strcat(subject, "\n");
	a = answer("Subject: $SUBJECT\n\n$SUBJECT\n", subject);
	rest = a.header;
	while (slice_next(&rest, '\n', &line))
		ck_assert_uint_le(line.len, 998);
	ck_assert_uint_lt(a.header.len, 800);
	ck_assert_uint_le(a.body.len, 210);
	for (size_t i = 0; i < 2400; i++)
		memcpy(subject + 9 + 2 * i, "\xc3\xa4", 2);
	a = answer("x\n", subject);
	rest = a.header;
	while (slice_next(&rest, '\n', &line))
		ck_assert_uint_le(line.len, 76);
}
END_TEST

/* RFC 5230, 4.2: what makes two answers the same. */
START_TEST(test_key)
{
	struct vacation_question q = ask("gone\n", "<Bob@B.test>", TO);
	struct vacation_question same =
	    ask("Vacation-End: 2026-12-24\n\ngone\n", "bob@b.test",
		"Subject: other\n" TO);
	struct vacation_question changed = ask("gone!\n", "bob@b.test", TO);
	struct vacation_question other = ask("gone\n", "bob2@b.test", TO);
	slice key = vacation_decide(arena, &q).key;
	slice user;
	slice sender;

	ck_assert(slice_eq(key, vacation_decide(arena, &same).key));
	ck_assert(!slice_eq(key, vacation_decide(arena, &changed).key));
	ck_assert(!slice_eq(key, vacation_decide(arena, &other).key));
	ck_assert(slice_has_prefix_nocase(
	    key, SLICE("vacation/ann/bob@b.test/")));
	ck_assert(slice_has_prefix_nocase(key,
	    vacation_key_prefix(arena, SLICE("Ann"), SLICE("BOB@b.test"))));
	ck_assert(vacation_key_parse(arena, key, &user, &sender));
	ck_assert(slice_eq(user, SLICE("ann")));
	ck_assert(slice_eq(sender, SLICE("bob@b.test")));
	ck_assert(!vacation_key_parse(arena, SLICE("rate/x/y"), &user, &sender));
}
END_TEST

START_TEST(test_odd_keys)
{
	slice key = vacation_key_prefix(
	    arena, SLICE("a/../b"), SLICE("x y%@z.test"));
	char name[300];
	slice user;
	slice sender;

	ck_assert(
	    slice_eq(key, SLICE("vacation/a%2F..%2Fb/x%20y%25@z.test/")));
	ck_assert(vacation_key_parse(arena, key, &user, &sender));
	ck_assert(slice_eq(user, SLICE("a/../b")));
	ck_assert(slice_eq(sender, SLICE("x y%@z.test")));
	memset(name, 'n', sizeof(name));
	key = vacation_key_prefix(
	    arena, (slice){name, sizeof(name)}, (slice){name, sizeof(name)});
	ck_assert_uint_lt(key.len, 100);
}
END_TEST

/* V1: two people on vacation write to each other. */
START_TEST(test_two_on_vacation)
{
	struct vacation_question ann = ask("gone\n", "<bob@b.test>", TO);
	struct vacation_answer first = vacation_decide(arena, &ann);
	const char *header = arena_cstr(arena, first.header);
	struct vacation_question bob;

	ck_assert_int_eq(first.reason, VACATION_ANSWER);
	/* As the spool sends it: from the null sender. */
	bob = ask("gone too\n", "<>", header);
	bob.owner.user = SLICE("bob");
	bob.owner.address = SLICE("bob@b.test");
	bob.owner.address_count = 0;
	ck_assert_str_eq(reason(&bob), "null-sender");
	/* And were the sender lost on the way. */
	bob.mail.sender = SLICE("<ann@example.com>");
	ck_assert_str_eq(reason(&bob), "auto-submitted");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("vacation");
	TCase *tcase = tcase_create("vacation");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
#define LOOP(test, table) \
	tcase_add_loop_test(tcase, test, 0, sizeof(table) / sizeof(*table))
	LOOP(test_rules, rules);
	LOOP(test_settings, settings);
	LOOP(test_intervals, intervals);
	LOOP(test_broken, broken);
	LOOP(test_lines, lines);
	LOOP(test_bodies, bodies);
	tcase_add_test(tcase, test_session);
	tcase_add_test(tcase, test_hops);
	tcase_add_test(tcase, test_offset);
	tcase_add_test(tcase, test_too_large);
	tcase_add_test(tcase, test_reply);
	tcase_add_test(tcase, test_long_subject);
	tcase_add_test(tcase, test_key);
	tcase_add_test(tcase, test_odd_keys);
	tcase_add_test(tcase, test_two_on_vacation);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
