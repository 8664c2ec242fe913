/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtusertable. The answers are those of sendmail 8.17.1.9 (`/parse` of
 * `sendmail -bt`, RCPT where it refuses) with this very table.
 */
#include "policy/virtuser.h"

#include "base/strbuf.h"
#include "tests/unit/policy_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct fixture f;

static const char table[] =
	/* clang-format off */
	"info@virt.test\tbob\n"
	"Upper@Virt.Test\tBoB\n"
	"x@virt.test\tq@good.test\n"
	"d@virt.test\tdan\n"
	"d+exact@virt.test\texact-%1-%2@good.test\n"
	"p++@virt.test\tpp-%1-%2-%3@good.test\n"
	"p+*@virt.test\tps-%1-%2-%3@good.test\n"
	"++@cat.test\tcpp-%1-%2@good.test\n"
	"+*@cat.test\tcps-%1-%2@good.test\n"
	"@cat.test\tcat-%1-%2-%3@good.test\n"
	"@all.test\t%1%3@good.test\n"
	"zero@virt.test\t%0@good.test\n"
	"percent@virt.test\ta%%b@good.test\n"
	"inner@local.test\tinside\n"
	"e1@virt.test\terror:nouser No such user here\n"
	"e2@virt.test\terror:nouser 550 x\n"
	"e3@virt.test\terror:No such user\n"
	"e4@virt.test\terror:5.7.1:551 gone\n"
	"e5@virt.test\terror:450 later\n"
	"list@virt.test\ta,b@good.test\n"
	"self@virt.test\tself@virt.test\n"
	"one@virt.test\ttwo@virt.test\n"
	"two@virt.test\tx@virt.test\n"
	"peeled@virt.test\tu%good.test@local.test\n"
	"blank@virt.test\ta b@good.test\n";
	/* clang-format on */

static const struct {
	const char *recipient;
	const char *route; /* "user", "user@host", or a reply */
} routes[] = {
	/* clang-format off */
	{"<info@virt.test>", "bob"},
	{"<INFO@VIRT.test>", "bob"},
	{"<info@virt.test.>", "bob"},
	{"<upper@virt.test>", "BoB"}, /* the aliases make it lower case */
	{"<info@sub.virt.test>", "info@sub.virt.test"},
	{"<info@xvirt.test>", "info@xvirt.test"},
	{"<infos@virt.test>", "infos@virt.test"},
	{"<info>", "info"},
	{"<info+x@virt.test>", "bob"},
	{"<x@virt.test>", "q@good.test"},
	{"<d+y@virt.test>", "dan"},
	{"<d+exact@virt.test>", "exact-d+exact-@good.test"},
	{"<d+@virt.test>", "dan"},
	{"<p+x@virt.test>", "pp-p-x-+x@good.test"},
	{"<p+@virt.test>", "ps-p--+@good.test"},
	{"<p+a+b@virt.test>", "pp-p-a+b-+a+b@good.test"},
	{"<p@virt.test>", "p@virt.test"},
	{"<u+x@cat.test>", "cpp-u-x@good.test"},
	{"<u+@cat.test>", "cps-u-@good.test"},
	{"<u@cat.test>", "cat-u--@good.test"},
	{"<u@all.test>", "u@good.test"},
	{"<u+x@all.test>", "u+x@good.test"},
	{"<\"u\"@all.test>", "\"u\"@good.test"},
	{"<zero@virt.test>", "553 5.1.3 Invalid route address"},
	{"<percent@virt.test>", "a%b@good.test"},
	{"<inner@local.test>", "inside"},
	{"<inner@mx.home.test>", "inner"},
	{"<inner%local.test@mx.home.test>", "inside"},
	{"<e1@virt.test>", "553 5.3.0 No such user here"},
	{"<e2@virt.test>", "550 5.0.0 x"},
	{"<e3@virt.test>", "553 5.3.0 such user"},
	{"<e4@virt.test>", "551 5.7.1 gone"},
	{"<e5@virt.test>", "553 5.3.0 later"},
	{"<list@virt.test>", "553 5.1.3 Invalid route address"},
	{"<self@virt.test>",
	    "554 5.0.0 rewrite: excessive recursion (max 50), ruleset canonify"},
	{"<one@virt.test>", "q@good.test"},
	{"<peeled@virt.test>", "u@good.test"},
	{"<blank@virt.test>", "a.b@good.test"},
	{"<q@good.test>", "q@good.test"},
	/* clang-format on */
};

static const char *
shown(struct route route)
{
	switch (route.kind) {
	case ROUTE_LOCAL:
		return arena_cstr(f.arena, route.user);
	case ROUTE_REMOTE:
		return arena_cstr(f.arena, route.address);
	case ROUTE_ERROR:
	case ROUTE_TEMPFAIL:
		break;
	}
	return arena_cstr(f.arena, verdict_reply(f.arena, &route.error));
}

static void
check_route(const char *recipient, const char *expected)
{
	const char *got =
	    shown(route_find(&f.decision, slice_from_cstr(recipient)));

	ck_assert_msg(strcmp(got, expected) == 0, "%s: %s, not %s", recipient,
	    got, expected);
}

static void
setup(void)
{
	static const char *const domains[] = {
	    "virt.test", "cat.test", "all.test", NULL};
	static const char *const local[] = {"mx.home.test", "mx", "localhost",
	    "[127.0.0.1]", "local.test", NULL};

	fixture_init(&f);
	fixture_local(&f, local);
	f.policy.virtuser_domain = fixture_class(&f, "virtuser", domains);
	f.policy.virtusertable = fixture_map(&f, "virtusertable", table);
}

static void
teardown(void)
{
	fixture_done(&f);
}

START_TEST(virtual_route)
{
	check_route(routes[_i].recipient, routes[_i].route);
}
END_TEST

START_TEST(entire_domain)
{
	f.policy.virtusertable =
	    fixture_map(&f, "virtusertable", "i@sub.virt.test\tbob\n");
	check_route("<i@sub.virt.test>", "i@sub.virt.test");
	f.policy.virtuser_entire_domain = true;
	check_route("<i@sub.virt.test>", "bob");
	check_route("<i@xvirt.test>", "i@xvirt.test");
}
END_TEST

/* Sixteen results, as many as sendmail's nesting of rulesets allows. */
START_TEST(chain)
{
	struct strbuf text;

	strbuf_init(&text, f.arena);
	for (unsigned i = 0; i < 16; i++)
		strbuf_printf(
		    &text, "c%u@virt.test\tc%u@virt.test\n", i, i + 1);
	strbuf_printf(&text, "c16@virt.test\tbob\n");
	f.policy.virtusertable = fixture_map(&f, "virtusertable",
	    arena_cstr(f.arena, strbuf_slice(&text)));
	check_route("<c1@virt.test>", "bob");
	check_route("<c0@virt.test>",
	    "554 5.0.0 rewrite: excessive recursion (max 50), ruleset "
	    "canonify");
}
END_TEST

START_TEST(is_changed)
{
	ck_assert(route_find(&f.decision, SLICE("<x@virt.test>")).is_changed);
	ck_assert(!route_find(&f.decision, SLICE("<x@good.test>")).is_changed);
}
END_TEST

START_TEST(redirected)
{
	check_route("<x@good.test.REDIRECT>", "x@good.test.REDIRECT");
	f.policy.redirect = true;
	check_route("<x@good.test.REDIRECT>",
	    "551 5.1.1 User has moved; please try <x@good.test>");
	check_route("<X@Good.test.redirect.>",
	    "551 5.1.1 User has moved; please try <X@Good.test>");
	check_route("<x@REDIRECT>", "x@REDIRECT");
	check_route("<x@good.test>", "x@good.test");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("virtuser");
	TCase *tcase = tcase_create("virtuser");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, virtual_route, 0, COUNT(routes));
	tcase_add_test(tcase, entire_domain);
	tcase_add_test(tcase, chain);
	tcase_add_test(tcase, is_changed);
	tcase_add_test(tcase, redirected);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
