/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/access.h"
#include "tests/unit/policy_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/*
 * Values of the access map and what sendmail 8.17.1.9 made of them, measured
 * with `sendmail -bt` and check_relay: verdict, code, enhanced code and text.
 */
static const struct {
	const char *value;
	const char *answer;
} values[] = {
	/* clang-format off */
	{"REJECT", "reject 550 5.7.1 Access denied"},
	{"DISCARD", "discard"},
	{"rejecT", "reject 550 5.7.1 Access denied"},
	{"discard", "discard"},
	{"SUBJECT", "reject 553 5.3.0 SUBJECT"},
	{"LOCAL", "reject 553 5.3.0 LOCAL"},
	{"REJECT now", "reject 553 5.3.0 REJECT now"},
	{"RELAY // trusted", "reject 553 5.3.0 RELAY//trusted"},
	{"OK.", "reject 553 5.3.0 OK."},
	{"\"REJECT\"", "reject 553 5.3.0 REJECT"},
	{"DISCARD quietly", "reject 553 5.3.0 DISCARD quietly"},
	{"discard:x", "reject 553 5.3.0 discard:x"},
	{"OKAY", "reject 553 5.3.0 OKAY"},
	{"RELAY,OK", "reject 553 5.3.0 RELAY,OK"},
	{"ok ok", "reject 553 5.3.0 ok ok"},
	{"REJECT(x)", "reject 550 5.7.1 Access denied"},
	{"REJECT (x)", "reject 550 5.7.1 Access denied"},
	{"(x) REJECT", "reject 550 5.7.1 Access denied"},
	{"R\\EJECT", "reject 553 5.3.0 REJECT"},
	{"QUARANTINE:held for review", "quarantine held for review"},
	{"quarantine:lower case", "quarantine lower case"},
	{"QUARANTINE:", "reject 553 5.3.0 QUARANTINE:"},
	{"QUARANTINE", "reject 553 5.3.0 QUARANTINE"},
	{"QUARANTINE:\"quoted why\"", "quarantine quoted why"},
	{"QUARANTINE: after a blank", "quarantine after a blank"},
	{"QUARANTINE:550 why", "quarantine 550 why"},
	{"Quarantine:a,b (c) d: e", "quarantine a,b d:e"},
	{"QUARANTINE :x", "quarantine x"},
	{"ERROR:5.7.1:550 text with code", "reject 550 5.7.1 text with code"},
	{"ERROR:4.7.1:450 later please", "defer 450 4.7.1 later please"},
	{"ERROR:550 text only", "reject 550 5.0.0 text only"},
	{"ERROR:5.1.1:text without code", "reject 553 5.3.0 text without code"},
	{"ERROR:text alone", "reject 553 5.3.0 text alone"},
	{"error:5.7.1:550 lower tag", "reject 550 5.7.1 lower tag"},
	{"Error:450 mixed tag", "defer 450 4.0.0 mixed tag"},
	{"ERROR:5.7.1:550 5.7.2 two codes", "reject 550 5.7.2 two codes"},
	{"ERROR:5.7.1:\"550 quoted text\"", "reject 550 5.7.1 quoted text"},
	{"ERROR:\"550 quoted text\"", "reject 550 5.0.0 quoted text"},
	{"ERROR:550", "reject 553 5.3.0 550"},
	{"ERROR:", "reject 553 5.3.0 ERROR:"},
	{"ERROR", "reject 553 5.3.0 ERROR"},
	{"ERROR:5.7:550 short status", "reject 553 5.3.0 5.7:550 short status"},
	{"ERROR:5.7.1.2:550 long status", "reject 553 5.3.0 5.7.1.2:550 long status"},
	{"ERROR:5.7.1 550 no colon", "reject 553 5.3.0 5.7.1 550 no colon"},
	{"ERROR: 5.7.1 : 550 blanks", "reject 550 5.7.1 blanks"},
	{"ERROR:4.7.1:550 mixed classes", "reject 550 4.7.1 mixed classes"},
	{"ERROR:5.7.1:450 mixed classes", "defer 450 5.7.1 mixed classes"},
	{"ERROR:D.S.N:550 letters", "reject 550 5.0.0 letters"},
	{"ERROR:nouser:550 by name", "reject 553 5.3.0 nouser:550 by name"},
	{"ERROR:9.9.9:550 odd status", "reject 550 5.0.0 odd status"},
	{"ERROR:5.7.1:421 closing", "defer 421 5.7.1 closing"},
	{"ERROR:5.7.1:", "reject 553 5.3.0 5.7.1:"},
	{"ERROR:5.7.1", "reject 553 5.3.0 5.7.1"},
	{"ERROR:x:y:z", "reject 553 5.3.0 x:y:z"},
	{"550 We don't like a spammer!", "reject 550 5.0.0 We don't like a spammer!"},
	{"550 plain text", "reject 550 5.0.0 plain text"},
	{"551 moved", "reject 551 5.0.0 moved"},
	{"552 full", "reject 552 5.0.0 full"},
	{"553 no", "reject 553 5.0.0 no"},
	{"554 go", "reject 554 5.0.0 go"},
	{"501 syntax", "reject 501 5.0.0 syntax"},
	{"521 never", "reject 521 5.0.0 never"},
	{"450 later", "defer 450 4.0.0 later"},
	{"451 local trouble", "defer 451 4.0.0 local trouble"},
	{"452 full now", "defer 452 4.0.0 full now"},
	{"421 closing now", "defer 421 4.0.0 closing now"},
	{"550 5.7.1 own status", "reject 550 5.7.1 own status"},
	{"450 4.7.1 own status", "defer 450 4.7.1 own status"},
	{"550 5.7.1", "reject 550 5.0.0 5.7.1"},
	{"550", "reject 553 5.3.0 550"},
	{"550 ", "reject 553 5.3.0 550"},
	{"354 go on", "reject 553 5.3.0 354 go on"},
	{"650 odd", "reject 553 5.3.0 650 odd"},
	{"55 x", "reject 553 5.3.0 55 x"},
	{"5500 x", "reject 553 5.3.0 5500 x"},
	{"550-5.7.1 dash", "reject 553 5.3.0 550-5.7.1 dash"},
	{"550\ttab", "reject 550 5.0.0 tab"},
	{"550 5.7.1\ttab", "reject 550 5.7.1 tab"},
	{"550 5.7.999 wide", "reject 550 5.7.999 wide"},
	{"550 5.7.1000 wider", "reject 550 5.0.0 5.7.1000 wider"},
	{"550 5.x.1 letters", "reject 550 5.0.0 5.x.1 letters"},
	{"550 4.7.1 other class", "reject 550 4.7.1 other class"},
	{"550 2.7.1 good class", "reject 550 2.7.1 good class"},
	{"bare text without a code", "reject 553 5.3.0 bare text without a code"},
	{"Go away", "reject 553 5.3.0 Go away"},
	{"x", "reject 553 5.3.0 x"},
	{"550 (comment) kept?", "reject 550 5.0.0 kept?"},
	{"550 a (b) c", "reject 550 5.0.0 a c"},
	{"550 un(balanced", "reject 550 5.0.0 un"},
	{"550 un)balanced", "reject 550 5.0.0 unbalanced"},
	{"550 un<balanced", "reject 550 5.0.0 un<balanced>"},
	{"550 un>balanced", "reject 550 5.0.0 unbalanced"},
	{"550 <x@y.test> angle", "reject 553 5.3.0 550<x@y.test>angle"},
	{"550 a \"quoted part\" here", "reject 550 5.0.0 aquoted parthere"},
	{"\"550 all quoted\"", "reject 550 5.0.0 all quoted"},
	{"550 \"all quoted text\"", "reject 553 5.3.0 550all quoted text"},
	{"550 un\"balanced", "reject 550 5.0.0 unbalanced"},
	{"550 it's", "reject 550 5.0.0 it's"},
	{"\"550 5.7.1 all quoted\"", "reject 550 5.7.1 all quoted"},
	{"550 \"5.7.1 quoted status\"", "reject 553 5.3.0 5505.7.1 quoted status"},
	{"550 a,b, c ,d", "reject 550 5.0.0 a,b,c,d"},
	{"550 a;b; c ;d", "reject 550 5.0.0 a;b;c;d"},
	{"550 a:b: c :d", "reject 550 5.0.0 a:b:c:d"},
	{"550 a.b. c .d", "reject 550 5.0.0 a.b.c.d"},
	{"550 a@b @ c", "reject 550 5.0.0 a@b@c"},
	{"550 a!b! c", "reject 550 5.0.0 a!b!c"},
	{"550 a/b / c", "reject 550 5.0.0 a/b/c"},
	{"550 a+b + c", "reject 550 5.0.0 a+b+c"},
	{"550 a=b = c", "reject 550 5.0.0 a=b = c"},
	{"550 a%b % c", "reject 550 5.0.0 a%b%c"},
	{"550 a^b ^ c", "reject 550 5.0.0 a^b^c"},
	{"550 [a] [ b ]", "reject 553 5.3.0 550[a][b]"},
	{"550 a-b - c", "reject 550 5.0.0 a-b - c"},
	{"550 a_b _ c", "reject 550 5.0.0 a_b _ c"},
	{"550 a*b * c", "reject 550 5.0.0 a*b * c"},
	{"550 a&b & c", "reject 550 5.0.0 a&b & c"},
	{"550 a~b ~ c", "reject 550 5.0.0 a~b ~ c"},
	{"550 a|b | c", "reject 550 5.0.0 a|b | c"},
	{"550 {a} { b }", "reject 550 5.0.0 {a} { b }"},
	{"550 a?b ? c", "reject 550 5.0.0 a?b ? c"},
	{"550 a#b # c", "reject 550 5.0.0 a#b # c"},
	{"550 see http://www.good.test/why?x=1&y=2", "reject 550 5.0.0 see http://www.good.test/why?x=1&y=2"},
	{"550 mail to postmaster@good.test, please.", "reject 550 5.0.0 mail to postmaster@good.test,please."},
	{"550   many   blanks", "reject 550 5.0.0 many blanks"},
	{"550 back\\slash", "reject 550 5.0.0 backslash"},
	{"550 back\\\\slash", "reject 550 5.0.0 back\\slash"},
	{"550 \\\"escaped\\\"", "reject 550 5.0.0 \"escaped\""},
	{"550 tab\tinside", "reject 550 5.0.0 tab inside"},
	{"550 tail  ", "reject 550 5.0.0 tail"},
	{"550 a . b", "reject 550 5.0.0 a.b"},
	{"550 ...", "reject 553 5.3.0 550..."},
	{"550 !", "reject 553 5.3.0 550!"},
	{"550 ,", "reject 553 5.3.0 550,"},
	{"550 \"\"", "reject 553 5.3.0 550"},
	{"550 \" \"", "reject 550 5.0.0 "},
	{"550 a \"\" b", "reject 550 5.0.0 ab"},
	{"550 a\"b\"c", "reject 550 5.0.0 abc"},
	{"550 'single quotes'", "reject 550 5.0.0 'single quotes'"},
	{"550 `back quotes`", "reject 550 5.0.0 `back quotes`"},
	{"550 100% sure", "reject 550 5.0.0 100%sure"},
	{"550 UPPER lower", "reject 550 5.0.0 UPPER lower"},
	{"550 e.g. this", "reject 550 5.0.0 e.g.this"},
	{"550 a.  b.", "reject 550 5.0.0 a.b."},
	{"550 (only)", "reject 553 5.3.0 550"},
	{"550 ((nested) x) y", "reject 550 5.0.0 y"},
	{"550 a ( b ) c", "reject 550 5.0.0 a c"},
	{"550 1.2.3.4 is listed", "reject 550 5.0.0 1.2.3.4 is listed"},
	{"550:text", "reject 553 5.3.0 550:text"},
	{"RELAY:x", "reject 553 5.3.0 RELAY:x"},
	{"OK:x", "reject 553 5.3.0 OK:x"},
	{"REJECT:x", "reject 553 5.3.0 REJECT:x"},
	{"SKIP:x", "reject 553 5.3.0 SKIP:x"},
	{"\"OK\"", "reject 553 5.3.0 OK"},
	{"\"550\" text", "reject 553 5.3.0 550text"},
	{"550 \"text\" and (more)", "reject 553 5.3.0 550textand"},
	{":x", "reject 553 5.3.0 :x"},
	{"5.7.1", "reject 553 5.3.0 5.7.1"},
	{"5.7.1 550 turned", "reject 553 5.3.0 5.7.1 550 turned"},
	{"5.7.1:550 no tag", "reject 553 5.3.0 5.7.1:550 no tag"},
	/* clang-format on */
};

START_TEST(test_value)
{
	struct fixture f;
	struct access_value value;
	struct verdict verdict;

	fixture_init(&f);
	value = access_parse(f.arena, slice_from_cstr(values[_i].value));
	verdict = access_verdict(&f.decision, &value, "check_relay", "5.7.1",
	    "550 Access denied");
	ck_assert_msg(
	    strcmp(fixture_line(&f, verdict), values[_i].answer) == 0,
	    "%s: %s, not %s", values[_i].value, fixture_line(&f, verdict),
	    values[_i].answer);
	fixture_done(&f);
}
END_TEST

/* Which key answers: "value" is the value of the entry that must be found,
 * NULL for none. The order is cf/README's. */
enum how { DOMAIN, ADDRESS, FULL, USER, EXACT };
static const struct {
	const char *map;
	enum how how;
	const char *a;
	const char *b;
	const char *answer;
} lookups[] = {
	/* clang-format off */
	{"To:a.test REJECT\na.test OK\n", DOMAIN, "a.test", "", "REJECT"},
	{"a.test OK\n", DOMAIN, "A.Test", "", "OK"},
	{"TO:A.TEST x\n", DOMAIN, "a.test", "", "x"},
	{"a.test x\n", DOMAIN, "b.c.a.test", "", "x"},
	{"a.test x\nb.a.test y\n", DOMAIN, "c.b.a.test", "", "y"},
	{"To:a.test x\nb.a.test y\n", DOMAIN, "b.a.test", "", "y"},
	{"a.test x\n", DOMAIN, "aa.test", "", NULL},
	{"a.test x\nb.a.test SKIP\n", DOMAIN, "c.b.a.test", "", NULL},
	{"From:a.test x\n", DOMAIN, "a.test", "", NULL},
	{".a.test x\n", DOMAIN, "b.a.test", "", NULL},
	{"[192.0.2] x\n", DOMAIN, "[192.0.2.7]", "", "x"},
	{"192.0.2 x\n", DOMAIN, "[192.0.2.7]", "", NULL},
	{"[IPv6:2001:db8] x\n", DOMAIN, "[IPv6:2001:db8:0:0:0:0:0:1]", "", "x"},
	{"192.0.2 x\n", ADDRESS, "192.0.2.7", "", "x"},
	{"192.0.2.7 y\n192.0.2 x\n", ADDRESS, "192.0.2.7", "", "y"},
	{"192.0.2.70 y\n", ADDRESS, "192.0.2.7", "", NULL},
	{"192.0.2. y\n", ADDRESS, "192.0.2.7", "", NULL},
	{"192.0.2. y\n192.0.2.0/24 z\n", ADDRESS, "192.0.2.7", "", "z"},
	{"192.0.2.0/25 y\n192.0.2 z\n", ADDRESS, "192.0.2.7", "", "y"},
	{"192.0.2.0/25 y\n192.0.2 z\n", ADDRESS, "192.0.2.200", "", "z"},
	{"192.0.2.0/23 y\n192.0.2 z\n", ADDRESS, "192.0.2.200", "", "z"},
	{"192.0.2.0/23 y\n192.0.2 z\n", ADDRESS, "192.0.3.200", "", "y"},
	{"192.0.2.7 x\n192.0.2.6/31 y\n", ADDRESS, "192.0.2.7", "", "x"},
	{"192.0.2.7 x\n192.0.2.6/31 y\n", ADDRESS, "192.0.2.6", "", "y"},
	{"To:192.0.2.0/26 x\n192.0.2.0/25 y\n", ADDRESS, "192.0.2.7", "", "x"},
	{"To:192.0.2.0/25 x\n192.0.2.0/26 y\n", ADDRESS, "192.0.2.7", "", "y"},
	{"192.0.2.0/25 y\nTo:192.0.2.0/25 x\n", ADDRESS, "192.0.2.7", "", "x"},
	{"192.0.2 y\nTo:192.0.2.0/24 x\n", ADDRESS, "192.0.2.7", "", "x"},
	{"From:192.0.2.0/25 y\n", ADDRESS, "192.0.2.7", "", NULL},
	{"192.0.2.0/25 SKIP\n192.0.2 y\n", ADDRESS, "192.0.2.7", "", NULL},
	{"0.0.0.0/0 y\n", ADDRESS, "192.0.2.7", "", "y"},
	{"0.0.0.0/0 y\n", ADDRESS, "IPv6:2001:db8:0:0:0:0:0:1", "", NULL},
	{"::/0 y\n", ADDRESS, "IPv6:2001:db8:0:0:0:0:0:1", "", "y"},
	{"2001:db8::/32 y\n", ADDRESS, "IPv6:2001:db8:0:0:0:0:0:1", "", "y"},
	{"2001:db8::/33 y\nIPv6:2001:db8 z\n", ADDRESS, "IPv6:2001:db8:0:0:0:0:0:1", "", "y"},
	{"2001:db8::/33 y\nIPv6:2001:db8 z\n", ADDRESS, "IPv6:2001:db8:8000:0:0:0:0:1", "", "z"},
	{"2001:DB8:0::0/127 y\n", ADDRESS, "IPv6:2001:db8:0:0:0:0:0:1", "", "y"},
	{"10 x\n", ADDRESS, "10.1.2.3", "", "x"},
	{"IPv6:2001:db8 x\n", ADDRESS, "IPv6:2001:db8:0:0:0:0:0:1", "", "x"},
	{"192.0.2 SKIP\n192 x\n", ADDRESS, "192.0.2.7", "", NULL},
	{"u@a.test x\n", FULL, "u", "a.test", "x"},
	{"u@a.test x\n", FULL, "u", "b.a.test", NULL},
	{"u+d@a.test y\nu+*@a.test x\nu@a.test z\n", FULL, "u+d", "a.test", "y"},
	{"u+*@a.test x\nu@a.test z\n", FULL, "u+d", "a.test", "x"},
	{"u+*@a.test x\n", FULL, "u+", "a.test", "x"},
	{"u+*@a.test x\nu@a.test z\n", FULL, "u", "a.test", "z"},
	{"u@a.test z\n", FULL, "u+d", "a.test", "z"},
	{"u@ x\n", USER, "u", "", "x"},
	{"u@ x\n", USER, "u+d", "", "x"},
	{"u+*@ y\nu@ x\n", USER, "u+d", "", "y"},
	{"u x\n", USER, "u", "", NULL},
	{"a.test x\n", EXACT, "b.a.test", "", NULL},
	/* clang-format on */
};

static struct access_value
look(const struct access_query *q, int i)
{
	slice a = slice_from_cstr(lookups[i].a);
	slice b = slice_from_cstr(lookups[i].b);

	switch (lookups[i].how) {
	case DOMAIN:
		return access_find_domain(q, a);
	case ADDRESS:
		return access_find_address(q, a);
	case FULL:
		return access_find_full(q, a, b);
	case USER:
		return access_find_user(q, a);
	case EXACT:
		break;
	}
	return access_find_exact(q, a);
}

START_TEST(test_lookup)
{
	struct fixture f;
	struct access_query q = {.tag = ACCESS_TO};
	struct access_value value;

	fixture_init(&f);
	fixture_access(&f, lookups[_i].map);
	q.d = &f.decision;
	value = look(&q, _i);
	if (lookups[_i].answer == NULL) {
		ck_assert_msg(value.kind == ACCESS_NONE, "%s in %s: found",
		    lookups[_i].a, lookups[_i].map);
	} else {
		ck_assert_msg(value.kind != ACCESS_NONE &&
			slice_eq(value.text,
			    slice_from_cstr(lookups[_i].answer)),
		    "%s in %s: not %s", lookups[_i].a, lookups[_i].map,
		    lookups[_i].answer);
	}
	fixture_done(&f);
}
END_TEST

START_TEST(test_tag_only_skips_untagged)
{
	struct fixture f;
	struct access_query q = {.tag = ACCESS_SPAM, .tag_only = true};

	fixture_init(&f);
	fixture_access(&f, "a.test FRIEND\nSpam:b.test HATER\n");
	q.d = &f.decision;
	ck_assert_int_eq(
	    access_find_domain(&q, SLICE("a.test")).kind, ACCESS_NONE);
	ck_assert_int_eq(
	    access_find_domain(&q, SLICE("x.b.test")).kind, ACCESS_HATER);
	fixture_done(&f);
}
END_TEST

START_TEST(test_lookupdotdomain)
{
	struct fixture f;
	struct access_query q = {.tag = ACCESS_TO};

	fixture_init(&f);
	f.policy.lookupdotdomain = true;
	fixture_access(&f, ".a.test x\n");
	q.d = &f.decision;
	ck_assert_int_eq(
	    access_find_domain(&q, SLICE("b.a.test")).kind, ACCESS_TEXT);
	ck_assert_int_eq(
	    access_find_domain(&q, SLICE("a.test")).kind, ACCESS_NONE);
	fixture_done(&f);
}
END_TEST

START_TEST(test_no_map_and_long_keys)
{
	static char name[5000];
	struct fixture f;
	struct access_query q = {.tag = ACCESS_TO};

	fixture_init(&f);
	q.d = &f.decision;
	ck_assert_int_eq(
	    access_find_domain(&q, SLICE("a.test")).kind, ACCESS_NONE);
	memset(name, 'a', sizeof(name));
	fixture_access(&f, "a.test x\n");
	ck_assert_int_eq(access_find_domain(&q,
	    (slice){name, sizeof(name)}).kind, ACCESS_NONE);
	fixture_done(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("access");
	TCase *tcase = tcase_create("access");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(
	    tcase, test_value, 0, sizeof(values) / sizeof(*values));
	tcase_add_loop_test(
	    tcase, test_lookup, 0, sizeof(lookups) / sizeof(*lookups));
	tcase_add_test(tcase, test_tag_only_skips_untagged);
	tcase_add_test(tcase, test_lookupdotdomain);
	tcase_add_test(tcase, test_no_map_and_long_keys);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
