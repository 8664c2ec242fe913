/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tree of recipe_pattern.h as a program that is run over a text once,
 * following all ways through it at the same time. It answers what a
 * backtracking matcher cannot: where the first match ends, and what MATCH
 * becomes; and it takes the same time for every expression of a size.
 *
 * A program is immutable; threads of it (not of the system) live in a
 * matcher.
 */
#ifndef POLICY_RECIPE_AUTOMATON_H
#define POLICY_RECIPE_AUTOMATON_H

#include "policy/recipe_pattern.h"
#include "policy/recipe_regex.h"

struct automaton;

struct automaton *automaton_new(
    struct arena *arena, const struct pattern *pattern);

/* Where to search. Places are counted in the area; -1 is the newline in front
 * of it, area.len the one behind it. */
struct automaton_search {
	slice area;
	/* The first byte that a match may begin with: -1, or a place in the
	 * area. */
	ptrdiff_t from;
	/* Is there nothing in front of the newline at -1? Else ^^ cannot be
	 * here. */
	bool is_beginning;
	bool wants_match;
};

struct automaton_found {
	ptrdiff_t end; /* behind the last byte of the match */
	bool has_split;
	ptrdiff_t split; /* where MATCH begins, with has_split */
};

/* Of all matches the one that ends first. With `wants_match` and a \/ on the
 * way: of all matches the ones whose \/ comes first, and of those the longest;
 * where one without any \/ ends before those, that. `ret_found` may be
 * NULL. */
enum recipe_answer automaton_run(const struct automaton *automaton,
    struct recipe_matcher *matcher, const struct automaton_search *search,
    struct automaton_found *ret_found);

#endif
