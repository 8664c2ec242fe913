/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/regex.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static struct regex *
compiled(slice pattern, unsigned flags)
{
	struct regex_error error;
	struct regex *regex = regex_compile(pattern, flags, &error);

	ck_assert_msg(
	    regex != NULL, "%.*s: %s", SLICE_ARG(pattern), error.text);
	return regex;
}

static enum regex_result
match(const struct regex *regex, const struct regex_subject *subject,
    slice *groups, size_t room)
{
	struct regex_match found = {.groups = groups, .room = room};

	return regex_match(regex, subject, &found);
}

/* What perlre(1) and pcre2pattern(3) say. */
static const struct {
	const char *pattern;
	unsigned flags;
	const char *text;
	const char *whole; /* NULL: no match */
} questions[] = {
    {"b+", 0, "abbc", "bb"},
    {"B+", 0, "abbc", NULL},
    {"B+", REGEX_CASELESS, "abbc", "bb"},
    {"^b", 0, "a\nb", NULL},
    {"^b", REGEX_MULTILINE, "a\nb", "b"},
    {"a.b", 0, "a\nb", NULL},
    {"a.b", REGEX_DOTALL, "a\nb", "a\nb"},
    {"a b # end", REGEX_EXTENDED, "ab", "ab"},
    {"b", REGEX_ANCHORED, "ab", NULL},
    {"a", REGEX_ANCHORED, "ab", "a"},
    {"a+", REGEX_UNGREEDY, "aaa", "a"},
    {"a$", 0, "a\n", "a"},
    {"a$", REGEX_DOLLAR_END, "a\n", NULL},
    {"\xc3\x84", REGEX_CASELESS, "\xc3\xa4", NULL},
    {"\xc3\x84", REGEX_CASELESS | REGEX_UTF, "\xc3\xa4", "\xc3\xa4"},
    {"b", REGEX_UTF,
	"\xff\x80"
	"b",
	"b"},
    {"\xff", 0, "a\xff", "\xff"},
    {"", 0, "", ""},
    {"a*", 0, "b", ""},
};

/* As machine code, or interpreted. */
static struct regex *
compiled_with(bool jit, const char *pattern, unsigned flags)
{
	char text[1000];

	(void)snprintf(
	    text, sizeof(text), "%s%s", jit ? "" : "(*NO_JIT)", pattern);
	return compiled(slice_from_cstr(text), flags);
}

START_TEST(answers)
{
	const char *expected = questions[_i].whole;

	for (unsigned jit = 0; jit < 2; jit++) {
		struct regex *regex = compiled_with(
		    jit != 0, questions[_i].pattern, questions[_i].flags);
		struct regex_subject subject = {
		    .text = slice_from_cstr(questions[_i].text)};
		slice whole = {NULL, 0};

		ck_assert_int_eq(match(regex, &subject, &whole, 1),
		    expected == NULL ? REGEX_NO_MATCH : REGEX_MATCH);
		ck_assert(expected == NULL ||
			  slice_eq(whole, slice_from_cstr(expected)));
		regex_free(regex);
	}
}
END_TEST

static const struct {
	const char *pattern;
	const char *text;
	size_t offset;
} broken[] = {
    {"a(b", "missing closing parenthesis", 3},
    {"a)b", "unmatched closing parenthesis", 1},
    {"[a", "missing terminating ] for character class", 2},
    {"*a", "quantifier does not follow a repeatable item", 0},
    {"a{2,1}", "numbers out of order in {} quantifier", 5},
};

START_TEST(errors_have_text_and_offset)
{
	struct regex_error error = {.offset = 999};

	ck_assert_ptr_null(
	    regex_compile(slice_from_cstr(broken[_i].pattern), 0, &error));
	ck_assert_str_eq(error.text, broken[_i].text);
	ck_assert_uint_eq(error.offset, broken[_i].offset);
}
END_TEST

START_TEST(too_long_a_pattern_is_refused)
{
	struct regex_error error;
	char *text = malloc(REGEX_PATTERN_MAX + 1);

	memset(text, 'a', REGEX_PATTERN_MAX + 1);
	ck_assert_ptr_null(
	    regex_compile((slice){text, REGEX_PATTERN_MAX + 1}, 0, &error));
	free(text);
}
END_TEST

START_TEST(groups_are_slices_of_the_text)
{
	struct regex *regex = compiled(SLICE("(a)|(b)(c)?|(d)"), 0);
	struct regex_subject subject = {.text = SLICE("xbx")};
	slice groups[6];

	ck_assert_uint_eq(regex_groups(regex), 4);
	ck_assert_int_eq(match(regex, &subject, groups, 6), REGEX_MATCH);
	ck_assert_ptr_eq(groups[0].ptr, subject.text.ptr + 1);
	ck_assert_ptr_null(groups[1].ptr);
	ck_assert_ptr_eq(groups[2].ptr, subject.text.ptr + 1);
	ck_assert_uint_eq(groups[2].len, 1);
	ck_assert_ptr_null(groups[3].ptr);
	ck_assert_ptr_null(groups[4].ptr);
	ck_assert_ptr_null(groups[5].ptr);
	ck_assert_int_eq(match(regex, &subject, NULL, 0), REGEX_MATCH);
	regex_free(regex);
}
END_TEST

START_TEST(an_offset_sees_what_is_before_it)
{
	struct regex *regex = compiled(SLICE("^a|(?<=b)c"), 0);
	struct regex_subject subject = {.text = SLICE("abac"), .from = 1};
	slice whole;

	ck_assert_int_eq(match(regex, &subject, &whole, 1), REGEX_NO_MATCH);
	subject.text = SLICE("abc");
	subject.from = 2;
	ck_assert_int_eq(match(regex, &subject, &whole, 1), REGEX_MATCH);
	ck_assert_ptr_eq(whole.ptr, subject.text.ptr + 2);
	subject.from = 1;
	subject.options = REGEX_HERE;
	ck_assert_int_eq(match(regex, &subject, &whole, 1), REGEX_NO_MATCH);
	regex_free(regex);
}
END_TEST

/* Patterns that take time exponential in the length of what they are asked
 * about; each must end at a limit, soon. */
static const char *const evil[] = {
    "^(a+)+$",
    "^(a|a)*$",
    "^(a|aa)+$",
    "^(a*)*[bc]$",
    "^(.*a){20}$",
    "(x+x+)+y|^(a?){40}b",
};

static double
milliseconds(const struct timespec *from)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)(now.tv_sec - from->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

START_TEST(evil_patterns_end_at_a_limit)
{
	char text[65];
	struct regex_subject subject = {.text = {text, 64}};

	memset(text, 'a', 64);
	text[63] = '!';
	for (unsigned jit = 0; jit < 2; jit++) {
		struct regex *regex = compiled_with(jit != 0, evil[_i], 0);
		struct regex_match found = {.limit = NULL};
		struct timespec from;

		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
		ck_assert_int_eq(
		    regex_match(regex, &subject, &found), REGEX_LIMIT);
		ck_assert_ptr_nonnull(found.limit);
		ck_assert_msg(
		    milliseconds(&from) < 100, "%f ms", milliseconds(&from));
		regex_free(regex);
	}
}
END_TEST

/* 32 KB of stack are not enough for this, 512 are; and then they are not. */
START_TEST(a_deep_match_gets_a_larger_stack)
{
	struct regex *regex = compiled(SLICE("^(?:(a|b)c?)+$"), 0);
	char *text = malloc(4 * 1024 * 1024);
	struct regex_subject subject = {.text = {text, 2000}};
	struct regex_match found = {.limit = NULL};

	memset(text, 'a', 4 * 1024 * 1024);
	ck_assert_int_eq(regex_match(regex, &subject, &found), REGEX_MATCH);
	subject.text.len = 4 * 1024 * 1024;
	ck_assert_int_eq(regex_match(regex, &subject, &found), REGEX_LIMIT);
	free(text);
	regex_free(regex);
}
END_TEST

static void *
match_many(void *context)
{
	const struct regex *regex = context;
	struct regex_subject subject = {
	    .text = SLICE("info+sales@example.com")};
	slice groups[3];
	size_t wrong = 0;

	for (unsigned i = 0; i < 2000; i++)
		if (match(regex, &subject, groups, 3) != REGEX_MATCH ||
		    !slice_eq(groups[2], SLICE("sales")))
			wrong++;
	return wrong == 0 ? NULL : context;
}

START_TEST(threads_share_a_pattern)
{
	struct regex *regex = compiled(SLICE("^([^+@]+)\\+([^@]+)@"), 0);
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, match_many, regex), 0);
	for (int i = 0; i < 8; i++) {
		void *problem;

		ck_assert_int_eq(pthread_join(threads[i], &problem), 0);
		ck_assert_ptr_null(problem);
	}
	regex_free(regex);
}
END_TEST

/* In the child that check makes for this test; nothing to see where the
 * system has no such rule. */
START_TEST(without_executable_memory_it_works_all_the_same)
{
	struct regex *regex;
	struct regex_subject subject = {.text = SLICE("xaab")};

	(void)prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
	regex = compiled(SLICE("a+b"), 0);
	ck_assert_int_eq(match(regex, &subject, NULL, 0), REGEX_MATCH);
	ck_assert_uint_gt(regex_bytes(regex), 0);
	regex_free(regex);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("regex");
	TCase *tcase = tcase_create("regex");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, answers, 0, ROWS(questions));
	tcase_add_loop_test(
	    tcase, errors_have_text_and_offset, 0, ROWS(broken));
	tcase_add_test(tcase, too_long_a_pattern_is_refused);
	tcase_add_test(tcase, groups_are_slices_of_the_text);
	tcase_add_test(tcase, an_offset_sees_what_is_before_it);
	tcase_add_loop_test(tcase, evil_patterns_end_at_a_limit, 0, ROWS(evil));
	tcase_add_test(tcase, a_deep_match_gets_a_larger_stack);
	tcase_add_test(tcase, threads_share_a_pattern);
	tcase_add_test(tcase, without_executable_memory_it_works_all_the_same);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
