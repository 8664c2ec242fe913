/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/arena.h"

#include <check.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct arena *arena;

static void
make_arena(void)
{
	arena = arena_new(64);
}

static void
free_arena(void)
{
	arena_free(arena);
}

static const size_t sizes[] = {0, 1, 7, 16, 63, 64, 65, 4096, 3000000};

static bool
is_filled(const char *p, size_t size, char with)
{
	for (size_t i = 0; i < size; i++) {
		if (p[i] != with)
			return false;
	}
	return true;
}

/* Twenty pieces of a size: each aligned, zeroed, and nobody else's. */
START_TEST(pieces_are_apart)
{
	size_t size = sizes[_i];
	char *pieces[20];

	for (int i = 0; i < ROWS(pieces); i++) {
		pieces[i] = arena_alloc(arena, size);
		ck_assert_uint_eq(
		    (uintptr_t)pieces[i] % alignof(max_align_t), 0);
		ck_assert(is_filled(pieces[i], size, 0));
		memset(pieces[i], 'a' + i, size);
	}
	for (int i = 0; i < ROWS(pieces); i++)
		ck_assert(is_filled(pieces[i], size, (char)('a' + i)));
}
END_TEST

START_TEST(memory_is_zeroed_again_after_reset)
{
	char *p = arena_alloc(arena, 60);

	memset(p, 'x', 60);
	arena_reset(arena);
	ck_assert_ptr_eq(arena_alloc(arena, 60), p);
	ck_assert(is_filled(p, 60, 0));
}
END_TEST

START_TEST(reset_gives_blocks_back)
{
	size_t before = arena_size(arena);

	for (int i = 0; i < 100; i++)
		(void)arena_alloc(arena, 1000);
	ck_assert_uint_ge(arena_size(arena), before + 100000);
	arena_reset(arena);
	ck_assert_uint_eq(arena_size(arena), before);
	arena_reset(arena);
	ck_assert_uint_eq(arena_size(arena), before);
}
END_TEST

/* 1000 small pieces cost few allocations, and not much more than they
 * hold. */
START_TEST(blocks_grow)
{
	size_t before = arena_size(arena);
	size_t size = before;
	int blocks = 0;

	for (int i = 0; i < 1000; i++) {
		(void)arena_alloc(arena, 16);
		blocks += arena_size(arena) != size;
		size = arena_size(arena);
	}
	ck_assert_int_le(blocks, 10);
	ck_assert_uint_le(size - before, 3 * 16000);
}
END_TEST

START_TEST(copies_end_with_nul)
{
	char source[] = "Mixed\0Case.\xc4 tail";
	slice whole = {source, 12};
	slice copy = arena_copy(arena, whole);
	slice lower = arena_copy_lower(arena, whole);
	const char *cstr = arena_cstr(arena, whole);

	memset(source, 'z', sizeof(source));
	ck_assert(slice_eq(copy, SLICE("Mixed\0Case.\xc4")));
	ck_assert(slice_eq(lower, SLICE("mixed\0case.\xc4")));
	ck_assert_int_eq(memcmp(cstr, "Mixed\0Case.\xc4", 13), 0);
	ck_assert_int_eq(copy.ptr[12], '\0');
	ck_assert_int_eq(lower.ptr[12], '\0');
}
END_TEST

START_TEST(copies_nothing)
{
	slice none = {NULL, 0};

	ck_assert_str_eq(arena_copy(arena, none).ptr, "");
	ck_assert_str_eq(arena_copy_lower(arena, none).ptr, "");
	ck_assert_str_eq(arena_cstr(arena, none), "");
}
END_TEST

START_TEST(prints)
{
	slice s = arena_printf(arena, "%d " SLICE_FMT, 42, 3, "abcdef");
	slice empty = arena_printf(arena, "%s", "");
	slice wide = arena_printf(arena, "%*d", 5000, 1);

	ck_assert(slice_eq(s, SLICE("42 abc")));
	ck_assert_str_eq(s.ptr, "42 abc");
	ck_assert_uint_eq(empty.len, 0);
	ck_assert_str_eq(empty.ptr, "");
	ck_assert_uint_eq(wide.len, 5000);
	ck_assert_int_eq(wide.ptr[4999], '1');
}
END_TEST

/* Whatever room is left, from more than enough to none at all. */
START_TEST(prints_where_it_just_fits)
{
	for (size_t left = 0; left < 48; left++) {
		struct arena *other = arena_new(64);
		slice s;

		(void)arena_alloc(other, 64 - left / 16 * 16);
		s = arena_printf(other, "%.*s", (int)left,
		    "123456789012345678901234567890123456789012345678");
		ck_assert_uint_eq(s.len, left);
		ck_assert_uint_eq(strlen(s.ptr), left);
		memset(arena_alloc(other, 16), 'z', 16);
		ck_assert_int_eq(strncmp(s.ptr,
		    "123456789012345678901234567890123456789012345678",
		    left), 0);
		arena_free(other);
	}
}
END_TEST

START_TEST(joins)
{
	slice s = arena_join(arena, SLICE("["), SLICE("a\0b"), SLICE("]"));
	slice none = {NULL, 0};

	ck_assert(slice_eq(s, SLICE("[a\0b]")));
	ck_assert_int_eq(s.ptr[s.len], '\0');
	ck_assert_uint_eq(arena_join(arena, none, none, none).len, 0);
}
END_TEST

/* What fits comes from there, the rest from the heap and back to it. */
START_TEST(lives_in_given_memory)
{
	alignas(max_align_t) char room[512];
	struct arena *guest = arena_in(room, sizeof(room));
	char *first = arena_alloc(guest, 100);
	char *second;

	ck_assert(first >= room && first + 100 <= room + sizeof(room));
	ck_assert_uint_eq(arena_size(guest), 0);
	second = arena_alloc(guest, 1000);
	ck_assert(second + 1000 <= room || second >= room + sizeof(room));
	ck_assert_uint_ge(arena_size(guest), 1000);
	arena_reset(guest);
	ck_assert_uint_eq(arena_size(guest), 0);
	ck_assert_ptr_eq(arena_alloc(guest, 100), first);
}
END_TEST

START_TEST(default_block)
{
	struct arena *other = arena_new(0);
	size_t before = arena_size(other);

	ck_assert_uint_ge(before, 4096);
	(void)arena_alloc(other, 4096);
	ck_assert_uint_eq(arena_size(other), before);
	(void)arena_alloc(other, 1);
	ck_assert_uint_gt(arena_size(other), before);
	arena_free(other);
	arena_free(NULL);
}
END_TEST

START_TEST(strings_and_growth_from_the_heap)
{
	char *copy = xstrdup("abc");

	ck_assert_str_eq(copy, "abc");
	copy = xrealloc(copy, 100000);
	ck_assert_str_eq(copy, "abc");
	copy[99999] = 'x';
	free(copy);
}
END_TEST

static void
ask_for_all_memory(int which, int output)
{
	volatile size_t all = PTRDIFF_MAX;

	(void)dup2(output, STDERR_FILENO);
	if (which == 0)
		(void)xmalloc(all);
	else if (which == 1)
		(void)xrealloc(NULL, all);
	else
		(void)arena_alloc(arena_new(0), SIZE_MAX - 8);
	_exit(0);
}

/* Sanitizers have their own word for it, but die they must too. */
START_TEST(dies_with_a_line_when_memory_is_out)
{
	char said[4096] = "";
	size_t len = 0;
	ssize_t n;
	int ends[2];
	int status;
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		ask_for_all_memory(_i, ends[1]);
	(void)close(ends[1]);
	while (len < sizeof(said) - 1 &&
	       (n = read(ends[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	ck_assert_msg(strcmp(said, "milterd: out of memory\n") == 0 ||
			  strstr(said, "Sanitizer") != NULL,
	    "said: %s", said);
}
END_TEST

static Suite *
arena_suite(void)
{
	Suite *suite = suite_create("arena");
	TCase *tcase = tcase_create("arena");

	tcase_add_checked_fixture(tcase, make_arena, free_arena);
	tcase_add_loop_test(tcase, pieces_are_apart, 0, ROWS(sizes));
	tcase_add_test(tcase, memory_is_zeroed_again_after_reset);
	tcase_add_test(tcase, reset_gives_blocks_back);
	tcase_add_test(tcase, blocks_grow);
	tcase_add_test(tcase, copies_end_with_nul);
	tcase_add_test(tcase, copies_nothing);
	tcase_add_test(tcase, prints);
	tcase_add_test(tcase, prints_where_it_just_fits);
	tcase_add_test(tcase, joins);
	tcase_add_test(tcase, lives_in_given_memory);
	tcase_add_test(tcase, default_block);
	tcase_add_test(tcase, strings_and_growth_from_the_heap);
	tcase_add_loop_test(tcase, dies_with_a_line_when_memory_is_out, 0, 3);
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(arena_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
