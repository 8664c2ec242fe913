/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/strbuf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;
static struct strbuf buf;

static void
make_buffer(void)
{
	arena = arena_new(0);
	strbuf_init(&buf, arena);
}

static void
free_buffer(void)
{
	arena_free(arena);
}

START_TEST(empty)
{
	ck_assert_uint_eq(strbuf_slice(&buf).len, 0);
	strbuf_add(&buf, SLICE(""));
	strbuf_add(&buf, (slice){NULL, 0});
	ck_assert_uint_eq(strbuf_slice(&buf).len, 0);
	ck_assert_str_eq(buf.data, "");
}
END_TEST

/* Every length around the sizes at which it grows, one byte at a time. */
START_TEST(grows_by_bytes)
{
	for (size_t i = 0; i < 1000; i++) {
		ck_assert_uint_eq(strbuf_slice(&buf).len, i);
		strbuf_add_char(&buf, (char)('a' + i % 26));
		ck_assert_uint_eq(strlen(buf.data), i + 1);
	}
	for (size_t i = 0; i < 1000; i++)
		ck_assert_int_eq(buf.data[i], (char)('a' + i % 26));
}
END_TEST

/* A piece of length _i, added and printed, behind another. */
START_TEST(grows_by_pieces)
{
	char piece[201];
	size_t len = (size_t)_i;

	memset(piece, 'p', len);
	piece[len] = '\0';
	strbuf_add(&buf, SLICE("head:"));
	strbuf_add(&buf, (slice){piece, len});
	ck_assert_uint_eq(strlen(buf.data), 5 + len);
	strbuf_printf(&buf, "%s:%d", piece, 7);
	ck_assert_uint_eq(strbuf_slice(&buf).len, 5 + 2 * len + 2);
	ck_assert_uint_eq(strlen(buf.data), 5 + 2 * len + 2);
	ck_assert_int_eq(memcmp(buf.data, "head:", 5), 0);
	ck_assert_uint_eq(strspn(buf.data + 5, "p"), 2 * len);
	ck_assert_str_eq(buf.data + 5 + 2 * len, ":7");
}
END_TEST

/* What is allocated next to it must not run into its NUL. */
START_TEST(nul_has_its_place)
{
	char piece[200];

	memset(piece, 'p', sizeof(piece));
	strbuf_add(&buf, (slice){piece, (size_t)_i});
	memset(arena_alloc(arena, 16), 'x', 16);
	ck_assert_uint_eq(strlen(buf.data), (size_t)_i);
}
END_TEST

START_TEST(keeps_nul_bytes)
{
	strbuf_add(&buf, SLICE("a\0b"));
	strbuf_add_char(&buf, '\0');
	strbuf_add(&buf, SLICE("c"));
	ck_assert(slice_eq(strbuf_slice(&buf), SLICE("a\0b\0c")));
}
END_TEST

START_TEST(prints_nothing)
{
	strbuf_printf(&buf, "%s", "");
	ck_assert_uint_eq(strbuf_slice(&buf).len, 0);
	strbuf_add(&buf, SLICE("x"));
	strbuf_printf(&buf, "%s", "");
	ck_assert_str_eq(buf.data, "x");
}
END_TEST

START_TEST(clears)
{
	strbuf_clear(&buf);
	strbuf_add(&buf, SLICE("old"));
	strbuf_clear(&buf);
	ck_assert_uint_eq(strbuf_slice(&buf).len, 0);
	ck_assert_str_eq(buf.data, "");
	strbuf_add(&buf, SLICE("new"));
	ck_assert_str_eq(buf.data, "new");
}
END_TEST

/* What was borrowed before stays readable: the arena keeps the old copy. */
START_TEST(borrowed_text_survives_growth)
{
	slice before;

	strbuf_add(&buf, SLICE("before"));
	before = strbuf_slice(&buf);
	for (int i = 0; i < 1000; i++)
		strbuf_add(&buf, SLICE("more"));
	ck_assert(slice_eq(before, SLICE("before")));
	ck_assert_uint_eq(strbuf_slice(&buf).len, 4006);
}
END_TEST

static Suite *
strbuf_suite(void)
{
	Suite *suite = suite_create("strbuf");
	TCase *tcase = tcase_create("strbuf");

	tcase_add_checked_fixture(tcase, make_buffer, free_buffer);
	tcase_add_test(tcase, empty);
	tcase_add_test(tcase, grows_by_bytes);
	tcase_add_loop_test(tcase, grows_by_pieces, 0, 200);
	tcase_add_loop_test(tcase, nul_has_its_place, 1, 200);
	tcase_add_test(tcase, keeps_nul_bytes);
	tcase_add_test(tcase, prints_nothing);
	tcase_add_test(tcase, clears);
	tcase_add_test(tcase, borrowed_text_survives_growth);
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(strbuf_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
