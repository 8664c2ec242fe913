/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rewriting as cf/README documents it ("MASQUERADING AND RELAYING",
 * FEATURE(genericstable), FEATURE(domaintable)); tests/parity holds the same
 * functions against the real sendmail's /try for thousands of addresses.
 */
#include "policy/message.h"
#include "policy/rewrite.h"
#include "tests/unit/policy_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { HS = REWRITE_HEADER_SENDER, HR = REWRITE_HEADER_RECIPIENT,
	ES = REWRITE_ENVELOPE_SENDER, ER = REWRITE_ENVELOPE_RECIPIENT };

static void
expect(struct fixture *f, int role, const char *address, const char *expected)
{
	struct rewrite how = {.role = (enum rewrite_role)role};
	bool failed;
	slice new = rewrite_address(
	    &f->decision, &how, slice_from_cstr(address), &failed);

	ck_assert(!failed);
	ck_assert_msg(slice_eq(new, slice_from_cstr(expected)),
	    "%s: " SLICE_FMT ", not %s", address, SLICE_ARG(new), expected);
}

START_TEST(test_nothing_configured)
{
	struct fixture f;

	fixture_init(&f);
	expect(&f, HS, "joe@good.test", "joe@good.test");
	expect(&f, HS, "joe", "joe@mx.home.test");
	expect(&f, HS, "joe@localhost", "joe@mx.home.test");
	expect(&f, HR, "Joe@NX.test", "Joe@NX.test");
	expect(&f, HS, "", "");
	expect(&f, ER, "joe", "joe@mx.home.test");
	fixture_done(&f);
}
END_TEST

START_TEST(test_masquerade)
{
	static const char *const masqueraded[] = {"abc.test", NULL};
	static const char *const exceptions[] = {"host.abc.test", NULL};
	static const char *const exposed[] = {"root", NULL};
	struct fixture f;

	fixture_init(&f);
	f.policy.masquerade_as = SLICE("masq.test");
	expect(&f, HS, "joe", "joe@masq.test");
	expect(&f, HS, "Joe@mx.home.test", "Joe@masq.test");
	expect(&f, HS, "joe@other.test", "joe@other.test");
	expect(&f, HR, "joe", "joe@mx.home.test");
	expect(&f, ES, "joe@mx.home.test", "joe@mx.home.test");
	f.policy.masquerade_domain =
	    fixture_class(&f, "masquerade_domain", masqueraded);
	f.policy.masquerade_exception =
	    fixture_class(&f, "masquerade_exception", exceptions);
	f.policy.exposed_user = fixture_class(&f, "exposed_user", exposed);
	expect(&f, HS, "joe@abc.test", "joe@masq.test");
	expect(&f, HS, "joe@sub.abc.test", "joe@sub.abc.test");
	expect(&f, HS, "root", "root@mx.home.test");
	expect(&f, HS, "root@abc.test", "root@abc.test");
	expect(&f, HS, "root+x@abc.test", "root+x@masq.test");
	f.policy.masquerade_entire_domain = true;
	expect(&f, HS, "joe@sub.abc.test", "joe@masq.test");
	expect(&f, HS, "joe@host.abc.test", "joe@host.abc.test");
	expect(&f, HS, "joe@a.host.abc.test", "joe@a.host.abc.test");
	f.policy.limited_masquerade = true;
	expect(&f, HS, "joe@mx.home.test", "joe@mx.home.test");
	expect(&f, HS, "joe@abc.test", "joe@masq.test");
	f.policy.masquerade_envelope = true;
	expect(&f, ES, "joe@abc.test", "joe@masq.test");
	expect(&f, ER, "joe@abc.test", "joe@abc.test");
	expect(&f, HR, "joe@abc.test", "joe@abc.test");
	f.policy.allmasquerade = true;
	expect(&f, HR, "joe@abc.test", "joe@masq.test");
	fixture_done(&f);
}
END_TEST

START_TEST(test_generics)
{
	static const char *const domains[] = {"abc.test", NULL};
	struct fixture f;

	fixture_init(&f);
	f.policy.genericstable = fixture_map(&f, "genericstable",
	    "joe\tjoe.doe@public.test\n"
	    "ann@abc.test\tann.x@public.test\n"
	    "bob+*@abc.test\tbob-%1@public.test\n"
	    "carl\tcarl.unqualified\n"
	    "@abc.test\t%1@catchall.test\n");
	f.policy.generics_domain =
	    fixture_class(&f, "generics_domain", domains);
	f.policy.masquerade_as = SLICE("masq.test");
	expect(&f, HS, "joe", "joe.doe@public.test");
	expect(&f, HS, "joe@mx.home.test", "joe@masq.test");
	expect(&f, HS, "ann@abc.test", "ann.x@public.test");
	expect(&f, HS, "bob+home@abc.test", "bob-home@public.test");
	expect(&f, HS, "carl", "carl.unqualified@masq.test");
	/* "@domain" comes before "user". */
	expect(&f, HS, "joe@abc.test", "joe@catchall.test");
	expect(&f, HS, "joe@sub.abc.test", "joe@sub.abc.test");
	f.policy.generics_entire_domain = true;
	expect(&f, HS, "joe@sub.abc.test", "joe.doe@public.test");
	expect(&f, HR, "joe", "joe@mx.home.test");
	fixture_done(&f);
}
END_TEST

START_TEST(test_domaintable)
{
	struct fixture f;

	fixture_init(&f);
	f.policy.domaintable =
	    fixture_map(&f, "domaintable", "abd.test abc.test\n");
	for (int role = 0; role < 4; role++) {
		expect(&f, role, "joe@abd.test", "joe@abc.test");
		expect(&f, role, "joe@sub.abd.test", "joe@sub.abd.test");
	}
	fixture_done(&f);
}
END_TEST

/* A field keeps every byte but the address. */
START_TEST(test_message)
{
	static const slice recipients[] = {SLICE_INIT("<x@y.test>")};
	static const struct header_field fields[] = {
	    {SLICE_INIT("From"),
		SLICE_INIT("\"Doe, Joe\"  <joe@mx.home.test>\n\t(me)"), 1},
	    {SLICE_INIT("From"), SLICE_INIT("a@b.test"), 2},
	    {SLICE_INIT("Reply-To"), SLICE_INIT("joe@mx.home.test, ann,\n"
						"  b@c.test"), 1},
	    {SLICE_INIT("To"), SLICE_INIT("joe@mx.home.test"), 1},
	    {SLICE_INIT("Sender"), SLICE_INIT("Joe <joe@mx.home.test"), 1},
	    {SLICE_INIT("X-From"), SLICE_INIT("joe@mx.home.test"), 1},
	};
	struct fixture f;
	struct message_input input = {.sender = SLICE("<joe@mx.home.test>"),
	    .recipients = recipients, .recipient_count = 1,
	    .fields = fields, .field_count = 6};
	struct message_result result;
	struct edit *e;

	fixture_init(&f);
	f.policy.masquerade_as = SLICE("masq.test");
	f.policy.masquerade_envelope = true;
	result = rewrite_message(&f.decision, &input);
	ck_assert_int_eq(result.verdict.kind, VERDICT_CONTINUE);
	e = result.edits.first;
	ck_assert_int_eq(e->kind, EDIT_SENDER);
	ck_assert(slice_eq(e->text, SLICE("<joe@masq.test>")));
	e = e->next;
	ck_assert_int_eq(e->kind, EDIT_CHANGE_HEADER);
	ck_assert(slice_eq(
	    e->text, SLICE("\"Doe, Joe\"  <joe@masq.test>\n\t(me)")));
	e = e->next;
	ck_assert(slice_eq(e->name, SLICE("Reply-To")));
	ck_assert(slice_eq(
	    e->text, SLICE("joe@masq.test, ann@masq.test,\n  b@c.test")));
	ck_assert_ptr_null(e->next);
	ck_assert_ptr_nonnull(result.problems);
	ck_assert(slice_eq(result.problems->name, SLICE("Sender")));
	ck_assert_ptr_null(result.problems->next);
	fixture_done(&f);
}
END_TEST

/* "joe: joe, ann", once as typed and once by another name. */
START_TEST(test_on_his_own_list)
{
	const slice typed[] = {
	    SLICE("<\"joe\"@localhost>"), SLICE("<all>")};
	const struct message_input input = {.sender = SLICE("<>"),
	    .recipients = typed,
	    .recipient_count = 2};
	struct message_result result;
	const struct edit *e;
	struct fixture f;

	fixture_init(&f);
	f.policy.aliases =
	    fixture_map(&f, "aliases", "joe joe, ann\nall joe\n");
	result = rewrite_message(&f.decision, &input);
	e = result.edits.first;
	ck_assert_int_eq(e->kind, EDIT_ADD_RECIPIENT);
	ck_assert(slice_eq(e->text, SLICE("<ann>")));
	e = e->next;
	ck_assert_int_eq(e->kind, EDIT_ADD_RECIPIENT);
	ck_assert(slice_eq(e->text, SLICE("<joe>")));
	e = e->next;
	ck_assert_int_eq(e->kind, EDIT_ADD_RECIPIENT);
	ck_assert(slice_eq(e->text, SLICE("<ann>")));
	e = e->next;
	ck_assert_int_eq(e->kind, EDIT_DROP_RECIPIENT);
	ck_assert(slice_eq(e->text, SLICE("<all>")));
	ck_assert_ptr_null(e->next);
	fixture_done(&f);
}
END_TEST

/* `unit` as often as it fits, between the two others. */
static slice
long_value(char *buffer, size_t size, const char *first, const char *unit,
    const char *last)
{
	size_t len = strlen(unit);
	char *at = stpcpy(buffer, first);

	while ((size_t)(at - buffer) + len + strlen(last) < size)
		at = stpcpy(at, unit);
	return (slice){buffer, (size_t)(stpcpy(at, last) - buffer)};
}

/* A field may have 100 KB in Postfix, and there may be several. */
START_TEST(test_long_fields_cost_little)
{
	enum { SIZE = 100 * 1024 };
	static char many[SIZE];
	static char deep[SIZE];
	const struct header_field fields[] = {
	    {SLICE("To"), long_value(many, SIZE, "", "a,", "a"), 1},
	    {SLICE("From"), long_value(deep, SIZE, "u@", "a.", "b"), 1},
	};
	const struct message_input input = {
	    .sender = SLICE("<>"), .fields = fields, .field_count = 2};
	struct message_result result;
	struct fixture f;

	fixture_init(&f);
	f.policy.nocanonify = true;
	f.policy.masquerade_as = SLICE("masq.test");
	f.policy.masquerade_entire_domain = true;
	f.policy.masquerade_domain = fixture_class(
	    &f, "masquerade_domain", (const char *[]){"a.test", NULL});
	f.policy.masquerade_exception = f.policy.masquerade_domain;
	result = rewrite_message(&f.decision, &input);
	ck_assert_int_eq(result.verdict.kind, VERDICT_CONTINUE);
	ck_assert_uint_eq(result.edits.count, 1);
	ck_assert_uint_lt(arena_size(f.arena), 8 * 1024 * 1024);
	fixture_done(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rewrite");
	TCase *tcase = tcase_create("rewrite");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_nothing_configured);
	tcase_add_test(tcase, test_masquerade);
	tcase_add_test(tcase, test_generics);
	tcase_add_test(tcase, test_domaintable);
	tcase_add_test(tcase, test_message);
	tcase_add_test(tcase, test_on_his_own_list);
	tcase_add_test(tcase, test_long_fields_cost_little);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
