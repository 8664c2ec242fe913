/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address lists as RFC 5322 writes them (3.4, 4.4 and its appendices A.1 to
 * A.6, from which several of these values are taken): the addr-specs found,
 * with "|" between them, or the problem that ended the reading.
 */
#include "policy/header.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *value;
	const char *spans;
} values[] = {
	/* clang-format off */
	{"", ""},
	{"   ", ""},
	{"joe@a.test", "joe@a.test"},
	{" joe@a.test ", "joe@a.test"},
	{"<joe@a.test>", "joe@a.test"},
	{"Joe <joe@a.test>", "joe@a.test"},
	{"Joe Q. Public <john.q.public@example.com>", "john.q.public@example.com"},
	{"\"Joe, the <b>\" <joe@a.test>", "joe@a.test"},
	{"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
	    "mary@x.test|jdoe@example.org|one@y.test"},
	{"<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
	    "boss@nil.test|sysservices@example.net"},
	{"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
	    "c@a.test|joe@where.test|jdoe@one.test"},
	{"Undisclosed recipients:;", ""},
	{"Undisclosed recipients:;, a@b.test", "a@b.test"},
	{"a@b.test, G: c@d.test; , e@f.test", "a@b.test|c@d.test|e@f.test"},
	{"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
	    "pete(his account)@silly.test"},
	{"A Group(Some people)\n\t:Chris Jones <c@(Chris's host.)public.example>,\n"
	    "\tjoe@example.org,\n John <jdoe@one.test> (my dear friend); "
	    "(the end of the group)",
	    "c@(Chris's host.)public.example|joe@example.org|jdoe@one.test"},
	{"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", ""},
	{"Joe <@node.test,@other.test:joe@a.test>", "@node.test,@other.test:joe@a.test"},
	{"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
	    "@node.test:mary@example.net|jdoe@test  . example"},
	{"joe@[192.0.2.1]", "joe@[192.0.2.1]"},
	{"<joe@[IPv6:2001:db8::1]>", "joe@[IPv6:2001:db8::1]"},
	{"\"joe doe\"@a.test", "\"joe doe\"@a.test"},
	{"=?utf-8?q?J=C3=B6?= <joe@a.test>", "joe@a.test"},
	{"joe@a.test (Joe, the)", "joe@a.test"},
	{"joe@a.test,", "joe@a.test"},
	{",joe@a.test", "joe@a.test"},
	{"joe", "joe"},
	{"<>", ""},
	{"Nobody <>", ""},
	{"<>, joe@a.test", "joe@a.test"},
	{"jo\\e@a.test", "jo\\e@a.test"},
	{"joe(a)@(b)a.test", "joe(a)@(b)a.test"},
	{"a@b.test\n\t,\n\tc@d.test", "a@b.test|c@d.test"},
	/* What nobody can make sense of. */
	{"undisclosed recipients", "!words that are no address"},
	{"Joe <joe@a.test", "!unbalanced '<'"},
	{"joe@a.test>", "!unbalanced '>'"},
	{"Joe <joe@a.test> Doe", "!words behind an address"},
	{"Joe <joe@a.test> <b@c.test>", "!two addresses in one"},
	{"\"Joe <joe@a.test>", "!unbalanced '\"'"},
	{"Joe (x <joe@a.test>", "!unbalanced '('"},
	{"joe@[192.0.2.1", "!unbalanced '['"},
	{"a: b: c@d.test;;", "!a group in a group"},
	{"joe@a.test; b@c.test", "!';' outside of a group"},
	{"a@b.test, <c@d.test", "a@b.test!unbalanced '<'"},
	{"\\", "\\"},
	{"\"\\", "!unbalanced '\"'"},
	{"(\\", "!unbalanced '('"},
	{"<\\", "!unbalanced '<'"},
	{"<<a@b.test>>", "!unbalanced '<'"},
	/* clang-format on */
};

static void
add(char *text, size_t size, const char *mark, slice part)
{
	size_t len = strlen(text);

	ck_assert(len + strlen(mark) + part.len + 1 < size);
	strcat(text, mark);
	memcpy(text + strlen(text), part.ptr, part.len);
	text[len + strlen(mark) + part.len] = '\0';
}

START_TEST(test_spans)
{
	struct header_parser parser;
	enum header_next next;
	char found[512] = "";
	slice span;

	/* A copy without NUL behind it, so that a sanitizer sees overruns. */
	size_t len = strlen(values[_i].value);
	char *copy = malloc(len + (len == 0));

	memcpy(copy, values[_i].value, len);
	header_parser_init(&parser, (slice){copy, len});
	while ((next = header_next(&parser, &span)) == HEADER_ADDRESS)
		add(found, sizeof(found), found[0] == '\0' ? "" : "|", span);
	if (next == HEADER_BROKEN)
		add(found, sizeof(found), "!",
		    slice_from_cstr(parser.problem));
	ck_assert_msg(strcmp(found, values[_i].spans) == 0, "%s: %s, not %s",
	    values[_i].value, found, values[_i].spans);
	free(copy);
}
END_TEST

START_TEST(test_kind)
{
	ck_assert_int_eq(header_kind(SLICE("from")), HEADER_SENDER);
	ck_assert_int_eq(header_kind(SLICE("Resent-Sender")), HEADER_SENDER);
	ck_assert_int_eq(header_kind(SLICE("CC")), HEADER_RECIPIENT);
	ck_assert_int_eq(header_kind(SLICE("Bcc")), HEADER_OTHER);
	ck_assert_int_eq(
	    header_kind(SLICE("Return-Receipt-To")), HEADER_OTHER);
	ck_assert_int_eq(header_kind(SLICE("X-To")), HEADER_OTHER);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("header");
	TCase *tcase = tcase_create("header");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(
	    tcase, test_spans, 0, sizeof(values) / sizeof(*values));
	tcase_add_test(tcase, test_kind);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
