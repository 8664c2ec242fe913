/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the real procmail 3.22 answered, each line once asked of it (tests/
 * procmail/regex.py asks thousands more); and that patterns and texts made to
 * hurt come to an end.
 */
#include "base/strbuf.h"
#include "policy/recipe_regex.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWNESS 20
#else
#define SLOWNESS 3 /* what other work on the machine makes of it */
#endif

/* `match`: NULL: no match; "=": matched, MATCH not set; else "=" and MATCH. */
struct question {
	const char *pattern;
	const char *text;
	const char *match;
};

static const struct question questions[] = {
    /* clang-format off */
	/* ^ and $ are newlines, anywhere. */
	{"a$b", "a\nb", "="}, {"a^b", "a\nb", "="}, {"$^", "x", NULL},
	{"$^", "\n", "="}, {"x$", "x", "="}, {"^", "", "="}, {"$$", "", "="},
	{"^x$", "x", "="}, {"a.b", "a\nb", NULL}, {"a[^x]b", "a\nb", NULL},
	/* ^^ */
	{"foo>^^", "<foo>\n\n", NULL}, {"foo>$$^^", "<foo>\n\n", "="},
	{"abc$^^", "abc", NULL}, {"abc^^", "abc", "="}, {"^^^abc", "abc", NULL},
	{"^^abc", "abc", "="}, {"^^bc", "abc", NULL}, {"^^", "a", "="},
	{"(x|b^^)", "abc", NULL}, {"(x|c^^)", "abc", "="},
	{"(c^^)*x", "abc", NULL}, {"c^^()", "abc", NULL},
	/* Words; a backslash at the start vanishes. */
	{"\\<foo\\>", "a foo b", NULL}, {"\\<foo\\>", "<foo ", "="},
	{"()\\<foo\\>", "foo", "="}, {"()\\<a\\>\\<b\\>", "a b", NULL},
	{"()\\<a\\>b", "a b", "="}, {"()\\<a\\>", "\xe4" "a\xe4", "="},
	{"()\\<a\\>", "_a_", NULL},
	/* No intervals, no named classes, no letters with a meaning. */
	{"a{2}", "aa", NULL}, {"a{2}", "a{2}", "="}, 
	{"x\\d", "xd", "="}, {"x[[:alpha:]]", "xa]", "="},
	{"x[[:alpha:]]", "xb", NULL}, {"[\\n]", "\\", "="},
	{"[a", "a", "="}, {"[]a]", "]", "="}, {"[a-]", "-", "="},
	{"[z-a]", "a", "="}, {"[z-a]", "b", NULL}, {"[^]-]x", "]x", NULL},
	{"[a-c-e]", "d", "="}, {"x[--/]", "x.", "="},
	/* One operator only, and only behind something. */
	{"ba**c", "baa*c", "="}, {"ba*+c", "ba+c", "="}, {"\\*a", "*a", "="},
	{"(+)b", "+b", "="}, {"(|+)b", "+b", "="}, {"a+*", "a", NULL},
	/* Unbalanced. */
	{"(some", "some", "="}, {"some)", "some", "="},
	{"some)thing", "some", "="}, {"a|", "x", "="}, {"()", "", "="},
	/* Case. */
	{"[A-Z]", "a", "="}, {"[^A-Z]", "a", NULL}, {"ABC", "abc", "="},
	{"\xc4", "\xe4", NULL},
	/* MATCH. */
	{"()\\/a*", "aaa", "="}, {"a\\/b.*", "xabcd\ne", "=bcd"},
	{"^Subject: *(Re: )*\\/.*", "Subject:  Re: x", "=  Re: x"},
	{"^Subject:\\/.*$", "Subject: x\ny", "= x\n"}, {"b\\/c$", "abc", "=c"},
	{"a\\/b\\/c", "abc", "=c"}, {"c$\\/", "abc", "="},
	{"a\\/b|a", "ab", "="}, {"x|b\\/c", "abc", "=c"},
	/* Their fault, and what the manual promises. */
	{"a+\\/a", "aaa", "=a"}, {".+\\/", "ab", "="},
	{"(a\\/|b)", "a", "="},
	/* They do not end with these. */
	{"(a*)*b", "aab", "="}, {"(a*)*b", "aac", NULL},
	{"((a|)+)+\\/c", "aac", "=c"},
	/* Substitutions. */
	{"^TO_dive@", "To: scuba-dive@a", NULL},
	{"^TOdive@", "To: scuba-dive@a", "="}, {"^TO_a@b", "Cc: x, a@b", "="},
	{"^TO_a@b", "Resent-Bcc: <a@b>", "="}, {"^to_a@b", "To: a@b", NULL},
	{"x\\^TO_a", "x^to_a", "="}, 
	{"^FROM_DAEMON", "From: MAILER-DAEMON@a\n", "="},
	{"^FROM_DAEMON", "From: noreply@a\n", NULL},
	{"^FROM_DAEMON", "From: joe@a\n", NULL},
	{"^FROM_MAILER", "From: Postmaster\t(x)\n", "="},
	{"^FROM_MAILER", "From: mdaemon@a\n", NULL},
    /* clang-format on */
};

/* With flag D. */
static const struct question strict_questions[] = {
    {"ABC", "abc", NULL},
    {"[A-Z]", "a", NULL},
    {"^TO_a", "to: a", NULL},
    {"^FROM_DAEMON", "precedence: BULK", "="},
    {"^FROM_MAILER", "From: postmaster\t(x)\n", NULL},
};

struct ask {
	struct arena *arena;
	struct recipe_regex *regex;
	struct recipe_matcher matcher;
};

static void
ask_init(struct ask *ask, slice pattern, bool case_matters, bool once)
{
	struct recipe_regex_options options = {
	    .case_matters = case_matters, .once = once};
	struct error error;

	ask->arena = arena_new(0);
	ask->regex =
	    recipe_regex_compile(ask->arena, pattern, options, NULL, &error);
	ck_assert_msg(ask->regex != NULL, "%s", error.text);
	recipe_matcher_init(&ask->matcher, ask->arena, 0);
}

static void
ask_done(struct ask *ask)
{
	recipe_regex_free(ask->regex);
	arena_free(ask->arena);
}

static void
check_question(const struct question *question, bool case_matters, bool once)
{
	struct ask ask;
	struct recipe_match match = {.has_match = false};
	const char *expected = question->match;
	slice wanted = slice_from_cstr(expected);
	enum recipe_answer answer;
	slice area;

	ask_init(&ask, slice_from_cstr(question->pattern), case_matters, once);
	area = recipe_area_copy(ask.arena, slice_from_cstr(question->text));
	answer = recipe_regex_match(ask.regex, &ask.matcher, area, &match);
	ck_assert_msg(
	    answer == (expected == NULL ? RECIPE_NO_MATCH : RECIPE_MATCHED),
	    "%s in %s", question->pattern, question->text);
	if (expected != NULL)
		ck_assert_msg(slice_eq(match.match, slice_from(wanted, 1)),
		    "%s in %s: MATCH is \"" SLICE_FMT "\"", question->pattern,
		    question->text, SLICE_ARG(match.match));
	ask_done(&ask);
}

START_TEST(test_questions)
{
	check_question(&questions[_i], false, false);
	check_question(&questions[_i], false, true);
}
END_TEST

START_TEST(test_strict_questions)
{
	check_question(&strict_questions[_i], true, false);
	check_question(&strict_questions[_i], true, true);
}
END_TEST

static const struct {
	const char *pattern;
	const char *text;
	unsigned count;
	bool is_endless;
} counts[] = {
    {"^x$", "x\nx\n", 2, false},
    {"^.*$", "x\nx\n", 3, false},
    {"a", "abab", 2, false},
    {"b$?", "abab", 2, false},

    {"a|b|$$", "ab", 3, false},
    {"a\\/b*", "abbab", 2, false},
};

START_TEST(test_counts)
{
	struct ask ask;
	struct recipe_matches matches;
	struct recipe_match match = {.is_empty = false};
	unsigned count = 0;
	enum recipe_answer answer;

	ask_init(&ask, slice_from_cstr(counts[_i].pattern), false, false);
	recipe_matches_init(&matches, ask.regex,
	    recipe_area_copy(ask.arena, slice_from_cstr(counts[_i].text)));
	while ((answer = recipe_matches_next(&matches, &ask.matcher, &match)) ==
	       RECIPE_MATCHED)
		count++;
	ck_assert_int_eq(answer, RECIPE_NO_MATCH);
	ck_assert_uint_eq(count, counts[_i].count);
	ck_assert_int_eq(match.is_empty, counts[_i].is_endless);
	ask_done(&ask);
}
END_TEST

START_TEST(test_nul)
{
	static const char text[] = "\na\0b\0c\n";
	slice area = {text + 1, 5};
	struct ask ask;
	struct recipe_match match;

	ask_init(&ask, SLICE("a.\\/b.*"), false, false);
	ck_assert_int_eq(
	    recipe_regex_match(ask.regex, &ask.matcher, area, &match),
	    RECIPE_MATCHED);
	ck_assert(slice_eq(match.match, SLICE("b")));
	ask_done(&ask);
}
END_TEST

/* Fifty patterns that make a backtracking matcher run for ever, or that are
 * slow on any. */
static const char *const evil[] = {
    /* clang-format off */
	"(a+)+b", "(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*)*x", "(.*.*)*x",
	".*.*.*.*=", "(a+)+$b", "([a-z]+)*9", "((a+)+)+b",
	("(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)(a?)"
	    "(a?)(a?)(a?)aaaaaaaaaaaaaaaaaaaab"),
	"^(([a-z])+.)+[A-Z]([a-z])+@", "(x+x+)+y", "(.+)*\\(b",
	"(.*)\\(.*\\(.*\\(b", "(\\(+)+b", "(\\(*)*b", "(\\(|\\(\\()*b",
	"(\\(|\\(\\(|\\(\\(\\()*b$", "[^b]*b", "(\\(*)\\/.*b", ".*\\/.*b",
	"(.*)\\/(.*)b", "(a|b|c|d|e|.)*\\/x.*y", "^.*$^.*$^.*$b", "(.|$)*b",
	"(^|.)*b", "($|.)+\\/b", "[^x]*[^y]*[^z]*b", "(((((.*)*)*)*)*)*b",
	"(.?)*b", "(.?.?.?.?)+b", "()\\<.*\\<.*\\>b", "(\\<|\\>)+b", "()*b",
	"(|a|)+b", "^TO_.*b.*b", "^FROM_DAEMON", "(\\(+\\/)+b", "()\\(+$\\(+b",
	"(.*$)*b", "(a*b*c*)*d", "([^b]|.)*b", "([(]+|.)*\\/b",
	"(.)*(.)*(.)*(.)*(.)*b", ".*\\(.*\\(.*\\(.*$b", "(b?)(\\()*(\\()*(b)c",
	"(.*)(.*)(.*)(.*)(.*)(.*)[xyz]b", "((.)|(.)|(.)|(.))+=",
	"(a|b|ab)*(bc|c)*d",
    /* clang-format on */
};

static double
cpu_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static const struct {
	size_t size;
	char fill;
	size_t line;
	double match_ms;
	double message_ms;
} hostile[] = {
    {64 * 1024, '(', SIZE_MAX, 5, 50},
    {64 * 1024, 'a', SIZE_MAX, 5, 50},
    {64 * 1024, 'a', 80, 5, 50},
    /* Reading this much takes some of the time of a match. */
    {4000000, '(', SIZE_MAX, 8, 50},
    {4000000, 'a', 80, 8, 50},
};

static slice
hostile_text(struct arena *arena, size_t i)
{
	char *text = arena_alloc(arena, hostile[i].size + 2);

	memset(text, hostile[i].fill, hostile[i].size + 2);
	for (size_t at = 0; at < hostile[i].size; at += hostile[i].line)
		text[at] = '\n';
	text[1] = 'b';
	text[hostile[i].size + 1] = '\n';
	return (slice){text + 1, hostile[i].size};
}

struct spent {
	double ms;
	unsigned slow; /* matches that took longer than they may */
};

static struct spent
match_all_evil(size_t i)
{
	struct arena *arena = arena_new(0);
	slice area = hostile_text(arena, i);
	struct recipe_matcher matcher;
	struct spent spent = {0, 0};

	recipe_matcher_init(&matcher, arena, area.len);
	for (size_t k = 0; k < sizeof(evil) / sizeof(*evil); k++) {
		struct ask ask;
		struct recipe_match match;
		double start;

		ask_init(&ask, slice_from_cstr(evil[k]), false, false);
		start = cpu_ms();
		(void)!recipe_regex_match(ask.regex, &matcher, area, &match);
		start = cpu_ms() - start;
		spent.ms += start;
		spent.slow += start > hostile[i].match_ms * SLOWNESS;
		ask_done(&ask);
	}
	arena_free(arena);
	return spent;
}

/* On a busy machine a thread pays for the caches it lost: of three rounds the
 * fastest counts, and a hundredth of the checks may be over the time. */
START_TEST(test_hostile)
{
	double most = hostile[_i].message_ms * SLOWNESS;
	struct spent spent = {0, 0};

	for (unsigned round = 0; round < 3; round++) {
		spent = match_all_evil((size_t)_i);
		if (spent.slow <= 1 && spent.ms <= most)
			break;
	}
	ck_assert_uint_le(spent.slow, 1);
	ck_assert_msg(spent.ms <= most, "%.1f ms for a message", spent.ms);
}
END_TEST

/* What was spent is gone: then even a small match gets the third answer. */
START_TEST(test_limit)
{
	struct ask ask;
	slice area;

	ask_init(&ask, SLICE("(a*)*$b"), false, true);
	area = recipe_area_copy(ask.arena, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaa"));
	ask.matcher.steps_left = 20;
	ck_assert_int_eq(
	    recipe_regex_match(ask.regex, &ask.matcher, area, NULL),
	    RECIPE_LIMIT);
	ck_assert_uint_eq(ask.matcher.steps_left, 0);
	ask_done(&ask);
}
END_TEST

static struct recipe_regex *
compile_many(struct arena *arena, char c, size_t count, struct error *error)
{
	char *pattern = arena_alloc(arena, count);

	memset(pattern, c, count);
	return recipe_regex_compile(arena, (slice){pattern, count},
	    (struct recipe_regex_options){.once = false}, NULL, error);
}

START_TEST(test_large_patterns)
{
	struct arena *arena = arena_new(0);
	struct error error;
	struct recipe_regex *regex;

	ck_assert_ptr_null(compile_many(arena, '(', 1001, &error));
	ck_assert_str_eq(error.text,
	    "regular expression with more than 1000 groups in each other");
	ck_assert_ptr_null(compile_many(arena, '(', 65536, &error));
	ck_assert_ptr_null(compile_many(arena, '(', 4000000, &error));
	ck_assert_str_eq(
	    error.text, "regular expression longer than 65536 bytes");
	regex = compile_many(arena, '(', 1000, &error);
	ck_assert_ptr_nonnull(regex);
	recipe_regex_free(regex);
	regex = compile_many(arena, '|', 65536, &error);
	ck_assert_ptr_nonnull(regex);
	recipe_regex_free(regex);
	regex = compile_many(arena, '.', 65536, &error);
	ck_assert_ptr_nonnull(regex);
	recipe_regex_free(regex);
	recipe_regex_free(NULL);
	arena_free(arena);
}
END_TEST

/* A macro brings no other, but it makes the pattern longer. */
START_TEST(test_long_macros)
{
	struct arena *arena = arena_new(0);
	struct strbuf pattern;
	struct error error;

	strbuf_init(&pattern, arena);
	for (size_t i = 0; i < 4000; i++)
		strbuf_add(&pattern, SLICE("^FROM_DAEMON"));
	ck_assert_ptr_null(recipe_regex_compile(arena, strbuf_slice(&pattern),
	    (struct recipe_regex_options){.once = true}, NULL, &error));
	arena_free(arena);
}
END_TEST

static bool
is_unbalanced(slice pattern)
{
	struct recipe_regex_note note = {.is_unbalanced = false};
	struct arena *arena = arena_new(0);
	struct error error;

	recipe_regex_free(recipe_regex_compile(arena, pattern,
	    (struct recipe_regex_options){.once = true}, &note, &error));
	arena_free(arena);
	return note.is_unbalanced;
}

START_TEST(test_unbalanced)
{
	ck_assert(is_unbalanced(SLICE("(some")));
	ck_assert(is_unbalanced(SLICE("some)")));
	ck_assert(!is_unbalanced(SLICE("(some)")));
	ck_assert(!is_unbalanced(SLICE("()\\)some\\(")));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("recipe_regex");
	TCase *tcase = tcase_create("recipe_regex");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(
	    tcase, test_questions, 0, sizeof(questions) / sizeof(*questions));
	tcase_add_loop_test(tcase, test_strict_questions, 0,
	    sizeof(strict_questions) / sizeof(*strict_questions));
	tcase_add_loop_test(
	    tcase, test_counts, 0, sizeof(counts) / sizeof(*counts));
	tcase_add_loop_test(
	    tcase, test_hostile, 0, sizeof(hostile) / sizeof(*hostile));
	tcase_add_test(tcase, test_nul);
	tcase_add_test(tcase, test_limit);
	tcase_add_test(tcase, test_large_patterns);
	tcase_add_test(tcase, test_long_macros);
	tcase_add_test(tcase, test_unbalanced);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
