/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kept of a message, and the bounds of it (milterd.conf(5),
 * max_recipients, max_header_lines, max_header_bytes, max_reply_length).
 */
#include "milter/apply.h"
#include "milter/intake.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct limits limits = {
    .recipients = 2, .header_lines = 3, .header_bytes = 40};
static const struct policy rewriting = {.masquerade_as = SLICE_INIT("m.test")};
static const struct policy plain = {.max_hops = 25};

START_TEST(test_keeps_nothing_without_rewriting)
{
	struct arena *arena = arena_new(0);
	struct intake intake;

	intake_begin(&intake, arena, &plain, &limits, NULL);
	for (int i = 0; i < 10; i++) {
		ck_assert(intake_add_recipient(&intake, SLICE("<a@b>"), NULL));
		intake_add_header(&intake, SLICE("From"), SLICE("a@b.test"));
	}
	ck_assert_uint_eq(intake.recipient_count, 0);
	ck_assert_uint_eq(intake.field_count, 0);
	ck_assert(!intake.has_too_many_fields);
	arena_free(arena);
}
END_TEST

START_TEST(test_recipients)
{
	static char notify[] = "NOTIFY=NEVER";
	static char orcpt[] = "ORCPT=rfc822;x";
	char *parameters[] = {notify, orcpt, NULL};
	struct arena *arena = arena_new(0);
	struct intake intake;
	struct message_input input;

	intake_begin(&intake, arena, &rewriting, &limits, NULL);
	ck_assert(intake_add_recipient(&intake, SLICE("<a@b>"), parameters));
	ck_assert(intake_add_recipient(&intake, SLICE("<c@d>"), NULL));
	ck_assert(!intake_add_recipient(&intake, SLICE("<e@f>"), NULL));
	ck_assert(intake.has_too_many_recipients);
	ck_assert(slice_eq(intake_parameters_of(&intake, SLICE("<a@b>")),
	    SLICE("NOTIFY=NEVER ORCPT=rfc822;x")));
	ck_assert_uint_eq(
	    intake_parameters_of(&intake, SLICE("<c@d>")).len, 0);
	input = intake_input(&intake, arena, SLICE("<s@t>"));
	ck_assert_uint_eq(input.recipient_count, 2);
	ck_assert(slice_eq(input.recipients[1], SLICE("<c@d>")));
	arena_free(arena);
}
END_TEST

/* 64 kB and 256 bytes for each of the two: as milterd.conf(5) says. */
START_TEST(test_recipient_bytes)
{
	static char parameter[64 * 1024 + 2 * 256 - 10];
	char *parameters[] = {parameter, NULL};
	struct arena *arena = arena_new(0);
	struct intake intake;

	memset(parameter, 'x', sizeof(parameter) - 1);
	intake_begin(&intake, arena, &rewriting, &limits, NULL);
	ck_assert(intake_add_recipient(&intake, SLICE("<a@b>"), parameters));
	ck_assert(intake_add_recipient(&intake, SLICE("<c@d>"), NULL));
	intake_begin(&intake, arena, &rewriting, &limits, NULL);
	ck_assert(intake_add_recipient(&intake, SLICE("<a@b>"), parameters));
	ck_assert(!intake_add_recipient(&intake, SLICE("<cc@d>"), NULL));
	ck_assert(intake.has_too_many_recipients);
	ck_assert_uint_eq(intake.recipient_count, 1);
	arena_free(arena);
}
END_TEST

START_TEST(test_header_indexes)
{
	struct arena *arena = arena_new(0);
	struct intake intake;

	intake_begin(&intake, arena, &rewriting, &limits, NULL);
	intake_add_header(&intake, SLICE("From"), SLICE("a"));
	intake_add_header(&intake, SLICE("Subject"), SLICE("a@b.test"));
	intake_add_header(&intake, SLICE("To"), SLICE("b"));
	intake_add_header(&intake, SLICE("FROM"), SLICE("c"));
	ck_assert_uint_eq(intake.field_count, 3);
	ck_assert_uint_eq(intake.fields[0].index, 1);
	ck_assert_uint_eq(intake.fields[1].index, 1);
	ck_assert_uint_eq(intake.fields[2].index, 2);
	ck_assert(!intake.has_too_many_fields);
	intake_add_header(&intake, SLICE("Cc"), SLICE("d"));
	ck_assert(intake.has_too_many_fields);
	ck_assert_uint_eq(intake.field_count, 3);
	arena_free(arena);
}
END_TEST

START_TEST(test_header_bytes)
{
	struct arena *arena = arena_new(0);
	struct intake intake;
	struct verdict verdict;

	intake_begin(&intake, arena, &rewriting, &limits, NULL);
	intake_add_header(
	    &intake, SLICE("To"), SLICE("0123456789012345678901234567890123456789"));
	ck_assert(!intake.has_too_many_fields);
	intake_add_header(&intake, SLICE("To"), SLICE("x"));
	ck_assert(intake.has_too_many_fields);
	verdict = intake_too_large(&intake, arena);
	ck_assert_int_eq(verdict.code, 552);
	ck_assert(slice_eq(verdict.text, SLICE("Headers too large (40 max)")));
	arena_free(arena);
}
END_TEST

START_TEST(test_reply_text)
{
	struct arena *arena = arena_new(0);

	ck_assert(slice_eq(apply_clean_text(arena, SLICE("a\r\nb\xc3 100%"), 960),
	    SLICE("a??b? 100%%")));
	ck_assert(slice_eq(
	    apply_clean_text(arena, SLICE("0123456789"), 4), SLICE("0123")));
	arena_free(arena);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("intake");
	TCase *tcase = tcase_create("intake");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_keeps_nothing_without_rewriting);
	tcase_add_test(tcase, test_recipients);
	tcase_add_test(tcase, test_recipient_bytes);
	tcase_add_test(tcase, test_header_indexes);
	tcase_add_test(tcase, test_header_bytes);
	tcase_add_test(tcase, test_reply_text);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
