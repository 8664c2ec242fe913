/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/address.h"
#include "tests/unit/policy_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/*
 * What sendmail 8.17.1.9 said to RCPT TO with these arguments, measured over
 * SMTP: the enhanced code and text of a 553, NULL where it took them for an
 * address (whatever it then thought of the address).
 */
static const struct {
	const char *typed;
	const char *fault;
} syntax[] = {
	/* clang-format off */
	{"<x@y,", "5.0.0 Unbalanced '<'"},
	{"<x@y", "5.0.0 Unbalanced '<'"},
	{"x@y>", "5.0.0 Unbalanced '>'"},
	{"x@y", NULL},
	{"<\"x@y>", "5.0.0 Unbalanced '\"'"},
	{"<(x@y>", "5.0.0 Unbalanced '('"},
	{"<x)@y>", "5.0.0 Unbalanced ')'"},
	{"<x@y@z>", "5.1.3 Invalid route address"},
	{"<x@@z>", "5.1.3 Invalid route address"},
	{"<x@z..a>", "5.1.2 Invalid host name"},
	{"<x@[1.2.3.4>", NULL},
	{"<x@1.2.3.4]>", NULL},
	{"<@a.test:x@good.test>", NULL},
	{"<x@alias.test>", NULL},
	{"<a:b@c.test>", NULL},
	{"<a:b@good.test>", NULL},
	{"<x\\>", "5.0.0 Unbalanced '<'"},
	{"<x\\@y>", NULL},
	{"<\"a b\"@good.test>", NULL},
	{"<a b@good.test>", NULL},
	{"<a,b@good.test>", "5.1.3 Invalid route address"},
	{"<x@a:b>", "5.1.3 Colon illegal in host name part"},
	{"<x@>", "5.1.3 Hostname required"},
	{"<@>", "5.1.3 List:; syntax illegal for recipient addresses"},
	{"<@good.test>", "5.1.3 User address required"},
	{"<x@servfail.test>", NULL},
	{"<|x@mx>", NULL},
	{"<|x>", NULL},
	{"<x@[1.2.3.4]>", NULL},
	{"<x@[127.0.0.1]>", NULL},
	{"<x@[192.0.2.25]>", NULL},
	{"<x@[mx]>", NULL},
	{"<x@[IPv6:2001:db8::1]>", NULL},
	{"<x@[IPv6:::1]>", NULL},
	{"<x>", NULL},
	{"<x.>", NULL},
	{"<.x@good.test>", NULL},
	{"<x@.good.test>", "5.1.2 Invalid host name"},
	{"<x@good.test.>", NULL},
	{"<x@good.test..>", NULL},
	{"<x!y>", NULL},
	{"<x!y@good.test>", NULL},
	{"<x%y@good.test>", NULL},
	{"<x%y@mx>", NULL},
	{"<x%good.test@mx.home.test>", NULL},
	{"<\"x@good.test\"@mx.home.test>", NULL},
	{"<x!y@mx.home.test>", NULL},
	{"<x@good.test@mx.home.test>", "5.1.3 Invalid route address"},
	{"<:include:/etc/passwd>", NULL},
	{"</etc/passwd>", NULL},
	{"</etc/passwd@mx.home.test>", NULL},
	{"<a:x@good.test;>", NULL},
	{"<a:x@good.test>", NULL},
	{"<list:;>", "5.1.3 List:; syntax illegal for recipient addresses"},
	{"<x@GOOD.test>", NULL},
	{"<X@Good.Test>", NULL},
	{"<\"\"@good.test>", NULL},
	{"<\" \"@good.test>", NULL},
	{"<x@good.test (comment)>", NULL},
	{"<x(c)@good.test>", NULL},
	{"<foo <x@good.test>>", NULL},
	{"<x;y@good.test>", NULL},
	{"<x@good.test;>", NULL},
	{"<x@[]>", NULL},
	{"<x@[good.test]>", NULL},
	{"<x @good.test>", NULL},
	{"<x@ good.test>", NULL},
	{"<x@good. test>", NULL},
	{"<x@good test>", NULL},
	{"<x@good.test@>", "5.1.2 Invalid route address"},
	{"<x@localhost>", NULL},
	{"<x@localhost.home.test>", NULL},
	{"<x@localhost.UUCP>", NULL},
	{"<x@foo.uucp>", NULL},
	{"<x@under_score.test>", NULL},
	{"<x@-bad.test>", NULL},
	{"<x@dangling.odd.test>", NULL},
	{"<x@loop-a.odd.test>", NULL},
	{"<x@tofail.odd.test>", NULL},
	{"<x@nullmx.test>", NULL},
	{"<x@mxonly.test>", NULL},
	{"<x@onlytext.test>", NULL},
	{"<x@six.test>", NULL},
	{"<x@nx.test>", NULL},
	{"<x@nx.example>", NULL},
	{"<x@sub.nx.test>", NULL},
	{"<x@mxdead.test>", NULL},
	{"<postmaster>", NULL},
	{"<x@alias>", NULL},
	{"<x@mx>", NULL},
	{"<x@good>", NULL},
	{"<a::b@good.test>", NULL},
	{"<a::b>", NULL},
	{"<x^y@good.test>", NULL},
	{"<x/y@good.test>", NULL},
	{"<x=y@good.test>", NULL},
	{"<x&y@good.test>", NULL},
	{"<x*y@good.test>", NULL},
	{"<x`y@good.test>", NULL},
	{"<x$y@good.test>", NULL},
	{"<x$j@good.test>", NULL},
	{"<x#y@good.test>", NULL},
	{"<x$#y@good.test>", NULL},
	{"<x'y@good.test>", NULL},
	{"<x+y@good.test>", NULL},
	{"<+@good.test>", NULL},
	{"<x+@good.test>", NULL},
	{"<x\\\"y@good.test>", NULL},
	{"<\"x\\\"y\"@good.test>", NULL},
	{"<\"x\"y@good.test>", NULL},
	{"<x.\"y\"@good.test>", NULL},
	{"<\"x\".y@good.test>", NULL},
	{"<x@good.test,y@good.test>", "5.1.3 Invalid route address"},
	{"<@a.test,@b.test:x@good.test>", NULL},
	{"<@a.test:@b.test:x@good.test>", NULL},
	{"<@mx.home.test:x@good.test>", NULL},
	{"<@[1.2.3.4]:x@good.test>", NULL},
	{"<@[1.2.3.4],@b:x@good.test>", NULL},
	{"<@a.test:x>", NULL},
	{"<@a.test>", "5.1.3 User address required"},
	{"<@a.test:>", "5.1.3 User address required"},
	{"<@a.test,>", "5.1.3 User address required"},
	{"<\"@a.test:x\"@good.test>", NULL},
	{"<x@[1.2.3.4]:25>", NULL},
	{"<x@[1.2.3.4]a>", "5.1.2 Invalid address"},
	{"<x@a[1.2.3.4]>", NULL},
	{"<x@[1.2.3.4].>", "5.1.2 Invalid address"},
	{"<x@[1.2.3.4],[1.2.3.5]>", "5.1.3 Invalid route address"},
	{"<x@[a,b]>", "5.1.3 Invalid route address"},
	{"<x@,good.test>", "5.1.3 Invalid route address"},
	{"<x@good.test,>", "5.1.3 Invalid route address"},
	{"<,x@good.test>", "5.1.3 Invalid route address"},
	{"<x,@good.test>", "5.1.3 Invalid route address"},
	{"<\"x,y\"@good.test>", NULL},
	{"<x\\,y@good.test>", NULL},
	{"<x@good..test>", "5.1.2 Invalid host name"},
	{"<x@.>", "5.1.2 Invalid host name"},
	{"<x@..>", "5.1.2 Invalid host name"},
	{"<.@good.test>", NULL},
	{"<@.good.test>", "5.1.3 User address required"},
	{"<x@!>", NULL},
	{"<!x@good.test>", NULL},
	{"<x!@good.test>", NULL},
	{"<%x@good.test>", NULL},
	{"<x%@good.test>", NULL},
	{"<x%@mx>", "5.1.3 Hostname required"},
	{"<%mx>", "5.1.3 User address required"},
	{"<x%y%z@mx>", NULL},
	{"<x%a@b%c>", NULL},
	{"<a!b!x@mx>", NULL},
	{"<a!b!x>", NULL},
	{"<a.b!x>", NULL},
	{"<a.b!c!x>", NULL},
	{"<a!x%y@mx>", NULL},
	{"<a!x@b%c>", NULL},
	{"<x:y>", NULL},
	{"<x:y@mx>", NULL},
	{"<:x@good.test>", NULL},
	{"<x@good.test:>", "5.1.3 Colon illegal in host name part"},
	{"<x@mx:25>", "5.1.3 Colon illegal in host name part"},
	{"<x@@>", "5.1.2 Invalid route address"},
	{"<@@>", "5.1.3 Hostname required"},
	{"<@@good.test>", "5.1.3 User address required"},
	{"<x;>", NULL},
	{"<;x@good.test>", NULL},
	{"<;>", NULL},
	{"<:;>", NULL},
	{"<x:;@good.test>", NULL},
	{"<x:y;@good.test>", NULL},
	{"<\"x>", "5.0.0 Unbalanced '\"'"},
	{"<x\">", "5.0.0 Unbalanced '\"'"},
	{"<x\"y@good.test>", "5.0.0 Unbalanced '\"'"},
	{"<<x@good.test>>", NULL},
	{"<x<y@good.test>", "5.0.0 Unbalanced '<'"},
	{"<<>>", NULL},
	{"<x(>", "5.0.0 Unbalanced '('"},
	{"<)>", "5.0.0 Unbalanced ')'"},
	{"<x@(y)good.test>", NULL},
	{"<x(y)z@good.test>", NULL},
	{"<x@good(a b).test>", NULL},
	{"x", NULL},
	{"\"\"", "5.1.3 User address required"},
	{"<\"\">", "5.1.3 User address required"},
	{"<\\>", "5.0.0 Unbalanced '<'"},
	{"<\\\\>", NULL},
	{"<x\\ y@good.test>", NULL},
	{"<x\\+y@good.test>", NULL},
	{"<\\x@good.test>", NULL},
	{"<\\\"x\\\"@good.test>", NULL},
	{"<\"\\x\"@good.test>", NULL},
	{"<x@\"good.test\">", NULL},
	{"<x@good.\"test\">", NULL},
	{"<x@go\\od.test>", NULL},
	{"<\"x\"@mx>", NULL},
	{"<\"x y\"@mx>", NULL},
	{"<\"x.y\"@mx>", NULL},
	{"<\"x@y\">", NULL},
	{"<\"x%y\"@mx>", NULL},
	{"<\"x!y\"@mx>", NULL},
	{"<\"x%good.test\"@mx>", NULL},
	{"<\"x@good.test@y\"@mx>", "5.1.3 Invalid route address"},
	{"<\"\\\"x@good.test\\\"\"@mx>", NULL},
	{"<x@[192.0.2.25]>", NULL},
	{"<x@[localhost]>", NULL},
	{"<x@[IPv6:::1]>", NULL},
	{"<x@[IPv6:0:0:0:0:0:0:0:1]>", NULL},
	{"<x@IPv6:::1>", "5.1.3 Colon illegal in host name part"},
	{"<x@1.2.3.4>", NULL},
	{"<x@127.0.0.1>", NULL},
	{"<x@0>", NULL},
	{"<x@#1>", NULL},
	{"<x@local_test>", NULL},
	{"<x@good.test.test>", NULL},
	{"<x@good_.test>", NULL},
	{"<x@a b.test>", NULL},
	{"<x@good.test/foo>", NULL},
	{"<x@good.test!foo>", NULL},
	{"<x@good.test^foo>", NULL},
	{"<x@good.test+foo>", NULL},
	{"<x@good.test%foo>", NULL},
	{"<x@good.test#foo>", NULL},
	{"<x@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test>", NULL},
	{"<x@tolocal.test>", NULL},
	{"<x@tospam.test>", NULL},
	{"<x@chain.odd.test>", NULL},
	{"<x@LOCALHOST>", NULL},
	{"<x@MX>", NULL},
	{"<x@Mx.Home.Test.>", NULL},
	{"<x@mx.>", NULL},
	{"<x@localhost.>", NULL},
	{"<x@*LOCAL*>", NULL},
	{"<x@foo.BITNET>", NULL},
	{"<x@foo.UUCP.>", NULL},
	{"<foo.UUCP!x>", NULL},
	{"<*@good.test>", NULL},
	{"<x*y>", NULL},
	{"<$x>", NULL},
	{"<x@$j>", NULL},
	{"<x@$w>", NULL},
	{"<x|y@good.test>", NULL},
	{"<x{y}@good.test>", NULL},
	{"<x~y@good.test>", NULL},
	{"<x?y@good.test>", NULL},
	{"<x<>y@good.test>", NULL},
	{"<x@nullmx-a.test>", NULL},
	/* clang-format on */
};

START_TEST(test_syntax)
{
	struct fixture f;
	struct address address;
	struct address_fault fault;
	const char *said = NULL;

	fixture_init(&f);
	if (!address_parse_text(&f.decision,
		slice_from_cstr(syntax[_i].typed), &address, &fault))
		said = arena_printf(f.arena, "%s %s", fault.enhanced,
		    fault.text).ptr;
	ck_assert_msg((said == NULL) == (syntax[_i].fault == NULL) &&
		(said == NULL || strcmp(said, syntax[_i].fault) == 0),
	    "%s: %s, not %s", syntax[_i].typed,
	    said == NULL ? "an address" : said,
	    syntax[_i].fault == NULL ? "an address" : syntax[_i].fault);
	fixture_done(&f);
}
END_TEST

/*
 * Canonical forms by the rules of cf/README and the Operation Guide: routes
 * are dropped, percent and bang paths read from the right and the left, hosts
 * of our own (mx.home.test) peeled, CNAMEs followed. "local|host".
 */
static const struct {
	const char *typed;
	const char *canonical;
} canonical[] = {
	/* clang-format off */
	{"<u@good.test>", "u|good.test"},
	{"<U@GOOD.test>", "U|good.test"},
	{"<u@good.test.>", "u|good.test"},
	{"<u@alias.test>", "u|good.test"},
	{"<u@nx.test>", "u|nx.test"},
	{"u@good.test", "u|good.test"},
	{"<@a.test:u@good.test>", "u|good.test"},
	{"<@a.test,@b.test:u@good.test>", "u|good.test"},
	{"<@[192.0.2.1]:u@good.test>", "u|good.test"},
	{"<u%good.test@nx.test>", "u%good.test|nx.test"},
	{"<u%good.test@mx.home.test>", "u|good.test"},
	{"<u%good.test@localhost>", "u|good.test"},
	{"<u%good.test@[127.0.0.1]>", "u|good.test"},
	{"<u%good.test>", "u|good.test"},
	{"<u%a%good.test>", "u%a|good.test"},
	{"<u%good.test%mx@mx.home.test>", "u|good.test"},
	{"<\"u@good.test\">", "u|good.test"},
	{"<\"u@good.test\"@mx.home.test>", "u|good.test"},
	{"<\"u@good.test\"@nx.test>", "\"u@good.test\"|nx.test"},
	{"<\"u%good.test\"@localhost>", "u|good.test"},
	{"<good.test!u>", "u|good.test"},
	{"<good!u>", "u|good.uucp"},
	{"<good.test!u@mx.home.test>", "u|good.test"},
	{"<a.test!good.test!u>", "good.test!u|a.test"},
	{"<u>", "u|"},
	{"<u@mx.home.test>", "u|mx.home.test"},
	{"<\"u\"@mx.home.test>", "u|mx.home.test"},
	{"<\"u v\"@mx.home.test>", "\"u v\"|mx.home.test"},
	{"<u+d@good.test>", "u+d|good.test"},
	{"<u@[192.0.2.9]>", "u|[192.0.2.9]"},
	{"<u(comment)@good.test>", "u|good.test"},
	{"<(a)u@good.test>", "u|good.test"},
	/* clang-format on */
};

START_TEST(test_canonical)
{
	struct fixture f;
	struct address a;
	struct address_fault fault;
	slice form;

	fixture_init(&f);
	ck_assert_msg(address_parse_text(&f.decision,
			  slice_from_cstr(canonical[_i].typed), &a, &fault),
	    "%s: no address", canonical[_i].typed);
	address_strip_dots(&a);
	form = arena_printf(f.arena, SLICE_FMT "|" SLICE_FMT,
	    SLICE_ARG(address_local(&f.decision, &a)),
	    SLICE_ARG(address_host(&f.decision, &a)));
	ck_assert_msg(strcmp(form.ptr, canonical[_i].canonical) == 0,
	    "%s: %s, not %s", canonical[_i].typed, form.ptr,
	    canonical[_i].canonical);
	fixture_done(&f);
}
END_TEST

/* ${f} as sendmail writes it in "Domain of sender address ... ". */
static const struct {
	const char *typed;
	const char *f;
} senders[] = {
	/* clang-format off */
	{"<x@nx.test>", "x@nx.test"},
	{"<X@NX.test>", "X@NX.test"},
	{"<x%y@mx.home.test>", "x%y@mx.home.test"},
	{"<x!y>", "x!y"},
	{"<x@foo.uucp>", "foo!x"},
	{"<@a.test:x@nx.test>", "x@nx.test"},
	{"<a:b@nx.test>", "a:b@nx.test"},
	{"<x@localhost>", "x@mx.home.test"},
	{"<x@nx.test.>", "x@nx.test"},
	{"<x@a b.test>", "x@a.b.test"},
	{"<x@[192.0.2.9]>", "x@[192.0.2.9]"},
	{"<x>", "x"},
	{"<>", ""},
	/* clang-format on */
};

START_TEST(test_sender_macro)
{
	struct fixture f;
	slice macro;

	fixture_init(&f);
	macro = address_sender_macro(
	    &f.decision, slice_from_cstr(senders[_i].typed));
	ck_assert_msg(slice_eq(macro, slice_from_cstr(senders[_i].f)),
	    "%s: " SLICE_FMT ", not %s", senders[_i].typed, SLICE_ARG(macro),
	    senders[_i].f);
	fixture_done(&f);
}
END_TEST

/* 2,000 hosts to peel must end, and not by taking the address for ours. */
START_TEST(test_deep_nesting_ends)
{
	struct fixture f;
	struct address a;
	struct address_fault fault;
	static char typed[2000 * 13 + 100];
	size_t len = 1;

	fixture_init(&f);
	typed[0] = '<';
	typed[len++] = 'u';
	for (int i = 0; i < 1000; i++) {
		memcpy(typed + len, "%mx.home.test", 13);
		len += 13;
	}
	typed[len++] = '>';
	ck_assert(!address_parse_text(
	    &f.decision, (slice){typed, len}, &a, &fault));
	ck_assert_str_eq(fault.enhanced, "5.0.0");
	fixture_done(&f);
}
END_TEST

/* sendmail takes them off one by one. */
START_TEST(test_many_semicolons_cost_little)
{
	enum { COUNT = 4000 };
	char typed[COUNT + 8] = "<u@x";
	struct address_fault fault;
	struct address a;
	struct fixture f;

	fixture_init(&f);
	memset(typed + 4, ';', COUNT);
	typed[4 + COUNT] = '>';
	ck_assert(address_parse_text(
	    &f.decision, slice_from_cstr(typed), &a, &fault));
	ck_assert(slice_eq(address_host(&f.decision, &a), SLICE("x")));
	ck_assert_uint_lt(arena_size(f.arena), 1024 * 1024);
	fixture_done(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("address");
	TCase *tcase = tcase_create("address");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(
	    tcase, test_syntax, 0, sizeof(syntax) / sizeof(*syntax));
	tcase_add_loop_test(
	    tcase, test_canonical, 0, sizeof(canonical) / sizeof(*canonical));
	tcase_add_loop_test(
	    tcase, test_sender_macro, 0, sizeof(senders) / sizeof(*senders));
	tcase_add_test(tcase, test_deep_nesting_ends);
	tcase_add_test(tcase, test_many_semicolons_cost_little);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
