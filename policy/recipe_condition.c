/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditions and scores (procmailrc(5), procmailsc(5)). A score is a sum of
 * doubles that stops at the ends of a 32-bit integer; the recipe matches when
 * no plain condition has failed and, if any was weighted, the sum is above 0.
 */
#include "policy/recipe_private.h"

#include <math.h>

#define SCORE_MAX 2147483647.0

/* One recipe's conditions at work. */
struct judging {
	struct machine *m;
	const struct recipe_flags *flags;
	double score;
	bool is_weighted;
};

static void
add_score(struct judging *j, double amount)
{
	j->score += amount;
	if (j->score > SCORE_MAX)
		j->score = SCORE_MAX;
	if (j->score < -SCORE_MAX)
		j->score = -SCORE_MAX;
}

static bool
is_at_end(const struct judging *j)
{
	return j->score >= SCORE_MAX || j->score <= -SCORE_MAX;
}

static enum recipe_judgement
judged(bool holds)
{
	return holds ? RECIPE_HOLDS : RECIPE_FAILS;
}

/* What a plain condition says counts; a weighted one has said it in points. */
static enum recipe_judgement
say(struct judging *j, const struct recipe_condition *c, bool holds)
{
	holds = holds != c->is_negated;
	recipe_note_add(j->m, false, "%s on %s\"" SLICE_FMT "\"",
	    holds ? "Match" : "No match", c->is_negated ? "! " : "",
	    SLICE_ARG(c->text));
	return judged(holds);
}

/*
 * Regular expressions.
 */

static void
set_match(struct judging *j, const struct recipe_match *match)
{
	if (match->has_match)
		recipe_assign(j->m, SLICE("MATCH"), match->match);
}

static enum recipe_judgement
limit_of_regex(struct judging *j)
{
	(void)recipe_hit(j->m, "regular expressions");
	return RECIPE_STOPS;
}

static enum recipe_judgement
judge_plainly(struct judging *j, const struct recipe_condition *c,
    const struct recipe_regex *regex, slice area)
{
	struct recipe_match match;
	enum recipe_answer answer =
	    recipe_regex_match(regex, &j->m->run->matcher, area, &match);

	if (answer == RECIPE_LIMIT)
		return limit_of_regex(j);
	if (answer == RECIPE_MATCHED)
		set_match(j, &match);
	return say(j, c, answer == RECIPE_MATCHED);
}

/* What an empty match adds, which could go on for ever. */
static void
add_endless(struct judging *j, double weight, double factor)
{
	if (factor > 0 && factor < 1)
		add_score(j, weight * factor / (1 - factor));
	else if (factor >= 1 && weight != 0)
		add_score(j, weight < 0 ? -SCORE_MAX * 2 : SCORE_MAX * 2);
}

static enum recipe_judgement
weigh_matches(struct judging *j, const struct recipe_condition *c,
    const struct recipe_regex *regex, slice area)
{
	struct recipe_matches matches;
	struct recipe_match match;
	double weight = c->weight;
	enum recipe_answer answer;

	recipe_matches_init(&matches, regex, area);
	while ((answer = recipe_matches_next(&matches, &j->m->run->matcher,
		    &match)) == RECIPE_MATCHED) {
		set_match(j, &match);
		add_score(j, weight);
		if (match.is_empty)
			add_endless(j, weight, c->factor);
		if (match.is_empty || is_at_end(j) || weight == 0)
			break;
		weight *= c->factor;
	}
	return answer == RECIPE_LIMIT ? limit_of_regex(j) : RECIPE_HOLDS;
}

/* "! w^x expression": its points for no match at all. */
static enum recipe_judgement
weigh_absence(struct judging *j, const struct recipe_condition *c,
    const struct recipe_regex *regex, slice area)
{
	struct recipe_match match;
	enum recipe_answer answer =
	    recipe_regex_match(regex, &j->m->run->matcher, area, &match);

	if (answer == RECIPE_LIMIT)
		return limit_of_regex(j);
	if (answer == RECIPE_MATCHED)
		set_match(j, &match);
	else
		add_score(j, c->weight);
	return RECIPE_HOLDS;
}

static enum recipe_judgement
apply_regex(struct judging *j, const struct recipe_condition *c,
    const struct recipe_regex *regex, slice area)
{
	if (!c->is_weighted)
		return judge_plainly(j, c, regex, area);
	return c->is_negated ? weigh_absence(j, c, regex, area)
			     : weigh_matches(j, c, regex, area);
}

static slice
default_area(const struct recipe_flags *flags)
{
	if (!flags->has['B'])
		return SLICE("H");
	return flags->has['H'] ? SLICE("HB") : SLICE("B");
}

static slice
area_of(struct judging *j, const struct recipe_condition *c)
{
	slice name = c->variable.len > 0 ? c->variable : default_area(j->flags);
	slice area;

	if (recipe_mail_area(j->m, name, &area))
		return area;
	return recipe_area_copy(j->m->run->arena, recipe_value(j->m, name));
}

static enum recipe_judgement
judge_regex(struct judging *j, const struct recipe_condition *c)
{
	bool case_matters = j->flags->has['D'];
	struct recipe_regex_options options = {
	    .case_matters = case_matters, .once = true};
	const struct recipe_regex *ready = c->regex[case_matters];
	struct recipe_regex_note note = {0};
	enum recipe_judgement judgement;
	struct recipe_regex *made;
	struct error error = {.text = ""};

	if (ready != NULL)
		return apply_regex(j, c, ready, area_of(j, c));
	made = recipe_regex_compile(
	    j->m->run->arena, c->text, options, &note, &error);
	if (made == NULL) {
		recipe_note_add(j->m, true, "%s", error.text);
		return RECIPE_FAILS;
	}
	if (note.is_unbalanced)
		recipe_note_add(j->m, true, "Invalid regexp \"" SLICE_FMT "\"",
		    SLICE_ARG(c->text));
	judgement = apply_regex(j, c, made, area_of(j, c));
	recipe_regex_free(made);
	return judgement;
}

/*
 * Sizes.
 */

static double
size_of(struct judging *j, const struct recipe_condition *c)
{
	slice area;

	if (c->variable.len == 0)
		return (double)recipe_mail_size(j->m->mail);
	if (recipe_mail_area(j->m, c->variable, &area))
		return (double)area.len;
	return (double)recipe_value(j->m, c->variable).len;
}

/* As strtol(3): a sign, digits, and what follows them is skipped. */
static double
bound_of(struct judging *j, const struct recipe_condition *c)
{
	double bound = 0;
	bool has_sign = c->text.len > 1 && ascii_is_digit(c->text.ptr[1]) &&
	    (c->text.ptr[0] == '-' || c->text.ptr[0] == '+');
	size_t i = has_sign ? 1 : 0;

	while (i < c->text.len && ascii_is_digit(c->text.ptr[i]))
		bound = bound * 10 + (c->text.ptr[i++] - '0');
	if (i == 0 || i < c->text.len)
		recipe_note_add(j->m, true, "Skipped \"" SLICE_FMT "\"",
		    SLICE_ARG(slice_from(c->text, i)));
	return has_sign && c->text.ptr[0] == '-' ? -bound : bound;
}

/* The relation of the two, which "!" turns round. */
static void
weigh_size(struct judging *j, const struct recipe_condition *c, double size,
    double bound)
{
	bool is_larger = (c->kind == CONDITION_LARGER) != c->is_negated;
	double above = is_larger ? size : bound;
	double below = is_larger ? bound : size;
	double amount = c->weight * pow(above / below, c->factor);

	if (below == 0)
		amount = is_larger || above != 0 ? SCORE_MAX * 2 : -SCORE_MAX * 2;
	if (!isnan(amount))
		add_score(j, amount);
}

static enum recipe_judgement
judge_size(struct judging *j, const struct recipe_condition *c)
{
	double bound = bound_of(j, c);
	double size = size_of(j, c);

	if (c->is_weighted) {
		weigh_size(j, c, size, bound);
		return RECIPE_HOLDS;
	}
	return say(j, c,
	    c->kind == CONDITION_SMALLER ? size < bound : size > bound);
}

/*
 * Programs.
 */

static slice
input_of(struct judging *j, const struct recipe_condition *c)
{
	slice name = c->variable.len > 0 ? c->variable : default_area(j->flags);
	slice area;

	/* As it is matched: folded lines of the header are joined. */
	if (!recipe_mail_area(j->m, name, &area))
		area = recipe_value(j->m, name);
	return recipe_with_line_end(j->m, area, NULL);
}

/* "w^x ? cmd": the first number for success, else the second. With "!" the
 * exit status is a number of matches. */
static void
weigh_status(struct judging *j, const struct recipe_condition *c, int status)
{
	double weight = c->weight;

	if (!c->is_negated) {
		add_score(j, status == 0 ? c->weight : c->factor);
		return;
	}
	for (int i = 0; i < status; i++) {
		add_score(j, weight);
		weight *= c->factor;
	}
}

static enum recipe_judgement
judge_program(struct judging *j, const struct recipe_condition *c)
{
	struct recipe_program_result result;
	int status;

	if (!recipe_run_command(
		j->m, c->text, input_of(j, c), false, &result))
		return recipe_is_over(j->m) ? RECIPE_STOPS : RECIPE_FAILS;
	status = result.status;
	if (c->is_weighted) {
		weigh_status(j, c, status);
		return RECIPE_HOLDS;
	}
	return say(j, c, status == 0);
}

/*
 * All of them.
 */

static enum recipe_judgement judge_one(
    struct judging *j, const struct recipe_condition *c, unsigned depth);

static enum recipe_judgement
judge_expanded(
    struct judging *j, const struct recipe_condition *c, unsigned depth)
{
	struct recipe_condition made = {.variable = c->variable,
	    .is_negated = c->is_negated,
	    .is_weighted = c->is_weighted,
	    .weight = c->weight,
	    .factor = c->factor};
	slice text;

	if (depth > 20)
		return RECIPE_FAILS;
	if (!recipe_expand_condition(j->m, c->text, &text))
		return recipe_is_over(j->m) ? RECIPE_STOPS : RECIPE_FAILS;
	recipe_read_condition(text, c->line, &made);
	return judge_one(j, &made, depth + 1);
}

static enum recipe_judgement
judge_one(
    struct judging *j, const struct recipe_condition *c, unsigned depth)
{
	if (c->is_weighted) {
		j->is_weighted = true;
		if (j->score >= SCORE_MAX)
			return RECIPE_HOLDS;
	}
	if (c->raw.len > j->m->line_max) {
		recipe_note_add(j->m, true, "Exceeded LINEBUF");
		return RECIPE_FAILS;
	}
	switch (c->kind) {
	case CONDITION_REGEX:
		return judge_regex(j, c);
	case CONDITION_SMALLER:
	case CONDITION_LARGER:
		return judge_size(j, c);
	case CONDITION_PROGRAM:
		return judge_program(j, c);
	case CONDITION_EXPAND:
		return judge_expanded(j, c, depth);
	}
	return RECIPE_FAILS;
}

/* $= shows a whole number; what is between 0 and 1 counts and shows as 1. */
static int
shown_score(double score)
{
	if (score > 0 && score < 1)
		return 1;
	return (int)score;
}

enum recipe_judgement
recipe_judge(struct machine *m, const struct recipe_statement *recipe,
    const struct recipe_flags *flags)
{
	struct judging j = {.m = m, .flags = flags};
	enum recipe_judgement judgement = RECIPE_HOLDS;

	for (const struct recipe_condition *c = recipe->conditions;
	     c != NULL && judgement == RECIPE_HOLDS; c = c->next) {
		m->line = c->line;
		if (!recipe_spend_step(m))
			return RECIPE_STOPS;
		judgement = judge_one(&j, c, 0);
		if (j.is_weighted && j.score <= -SCORE_MAX)
			judgement = RECIPE_FAILS;
	}
	m->line = recipe->line;
	m->score = shown_score(j.score);
	if (judgement == RECIPE_HOLDS && j.is_weighted && j.score <= 0)
		return RECIPE_FAILS;
	return judgement;
}
