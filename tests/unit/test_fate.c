/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the fates of several recipients to one message, its edits and copies.
 * What is to come out is written by hand, from policy/fate.h and the rules of
 * the two MTAs about the numbers of header fields.
 */
#include "policy/fate.h"

#include "policy/header_diff.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { FATES_MAX = 8 };

static struct arena *arena;
static struct fate fates[FATES_MAX];
static size_t count;
static struct fate_input input;

static void
set_up(void)
{
	arena = arena_new(0);
	memset(fates, 0, sizeof(fates));
	count = 0;
	input = (struct fate_input){.fates = fates,
	    .sender = SLICE("<s@x>"),
	    .came = {SLICE("Subject: a\nTo: b\n\n"), SLICE("body\n")},
	    .text = {SLICE("Subject: a\nTo: b\n\n"), SLICE("body\n")},
	    .bytes_max = 100000};
}

static void
tear_down(void)
{
	arena_free(arena);
}

static struct mail_text *
text(const char *header, const char *body)
{
	struct mail_text *made = ARENA_NEW(arena, struct mail_text);

	made->header = slice_from_cstr(header);
	made->body = slice_from_cstr(body);
	return made;
}

static struct fate *
add_fate(const char *recipient)
{
	struct fate *fate = &fates[count++];

	fate->recipient = fate->given = slice_from_cstr(recipient);
	fate->is_given = true;
	input.count = count;
	return fate;
}

/* To himself where no address is given. */
static void
deliver(
    struct fate *fate, const char *address, const struct mail_text *delivered)
{
	struct fate_delivery **end = &fate->deliveries;

	while (*end != NULL)
		end = &(*end)->next;
	*end = ARENA_NEW(arena, struct fate_delivery);
	(*end)->is_own = address == NULL;
	(*end)->address = slice_from_cstr(address);
	(*end)->text = delivered;
}

/* "kind name[index] text" of all there is, in order. */
static const char *
decide(void)
{
	static const char *const words[] = {"sender", "add", "drop", "change",
	    "remove", "append", "insert", "body"};
	struct fate_plan plan;
	struct strbuf out;

	fate_decide(arena, &input, &plan);
	strbuf_init(&out, arena);
	strbuf_printf(&out, "%s\n", verdict_word(plan.verdict.kind));
	for (const struct edit *e = plan.edits.first; e != NULL; e = e->next) {
		if (e->is_there)
			continue;
		strbuf_printf(&out, "%s", words[e->kind]);
		if (e->name.len > 0)
			strbuf_printf(&out, " " SLICE_FMT "[%u]",
			    SLICE_ARG(e->name), e->index);
		if (e->kind != EDIT_REMOVE_HEADER)
			strbuf_printf(&out, " " SLICE_FMT, SLICE_ARG(e->text));
		strbuf_add_char(&out, '\n');
	}
	for (const struct fate_copy *c = plan.copies; c != NULL; c = c->next) {
		strbuf_add(&out, SLICE("copy"));
		for (size_t i = 0; i < c->recipient_count; i++)
			strbuf_printf(
			    &out, " " SLICE_FMT, SLICE_ARG(c->recipients[i]));
		strbuf_printf(&out, ": " SLICE_FMT "\n",
		    SLICE_ARG(slice_first(
			c->text->header, slice_index(c->text->header, '\n'))));
	}
	for (const struct fate_bounce *b = plan.bounces; b != NULL; b = b->next)
		strbuf_printf(
		    &out, "bounce " SLICE_FMT "\n", SLICE_ARG(b->recipient));
	return strbuf_slice(&out).ptr;
}

START_TEST(nothing_to_do)
{
	deliver(add_fate("<a@x>"), NULL, NULL);
	deliver(add_fate("<b@x>"), NULL, &input.text);
	ck_assert_str_eq(decide(), "continue\n");
}
END_TEST

START_TEST(three_fates)
{
	deliver(add_fate("<a@x>"), NULL, NULL);
	deliver(add_fate("<b@x>"), "b+folder@x", NULL);
	(void)add_fate("<c@x>");
	ck_assert_str_eq(
	    decide(), "continue\nadd <b+folder@x>\ndrop <b@x>\ndrop <c@x>\n");
}
END_TEST

START_TEST(a_copy_and_the_original)
{
	struct fate *fate = add_fate("<a@x>");

	deliver(fate, "z@y", NULL);
	deliver(fate, NULL, NULL);
	ck_assert_str_eq(decide(), "continue\nadd <z@y>\n");
}
END_TEST

START_TEST(all_dropped)
{
	(void)add_fate("<a@x>");
	(void)add_fate("<b@x>");
	ck_assert_str_eq(decide(), "discard\n");
}
END_TEST

START_TEST(all_want_the_same_change)
{
	deliver(add_fate("<a@x>"), NULL,
	    text("Subject: new\nTo: b\nX: 1\n\n", "body\n"));
	deliver(add_fate("<b@x>"), "b+f@x",
	    text("Subject: new\nTo: b\nX: 1\n\n", "body\n"));
	ck_assert_str_eq(decide(), "continue\nadd <b+f@x>\ndrop <b@x>\n"
				   "change Subject[1] new\nappend X[0] 1\n");
}
END_TEST

START_TEST(texts_that_differ_are_copies)
{
	deliver(add_fate("<a@x>"), NULL, NULL);
	deliver(add_fate("<b@x>"), NULL, text("Subject: b\n\n", "body\n"));
	deliver(add_fate("<c@x>"), "c+f@x", text("Subject: b\n\n", "body\n"));
	ck_assert_str_eq(decide(),
	    "continue\ndrop <b@x>\ndrop <c@x>\ncopy b@x c+f@x: Subject: b\n");
}
END_TEST

/* Nobody wants the text as it came: the one of most is the message's. */
START_TEST(the_text_of_most_is_the_messages)
{
	deliver(
	    add_fate("<a@x>"), NULL, text("Subject: 1\nTo: b\n\n", "body\n"));
	deliver(
	    add_fate("<b@x>"), NULL, text("Subject: 2\nTo: b\n\n", "body\n"));
	deliver(
	    add_fate("<c@x>"), NULL, text("Subject: 2\nTo: b\n\n", "body\n"));
	ck_assert_str_eq(decide(), "continue\ndrop <a@x>\nchange Subject[1] 2\n"
				   "copy a@x: Subject: 1\n");
}
END_TEST

START_TEST(a_body_is_replaced)
{
	deliver(
	    add_fate("<a@x>"), NULL, text("Subject: a\nTo: b\n\n", "other\n"));
	ck_assert_str_eq(decide(), "continue\nbody other\n\n");
}
END_TEST

static struct verdict
refusal(enum verdict_kind kind)
{
	return (struct verdict){.kind = kind, .text = SLICE("no")};
}

START_TEST(one_deferral_defers_all)
{
	deliver(add_fate("<a@x>"), "z@y", NULL);
	add_fate("<b@x>")->verdict = refusal(VERDICT_DEFER);
	add_fate("<c@x>")->verdict = refusal(VERDICT_REJECT);
	ck_assert_str_eq(decide(), "defer\n");
}
END_TEST

START_TEST(all_refuse)
{
	add_fate("<a@x>")->verdict = refusal(VERDICT_REJECT);
	add_fate("<b@x>")->verdict = refusal(VERDICT_REJECT);
	ck_assert_str_eq(decide(), "reject\n");
}
END_TEST

START_TEST(one_of_two_refuses)
{
	add_fate("<a@x>")->verdict = refusal(VERDICT_REJECT);
	deliver(add_fate("<b@x>"), NULL, NULL);
	ck_assert_str_eq(decide(), "continue\ndrop <a@x>\nbounce <a@x>\n");
	input.sender = SLICE("<>");
	ck_assert_str_eq(decide(), "continue\ndrop <a@x>\n");
}
END_TEST

START_TEST(what_is_held_is_the_message)
{
	deliver(add_fate("<a@x>"), NULL, NULL);
	deliver(add_fate("<b@x>"), NULL, NULL);
	fates[1].verdict = refusal(VERDICT_QUARANTINE);
	ck_assert_str_eq(
	    decide(), "quarantine\ndrop <a@x>\ncopy a@x: Subject: a\n");
}
END_TEST

/* Members of an alias: they are added, unless they are not. */
START_TEST(those_to_be_added)
{
	struct fate *fate = add_fate("<m1@x>");

	fate->given = SLICE("<list@x>");
	fate->is_given = false;
	deliver(fate, NULL, NULL);
	fate = add_fate("<m2@x>");
	fate->given = SLICE("<list@x>");
	fate->is_given = false;
	deliver(fate, "m2+f@x", NULL);
	fate = add_fate("<m3@x>");
	fate->given = SLICE("<list@x>");
	fate->is_given = false;
	ck_assert_str_eq(decide(), "continue\nadd <m1@x>\nadd <m2+f@x>\n");
}
END_TEST

/* Nobody is dropped and added at once, and nobody added twice. */
START_TEST(nobody_twice)
{
	deliver(add_fate("<a@x>"), "B@x", NULL);
	(void)add_fate("<b@x>");
	deliver(add_fate("<c@x>"), "z@x", NULL);
	deliver(add_fate("<d@x>"), "z@x", NULL);
	ck_assert_str_eq(decide(),
	    "continue\nadd <z@x>\ndrop <a@x>\ndrop <c@x>\ndrop <d@x>\n");
}
END_TEST

/* Two recipients to an MTA, the second of them under two equal names. */
START_TEST(each_spelling_is_dropped)
{
	(void)add_fate("<Bob@x>");
	(void)add_fate("<bob@x>");
	(void)add_fate("<bob@x>");
	deliver(add_fate("<a@x>"), NULL, NULL);
	ck_assert_str_eq(decide(), "continue\ndrop <Bob@x>\ndrop <bob@x>\n");
}
END_TEST

START_TEST(too_many_texts_are_deferred)
{
	input.bytes_max = 10;
	deliver(add_fate("<a@x>"), NULL, NULL);
	deliver(add_fate("<b@x>"), NULL, text("Subject: 1\n\n", "body\n"));
	ck_assert_str_eq(decide(), "defer\n");
}
END_TEST

/* An address that the policy has rewritten is an edit too once the recipes
 * have changed the header. */
START_TEST(rewritten_headers)
{
	input.came.header = SLICE("From: a@old\nTo: b\n\n");
	input.text.header = SLICE("From: a@new\nTo: b\n\n");
	deliver(
	    add_fate("<a@x>"), NULL, text("From: a@new\nTo: c\n\n", "body\n"));
	ck_assert_str_eq(
	    decide(), "continue\nchange From[1] a@new\nchange To[1] c\n");
}
END_TEST

static const struct {
	const char *before;
	const char *after;
	bool keeps_space;
	const char *edits;
} diffs[] = {
    {"A: 1\nB: 2\n\n", "A: 1\nB: 2\n\n", false, ""},
    {"A: 1\nA: 2\nA: 3\n\n", "A: 1\n\n", false, "-A[3]-A[2]"},
    {"A: 1\nA: 2\nA: 3\n\n", "A: 2\nA: 3\n\n", false, "-A[1]"},
    {"A: 1\nA: 2\nA: 3\n\n", "A: 1\nA: 3\n\n", false, "-A[2]"},
    {"A: 1\nA: 2\nA: 3\n\n", "A: x\nA: 3\n\n", false, "=A[1]x-A[2]"},
    {"A: 1\nB: 2\n\n", "A: x\n\n", false, "=A[1]x-B[1]"},
    {"A: 1\n\n", "A: 1\nB: 2\n\n", false, "+B[0]2"},
    {"A: 1\n\n", "B: 2\nC: 3\nA: 1\n\n", false, "^C[0]3^B[0]2"},
    {"A: 1\n\n", "a: 1\n\n", false, ""},
    {"A:  1\n\n", "A:  2\n\n", false, "=A[1] 2"},
    {"A: 1\n\n", "A: 2\n\n", true, "=A[1] 2"},
    {"A: 1\n 2\n\n", "A: 1\n 3\n\n", false, "=A[1]1\n 3"},
    {"A: 1\nnonsense\n\n", "A: 1\nother\n\n", false, ""},
    {"", "A: 1\n", false, "^A[0]1"},
    {"A: 1\n\n", "", false, "-A[1]"},
};

START_TEST(headers_differ)
{
	static const char signs[] = "   =-+^ ";
	struct edit_list edits;
	struct strbuf out;

	edit_list_init(&edits, arena);
	strbuf_init(&out, arena);
	header_diff(slice_from_cstr(diffs[_i].before),
	    slice_from_cstr(diffs[_i].after), diffs[_i].keeps_space, &edits);
	for (const struct edit *e = edits.first; e != NULL; e = e->next)
		strbuf_printf(&out, "%c" SLICE_FMT "[%u]" SLICE_FMT,
		    signs[e->kind], SLICE_ARG(e->name), e->index,
		    SLICE_ARG(e->text));
	ck_assert_str_eq(out.len == 0 ? "" : out.data, diffs[_i].edits);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fate");
	TCase *tcase = tcase_create("fate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, nothing_to_do);
	tcase_add_test(tcase, three_fates);
	tcase_add_test(tcase, a_copy_and_the_original);
	tcase_add_test(tcase, all_dropped);
	tcase_add_test(tcase, all_want_the_same_change);
	tcase_add_test(tcase, texts_that_differ_are_copies);
	tcase_add_test(tcase, the_text_of_most_is_the_messages);
	tcase_add_test(tcase, a_body_is_replaced);
	tcase_add_test(tcase, one_deferral_defers_all);
	tcase_add_test(tcase, all_refuse);
	tcase_add_test(tcase, one_of_two_refuses);
	tcase_add_test(tcase, what_is_held_is_the_message);
	tcase_add_test(tcase, those_to_be_added);
	tcase_add_test(tcase, nobody_twice);
	tcase_add_test(tcase, each_spelling_is_dropped);
	tcase_add_test(tcase, too_many_texts_are_deferred);
	tcase_add_test(tcase, rewritten_headers);
	tcase_add_loop_test(
	    tcase, headers_differ, 0, sizeof(diffs) / sizeof(*diffs));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
