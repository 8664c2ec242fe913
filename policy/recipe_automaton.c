/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread is a place in the program, and, once it went through a \/, the
 * place in the text where that was. Of two threads in the same place of the
 * program only the one with the earlier \/ can matter. So the threads of one
 * step are kept in order: those with a \/ behind them, the earliest first,
 * and apart from them the plain ones. Then whoever comes to a place first is
 * the one to stay, and a step looks at no place of the program more often
 * than twice: once for a plain thread, once for one with a \/.
 *
 * A thread that goes through (another) \/ right now is put aside until all
 * others of the step have moved, since its \/ is the latest of all.
 */
#include "policy/recipe_automaton.h"

#include <assert.h>
#include <string.h>

/* Passing bytes over is that much quicker than a step. */
#define BYTES_OF_STEP 4

enum op {
	OP_BYTE,
	OP_SET,
	OP_BEGIN,
	OP_END,
	OP_SPLIT,
	OP_FORK,
	OP_JUMP,
	OP_FINAL,
};

struct instruction {
	enum op op;
	unsigned char byte;
	uint32_t to;	/* OP_FORK, OP_JUMP */
	uint32_t other; /* OP_FORK */
	const struct byte_set *set;
};

struct automaton {
	struct instruction *code;
	uint32_t count;
	bool ignore_case;
	bool is_nullable;	/* the first thing may be nothing */
	struct byte_set firsts; /* else, what a match can begin with */
};

struct thread {
	uint32_t at;
	ptrdiff_t split;
};

struct thread_list {
	struct thread *threads;
	size_t count;
};

/* Room for a program of `room` instructions. */
struct recipe_threads {
	size_t room;
	struct thread_list plain[2];
	struct thread_list split[2];
	struct thread_list aside;
	uint32_t *stack; /* two a place: it may be looked at twice */
	/* Twice the number of the step in which the place was last reached,
	 * one more when it was with a \/. */
	uint64_t *reached;
	uint64_t step;
};

/* What changes from byte to byte. */
struct run {
	const struct automaton *automaton;
	const struct automaton_search *search;
	struct recipe_threads *memory;
	struct thread_list *plain; /* of the next step */
	struct thread_list *split;
	ptrdiff_t at; /* where the next step is */
	bool is_found;
	bool is_final; /* a plain thread came to the end */
	struct automaton_found found;
	unsigned long steps;
};

static uint32_t
count_instructions(const struct pattern_node *node)
{
	uint32_t count = 1;

	for (const struct pattern_node *part = node->parts; part != NULL;
	     part = part->next)
		count += count_instructions(part) + 2;
	return count;
}

static void emit(struct automaton *automaton, const struct pattern_node *node);

static struct instruction *
emit_op(struct automaton *automaton, enum op op)
{
	struct instruction *instruction = &automaton->code[automaton->count++];

	instruction->op = op;
	return instruction;
}

/* fork to the first part or to the rest; what is behind the choice is where
 * every part jumps to. The jumps are chained until that is known. */
static void
emit_choice(struct automaton *automaton, const struct pattern_node *node)
{
	uint32_t chain = UINT32_MAX;

	for (const struct pattern_node *part = node->parts; part != NULL;
	     part = part->next) {
		struct instruction *fork = NULL;

		if (part->next != NULL) {
			fork = emit_op(automaton, OP_FORK);
			fork->to = automaton->count;
		}
		emit(automaton, part);
		if (fork == NULL)
			break;
		emit_op(automaton, OP_JUMP)->to = chain;
		chain = automaton->count - 1;
		fork->other = automaton->count;
	}
	while (chain != UINT32_MAX) {
		uint32_t next = automaton->code[chain].to;

		automaton->code[chain].to = automaton->count;
		chain = next;
	}
}

static void
emit_repeat(struct automaton *automaton, const struct pattern_node *node)
{
	uint32_t start = automaton->count;
	struct instruction *fork = NULL;

	if (node->repeat != '+') {
		fork = emit_op(automaton, OP_FORK);
		fork->to = automaton->count;
	}
	emit(automaton, node->parts);
	if (node->repeat == '+') {
		fork = emit_op(automaton, OP_FORK);
		fork->to = start;
	} else if (node->repeat == '*') {
		emit_op(automaton, OP_JUMP)->to = start;
	}
	fork->other = automaton->count;
}

static void
emit(struct automaton *automaton, const struct pattern_node *node)
{
	switch (node->kind) {
	case PATTERN_EMPTY:
		return;
	case PATTERN_BYTE:
		emit_op(automaton, OP_BYTE)->byte = node->byte;
		return;
	case PATTERN_SET:
		emit_op(automaton, OP_SET)->set = node->set;
		return;
	case PATTERN_BEGIN:
		(void)emit_op(automaton, OP_BEGIN);
		return;
	case PATTERN_END:
		(void)emit_op(automaton, OP_END);
		return;
	case PATTERN_SPLIT:
		(void)emit_op(automaton, OP_SPLIT);
		return;
	case PATTERN_SEQUENCE:
		for (const struct pattern_node *part = node->parts;
		     part != NULL; part = part->next)
			emit(automaton, part);
		return;
	case PATTERN_CHOICE:
		emit_choice(automaton, node);
		return;
	case PATTERN_REPEAT:
		emit_repeat(automaton, node);
		return;
	}
}

static void
firsts_add_byte(struct automaton *automaton, unsigned char byte)
{
	automaton->firsts.bits[byte / 64] |= (uint64_t)1 << (byte % 64);
	if (automaton->ignore_case && byte >= 'a' && byte <= 'z')
		firsts_add_byte(automaton, byte - ('a' - 'A'));
}

/* One instruction that can be the first; false when more may follow it. */
static bool
add_first(struct automaton *automaton, const struct instruction *instruction)
{
	switch (instruction->op) {
	case OP_BYTE:
		firsts_add_byte(automaton, instruction->byte);
		return true;
	case OP_SET:
		for (size_t i = 0; i < 4; i++)
			automaton->firsts.bits[i] |= instruction->set->bits[i];
		return true;
	case OP_BEGIN:
		firsts_add_byte(automaton, '\n');
		return true;
	case OP_FINAL:
		automaton->is_nullable = true;
		return true;
	case OP_END:
	case OP_SPLIT:
	case OP_FORK:
	case OP_JUMP:
		return false;
	}
	return true;
}

static void
find_firsts(struct automaton *automaton, struct arena *arena)
{
	uint32_t *stack = ARENA_ARRAY(arena, uint32_t, 2 * automaton->count);
	bool *seen = ARENA_ARRAY(arena, bool, automaton->count);
	size_t depth = 0;

	stack[depth++] = 0;
	while (depth > 0) {
		uint32_t at = stack[--depth];
		const struct instruction *i = &automaton->code[at];

		if (seen[at])
			continue;
		seen[at] = true;
		if (add_first(automaton, i))
			continue;
		if (i->op == OP_FORK)
			stack[depth++] = i->other;
		stack[depth++] =
		    i->op == OP_FORK || i->op == OP_JUMP ? i->to : at + 1;
	}
}

struct automaton *
automaton_new(struct arena *arena, const struct pattern *pattern)
{
	struct automaton *automaton = ARENA_NEW(arena, struct automaton);
	struct arena *scratch = arena_new(0);

	automaton->ignore_case = pattern->ignore_case;
	automaton->code = ARENA_ARRAY(
	    arena, struct instruction, count_instructions(pattern->root) + 1);
	emit(automaton, pattern->root);
	(void)emit_op(automaton, OP_FINAL);
	find_firsts(automaton, scratch);
	arena_free(scratch);
	return automaton;
}

static struct recipe_threads *
threads_new(struct arena *arena, size_t room)
{
	struct recipe_threads *memory = ARENA_NEW(arena, struct recipe_threads);

	memory->room = room;
	for (size_t i = 0; i < 2; i++) {
		memory->plain[i].threads =
		    ARENA_ARRAY(arena, struct thread, room);
		memory->split[i].threads =
		    ARENA_ARRAY(arena, struct thread, room);
	}
	memory->aside.threads = ARENA_ARRAY(arena, struct thread, 2 * room);
	memory->stack = ARENA_ARRAY(arena, uint32_t, 2 * room);
	memory->reached = ARENA_ARRAY(arena, uint64_t, room);
	return memory;
}

/* The matcher's, made larger where the program needs that: at least twice as
 * large, so that what a message takes is bounded by its largest program. */
static struct recipe_threads *
memory_for(struct recipe_matcher *matcher, size_t room)
{
	size_t old = matcher->threads == NULL ? 0 : matcher->threads->room;

	if (old < room)
		matcher->threads = threads_new(
		    matcher->arena, room > 2 * old ? room : 2 * old);
	return matcher->threads;
}

static void
list_add(struct thread_list *list, uint32_t at, ptrdiff_t split)
{
	list->threads[list->count++] = (struct thread){at, split};
}

/* A thread came to the end of the program. The list is in order, so that of
 * those which do so in one step the first one is the best. */
static void
reach_final(struct run *run, const struct thread *thread, bool has_split)
{
	if (!has_split) {
		run->is_final = true;
		return;
	}
	if (run->is_found && run->found.split < thread->split)
		return;
	run->is_found = true;
	run->found.end = run->at;
	run->found.has_split = true;
	run->found.split = thread->split;
}

/* Has this place been reached in this step, by one no worse? */
static bool
is_reached(struct run *run, uint32_t at, bool has_split)
{
	uint64_t mark = 2 * run->memory->step + has_split;

	if (run->memory->reached[at] >= mark)
		return true;
	run->memory->reached[at] = mark;
	return false;
}

/* Everything a thread can come to without a byte of text. */
static void
follow(struct run *run, struct thread thread, bool has_split)
{
	struct recipe_threads *memory = run->memory;
	size_t depth = 0;

	memory->stack[depth++] = thread.at;
	while (depth > 0) {
		uint32_t at = memory->stack[--depth];
		const struct instruction *i = &run->automaton->code[at];

		run->steps++;
		if (is_reached(run, at, has_split))
			continue;
		switch (i->op) {
		case OP_BYTE:
		case OP_SET:
		case OP_BEGIN:
			list_add(has_split ? run->split : run->plain, at,
			    thread.split);
			break;
		case OP_END:
			if (run->at == (ptrdiff_t)run->search->area.len)
				memory->stack[depth++] = at + 1;
			break;
		case OP_SPLIT:
			if (run->search->wants_match && thread.split != run->at)
				list_add(&memory->aside, at + 1, run->at);
			else
				memory->stack[depth++] = at + 1;
			break;
		case OP_FORK:
			memory->stack[depth++] = i->other;
			memory->stack[depth++] = i->to;
			break;
		case OP_JUMP:
			memory->stack[depth++] = i->to;
			break;
		case OP_FINAL:
			reach_final(run, &thread, has_split);
			break;
		}
	}
}

/* Those that went through a \/ just now. Behind the area's own newline there
 * is nothing that could be MATCH, and none is set. */
static void
follow_aside(struct run *run)
{
	struct thread_list *aside = &run->memory->aside;
	bool has_split = run->at <= (ptrdiff_t)run->search->area.len;

	if (!run->is_found || run->found.split == run->at)
		for (size_t i = 0; i < aside->count; i++)
			follow(run, aside->threads[i], has_split);
	aside->count = 0;
}

static bool
takes(const struct run *run, uint32_t at, unsigned char byte)
{
	const struct instruction *i = &run->automaton->code[at];

	switch (i->op) {
	case OP_BYTE:
		if (run->automaton->ignore_case)
			byte = (unsigned char)ascii_lower((char)byte);
		return i->byte == byte;
	case OP_SET:
		return byte_set_has(i->set, byte);
	case OP_BEGIN:
		return run->at == 0 && run->search->is_beginning;
	case OP_END:
	case OP_SPLIT:
	case OP_FORK:
	case OP_JUMP:
	case OP_FINAL:
		return false;
	}
	return false;
}

static void
advance(struct run *run, const struct thread_list *list, unsigned char byte,
    bool has_split)
{
	for (size_t i = 0; i < list->count; i++) {
		struct thread thread = list->threads[i];

		if (run->is_found &&
		    (!has_split || thread.split > run->found.split))
			break;
		run->steps++;
		if (!takes(run, thread.at, byte))
			continue;
		thread.at++;
		follow(run, thread, has_split);
	}
}

static unsigned char
byte_at(const struct run *run, ptrdiff_t at)
{
	return (unsigned char)run->search->area.ptr[at];
}

/* A match may begin at every byte of the text and at the newline in front of
 * it, but not at the one behind it. */
static void
begin_here(struct run *run)
{
	const struct automaton *automaton = run->automaton;
	struct thread start = {0, PTRDIFF_MIN};

	if (run->is_found || run->at >= (ptrdiff_t)run->search->area.len)
		return;
	if (automaton->is_nullable ||
	    byte_set_has(&automaton->firsts, byte_at(run, run->at)))
		follow(run, start, false);
}

/* Over what no match can begin with, while there are no threads. */
static void
skip(struct run *run)
{
	ptrdiff_t last = (ptrdiff_t)run->search->area.len;
	ptrdiff_t from = run->at;

	while (run->at < last &&
	       !byte_set_has(&run->automaton->firsts, byte_at(run, run->at)))
		run->at++;
	run->steps += (unsigned long)(run->at - from) / BYTES_OF_STEP;
	/* Another place, so nothing is reached yet; by two, since the lists
	 * take turns. */
	run->memory->step += 2;
	begin_here(run);
	follow_aside(run);
}

/* One byte. False when the answer is known. */
static bool
step(struct run *run)
{
	struct recipe_threads *memory = run->memory;
	unsigned now = memory->step % 2;
	unsigned char byte = byte_at(run, run->at);

	run->plain = &memory->plain[!now];
	run->split = &memory->split[!now];
	run->plain->count = 0;
	run->split->count = 0;
	run->at++;
	memory->step++;
	advance(run, &memory->split[now], byte, true);
	advance(run, &memory->plain[now], byte, false);
	begin_here(run);
	follow_aside(run);
	return run->is_found || !run->is_final;
}

static bool
has_threads(const struct run *run)
{
	return run->split->count > 0 ||
	       (run->plain->count > 0 && !run->is_found);
}

/* The first step: nothing but the beginning. */
static void
start(struct run *run)
{
	struct recipe_threads *memory = run->memory;

	memory->step++;
	run->plain = &memory->plain[memory->step % 2];
	run->split = &memory->split[memory->step % 2];
	run->plain->count = 0;
	run->split->count = 0;
	memory->aside.count = 0;
	begin_here(run);
	follow_aside(run);
}

static bool
is_over(struct run *run, ptrdiff_t last)
{
	if (has_threads(run))
		return run->at > last;
	if (run->is_found || run->at >= last)
		return true;
	skip(run);
	return run->at >= last && !has_threads(run);
}

enum recipe_answer
automaton_run(const struct automaton *automaton, struct recipe_matcher *matcher,
    const struct automaton_search *search, struct automaton_found *ret_found)
{
	ptrdiff_t last = (ptrdiff_t)search->area.len;
	unsigned long most = matcher->steps_left < matcher->steps_match
				 ? matcher->steps_left
				 : matcher->steps_match;
	struct run run = {.automaton = automaton,
	    .search = search,
	    .memory = memory_for(matcher, automaton->count),
	    .at = search->from};

	start(&run);
	if (run.is_found || !run.is_final)
		while (!is_over(&run, last) && step(&run) && run.steps <= most)
			continue;
	matcher->steps_left -=
	    run.steps < matcher->steps_left ? run.steps : matcher->steps_left;
	if (run.steps > most)
		return RECIPE_LIMIT;
	if (ret_found == NULL)
		return run.is_found || run.is_final ? RECIPE_MATCHED
						    : RECIPE_NO_MATCH;
	if (run.is_found) {
		*ret_found = run.found;
		return RECIPE_MATCHED;
	}
	if (!run.is_final)
		return RECIPE_NO_MATCH;
	*ret_found = (struct automaton_found){.end = run.at};
	return RECIPE_MATCHED;
}
