/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procmail's regular expressions (procmailrc(5), "Extended regular
 * expressions"), with the meaning the real program gives them: `^` and `$`
 * are newlines and consume one, `^^` anchors, `\<` and `\>` consume, `\/`
 * splits, bytes are bytes, ASCII case only. See milterd-recipes(5) for what
 * differs on purpose.
 *
 * The text. An area is matched with a newline in front and one behind it that
 * are not part of it. They are not copied in: whoever owns the text keeps a
 * newline at area.ptr[-1] and at area.ptr[area.len]. (Behind a header there
 * is one before the body; a message kept as "\n", header, body, "\n" has them
 * for header and body together and for the body.) recipe_area_copy() makes
 * such a text of another.
 *
 * Time. Nothing here can stall: a match costs steps, and both one match and
 * all that one matcher does are bounded. What comes to the bound gives
 * RECIPE_LIMIT, a third answer beside yes and no. A step is about a
 * nanosecond or two; plainly reading over text costs nothing.
 *
 * A compiled expression is immutable and may be used by many threads, a
 * matcher by one.
 */
#ifndef POLICY_RECIPE_REGEX_H
#define POLICY_RECIPE_REGEX_H

#include "base/arena.h"
#include "base/error.h"

struct recipe_regex;

/* Longest expression, before and after the substitution of ^TO_ and the
 * like, and the deepest nesting of groups. */
#define RECIPE_PATTERN_MAX 65536
#define RECIPE_PATTERN_DEPTH_MAX 1000

struct recipe_regex_options {
	bool case_matters; /* flag D */
	/* Made for one match (a condition with `$`): not worth the time to
	 * make machine code of it. */
	bool once;
};

struct recipe_regex_note {
	/* Unbalanced parentheses: "Invalid regexp", and the expression is used
	 * all the same, as far as the real program uses it. */
	bool is_unbalanced;
};

/*
 * `pattern` is the condition's text behind `*`, weight, `!` and `VAR ??`. One
 * backslash at its start is dropped. `ret_note` may be NULL. The expression
 * lives in the arena, but what is not memory of it goes with
 * recipe_regex_free(), which must be called before the arena is freed.
 * NULL, with a reason in `error`, when it is too long or nested too deep.
 */
struct recipe_regex *recipe_regex_compile(struct arena *arena, slice pattern,
    struct recipe_regex_options options, struct recipe_regex_note *ret_note,
    struct error *error);
void recipe_regex_free(struct recipe_regex *regex);
/* Does the expression have a `\/`? */
bool recipe_regex_has_split(const struct recipe_regex *regex);

/* What one message's matching may cost, and the memory it works in. An area
 * stays as it is while the matcher is in use. */
struct recipe_matcher {
	struct arena *arena;
	unsigned long steps_left;  /* of the message */
	unsigned long steps_match; /* of one match, at most */
	struct recipe_threads *threads;
	slice lowered_of; /* the area last seen, and it in lower case */
	char *lowered;
	size_t lowered_room;
	struct regex_room *room; /* NULL: each match makes its own */
};

/* A matcher for a message of `size` bytes. It allocates in `arena` what its
 * largest expression needs, once. */
void recipe_matcher_init(
    struct recipe_matcher *matcher, struct arena *arena, size_t size);

/* For many matches: what they need beside the arena, until
 * recipe_matcher_done(). */
void recipe_matcher_keep_room(struct recipe_matcher *matcher);
void recipe_matcher_done(struct recipe_matcher *matcher);

enum recipe_answer { RECIPE_NO_MATCH, RECIPE_MATCHED, RECIPE_LIMIT };

struct recipe_match {
	/* MATCH was set: by a `\/` that the match went through. */
	bool has_match;
	/* Borrowed from the area. Ends before a NUL, as a variable does. */
	slice match;
	bool is_empty; /* only for recipe_matches_next() */
};

/* `ret_match` may be NULL, then the work for MATCH is saved; it is filled
 * only with RECIPE_MATCHED. */
__attribute__((warn_unused_result)) enum recipe_answer recipe_regex_match(
    const struct recipe_regex *regex, struct recipe_matcher *matcher,
    slice area, struct recipe_match *ret_match);

/*
 * Match after match, as a weighted condition counts them (procmailsc(5)).
 * Each search begins where the match before it ended; a newline that ended it
 * can begin the next. After a match that `is_empty`, one that ends where its
 * search began, the real program goes no further: it counts that one, and
 * as if there were endlessly many more. So does the iterator.
 */
struct recipe_matches {
	const struct recipe_regex *regex;
	slice area;
	size_t at;
	bool ended;
};

void recipe_matches_init(struct recipe_matches *matches,
    const struct recipe_regex *regex, slice area);
/* RECIPE_NO_MATCH at the end, for ever. */
__attribute__((warn_unused_result)) enum recipe_answer recipe_matches_next(
    struct recipe_matches *matches, struct recipe_matcher *matcher,
    struct recipe_match *ret_match);

/* A copy with the two newlines around it. */
slice recipe_area_copy(struct arena *arena, slice text);

#endif
