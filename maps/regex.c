/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine code runs on 32 KB of the thread's own stack first, which is enough
 * for nearly every match and costs nothing; only where that is too little a
 * larger stack is made, for this one call. So there is nothing to keep per
 * thread, and nothing to leak when libmilter ends one.
 */
#include "maps/regex.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define JIT_STACK_FIRST (32 * 1024)

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
	size_t groups;
	size_t bytes;
	bool has_jit;
	bool is_utf; /* by flag or by "(*UTF)" */
};

struct option_word {
	unsigned ours;
	uint32_t theirs;
};

static uint32_t
translate(unsigned ours, const struct option_word *words, size_t count)
{
	uint32_t theirs = 0;

	for (size_t i = 0; i < count; i++)
		if ((ours & words[i].ours) != 0)
			theirs |= words[i].theirs;
	return theirs;
}

static uint32_t
compile_options(unsigned flags)
{
	/* clang-format off */
	static const struct option_word words[] = {
		{REGEX_CASELESS, PCRE2_CASELESS},
		{REGEX_MULTILINE, PCRE2_MULTILINE},
		{REGEX_DOTALL, PCRE2_DOTALL},
		{REGEX_EXTENDED, PCRE2_EXTENDED},
		{REGEX_ANCHORED, PCRE2_ANCHORED},
		{REGEX_UNGREEDY, PCRE2_UNGREEDY},
		{REGEX_DOLLAR_END, PCRE2_DOLLAR_ENDONLY},
		{REGEX_UTF, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF},
		{REGEX_NO_GROUPS, PCRE2_NO_AUTO_CAPTURE},
	};
	/* clang-format on */
	return translate(flags, words, sizeof(words) / sizeof(words[0]));
}

static uint32_t
match_options(unsigned options)
{
	/* clang-format off */
	static const struct option_word words[] = {
		{REGEX_HERE, PCRE2_ANCHORED},
		{REGEX_NOT_BOL, PCRE2_NOTBOL},
		{REGEX_NOT_EOL, PCRE2_NOTEOL},
		{REGEX_NOT_EMPTY, PCRE2_NOTEMPTY},
	};
	/* clang-format on */
	return translate(options, words, sizeof(words) / sizeof(words[0]));
}

static pcre2_match_context *
make_limits(void)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);

	if (limits == NULL)
		return NULL;
	(void)pcre2_set_match_limit(limits, REGEX_MATCH_LIMIT);
	(void)pcre2_set_depth_limit(limits, REGEX_DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(limits, REGEX_HEAP_LIMIT_KB);
	return limits;
}

static PCRE2_SPTR
bytes_of(slice text)
{
	return (PCRE2_SPTR)(text.len == 0 ? "" : text.ptr);
}

static pcre2_code *
compile(slice pattern, unsigned flags, int *ret_problem, size_t *ret_offset)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	*ret_offset = 0;
	if (context == NULL) {
		*ret_problem = PCRE2_ERROR_NOMEMORY;
		return NULL;
	}
	(void)pcre2_set_max_pattern_length(context, REGEX_PATTERN_MAX);
	code = pcre2_compile(bytes_of(pattern), pattern.len,
	    compile_options(flags), ret_problem, ret_offset, context);
	pcre2_compile_context_free(context);
	return code;
}

static void
measure(struct regex *regex)
{
	uint32_t groups = 0;
	uint32_t options = 0;
	size_t code = 0;
	size_t jit = 0;

	(void)pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	(void)pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &code);
	(void)pcre2_pattern_info(regex->code, PCRE2_INFO_JITSIZE, &jit);
	regex->groups = groups;
	regex->bytes = sizeof(*regex) + code + jit;
	regex->has_jit = jit != 0;
	(void)pcre2_pattern_info(
	    regex->code, PCRE2_INFO_ALLOPTIONS, &options);
	regex->is_utf = (options & PCRE2_UTF) != 0;
}

static void
describe(int problem, struct regex_error *ret_error)
{
	PCRE2_UCHAR text[sizeof(ret_error->text)];

	if (pcre2_get_error_message(problem, text, sizeof(text)) < 0)
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
		    "error %d", problem);
	else
		memcpy(ret_error->text, text, sizeof(text));
}

struct regex *
regex_compile(slice pattern, unsigned flags, struct regex_error *ret_error)
{
	struct regex *regex;
	int problem;
	size_t offset;
	pcre2_code *code = compile(pattern, flags, &problem, &offset);

	if (code == NULL) {
		describe(problem, ret_error);
		ret_error->offset = offset;
		return NULL;
	}
	regex = xmalloc(sizeof(*regex));
	regex->code = code;
	regex->limits = make_limits();
	if (regex->limits == NULL) {
		regex_free(regex);
		describe(PCRE2_ERROR_NOMEMORY, ret_error);
		ret_error->offset = 0;
		return NULL;
	}
	/* Where there is none the interpreter does it: -48 is the answer to
	 * MemoryDenyWriteExecute=. */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	measure(regex);
	return regex;
}

void
regex_free(struct regex *regex)
{
	if (regex == NULL)
		return;
	pcre2_match_context_free(regex->limits);
	pcre2_code_free(regex->code);
	free(regex);
}

size_t
regex_groups(const struct regex *regex)
{
	return regex->groups;
}

size_t
regex_bytes(const struct regex *regex)
{
	return regex->bytes;
}

bool
regex_has_jit(const struct regex *regex)
{
	return regex->has_jit;
}

static const char *
limit_name(int result)
{
	switch (result) {
	case PCRE2_ERROR_CALLOUT:
		return "step limit";
	case PCRE2_ERROR_MATCHLIMIT:
		return "match limit";
	case PCRE2_ERROR_DEPTHLIMIT:
		return "depth limit";
	case PCRE2_ERROR_HEAPLIMIT:
		return "memory limit";
	case PCRE2_ERROR_JIT_STACKLIMIT:
		return "stack limit";
	case PCRE2_ERROR_DFA_WSSIZE:
	case PCRE2_ERROR_DFA_RECURSE:
		return "state limit";
	case PCRE2_ERROR_DFA_UITEM:
	case PCRE2_ERROR_DFA_UCOND:
	case PCRE2_ERROR_DFA_UFUNC:
	case PCRE2_ERROR_DFA_UINVALID_UTF:
		return "unsupported item";
	case PCRE2_ERROR_NOMEMORY:
		return "memory";
	default:
		return result >= PCRE2_ERROR_UTF8_ERR21 &&
			       result <= PCRE2_ERROR_UTF8_ERR1
			   ? "text is not UTF-8"
			   : "error";
	}
}

static int
run(const struct regex *regex, const struct regex_subject *subject,
    pcre2_match_data *data, pcre2_match_context *limits)
{
	return pcre2_match(regex->code, bytes_of(subject->text),
	    subject->text.len, subject->from, match_options(subject->options),
	    data, limits);
}

/* Once more, with a stack of its own. */
static int
run_on_large_stack(const struct regex *regex,
    const struct regex_subject *subject, pcre2_match_data *data)
{
	pcre2_match_context *limits = pcre2_match_context_copy(regex->limits);
	pcre2_jit_stack *stack =
	    pcre2_jit_stack_create(JIT_STACK_FIRST, REGEX_JIT_STACK_MAX, NULL);
	int result = PCRE2_ERROR_NOMEMORY;

	if (limits != NULL && stack != NULL) {
		pcre2_jit_stack_assign(limits, NULL, stack);
		result = run(regex, subject, data, limits);
	}
	pcre2_jit_stack_free(stack);
	pcre2_match_context_free(limits);
	return result;
}

static void
take_groups(slice text, pcre2_match_data *data, const struct regex *regex,
    struct regex_match *ret_match)
{
	const size_t *offsets = pcre2_get_ovector_pointer(data);

	for (size_t i = 0; i < ret_match->room; i++) {
		ret_match->groups[i] = (slice){NULL, 0};
		/* \K can put a match's start behind its end. */
		if (i > regex->groups || offsets[2 * i] == PCRE2_UNSET ||
		    offsets[2 * i] > offsets[2 * i + 1])
			continue;
		ret_match->groups[i] =
		    (slice){(const char *)bytes_of(text) + offsets[2 * i],
			offsets[2 * i + 1] - offsets[2 * i]};
	}
}

/* What a callout costs beside the bytes. */
#define STEPS_OF_CALLOUT 8

struct payment {
	unsigned long *steps;
	size_t at;
};

static int
on_payment(pcre2_callout_block *place, void *context)
{
	struct payment *payment = context;
	size_t at = place->current_position;
	size_t moved =
	    at > payment->at ? at - payment->at : payment->at - at;

	payment->at = at;
	if (moved + STEPS_OF_CALLOUT > *payment->steps) {
		*payment->steps = 0;
		return PCRE2_ERROR_CALLOUT;
	}
	*payment->steps -= moved + STEPS_OF_CALLOUT;
	return 0;
}

struct regex_room {
	pcre2_match_data *data;
	pcre2_match_context *paid; /* NULL before a match is paid for */
};

/* pcre2_match() comes to the same, after many questions. */
static int
run_quickly(const struct regex *regex, const struct regex_subject *subject,
    pcre2_match_data *data, pcre2_match_context *limits)
{
	if (regex->has_jit && !regex->is_utf && subject->options == 0 &&
	    subject->from <= subject->text.len)
		return pcre2_jit_match(regex->code, bytes_of(subject->text),
		    subject->text.len, subject->from, 0, data, limits);
	return run(regex, subject, data, limits);
}

/* The limits are those of all patterns. */
static int
run_paid(const struct regex *regex, const struct regex_subject *subject,
    struct regex_room *room)
{
	struct payment payment = {subject->steps, subject->from};

	if (room->paid == NULL)
		room->paid = make_limits();
	if (room->paid == NULL)
		return PCRE2_ERROR_NOMEMORY;
	(void)pcre2_set_callout(room->paid, on_payment, &payment);
	return run_quickly(regex, subject, room->data, room->paid);
}

static int
run_within_limits(const struct regex *regex,
    const struct regex_subject *subject, struct regex_room *room)
{
	pcre2_match_data *data = room->data;
	int result;

	if (subject->steps != NULL)
		return run_paid(regex, subject, room);
	result = run_quickly(regex, subject, data, regex->limits);
	if (result == PCRE2_ERROR_JIT_STACKLIMIT)
		result = run_on_large_stack(regex, subject, data);
	return result;
}

static bool
make_room(struct regex_room *room, size_t groups)
{
	*room = (struct regex_room){
	    .data = pcre2_match_data_create((uint32_t)groups + 1, NULL)};
	return room->data != NULL;
}

static void
give_room_back(struct regex_room *room)
{
	pcre2_match_data_free(room->data);
	pcre2_match_context_free(room->paid);
}

struct regex_room *
regex_room_new(size_t groups)
{
	struct regex_room *room = xmalloc(sizeof(*room));

	if (make_room(room, groups))
		return room;
	free(room);
	return NULL;
}

void
regex_room_free(struct regex_room *room)
{
	if (room == NULL)
		return;
	give_room_back(room);
	free(room);
}

enum regex_result
regex_match(const struct regex *regex, const struct regex_subject *subject,
    struct regex_match *ret_match)
{
	struct regex_room own = {.data = NULL};
	struct regex_room *room = ret_match->memory;
	int result = PCRE2_ERROR_NOMEMORY;

	if (room == NULL && make_room(&own, regex->groups))
		room = &own;
	if (room != NULL)
		result = run_within_limits(regex, subject, room);
	if (result >= 0)
		take_groups(subject->text, room->data, regex, ret_match);
	give_room_back(&own);
	if (result >= 0)
		return REGEX_MATCH;
	if (result == PCRE2_ERROR_NOMATCH)
		return REGEX_NO_MATCH;
	ret_match->limit = limit_name(result);
	return REGEX_LIMIT;
}
