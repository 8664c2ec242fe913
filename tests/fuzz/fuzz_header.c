/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A header value. What must hold: spans lie in the value, in order, one behind
 * the other; and rewriting leaves every byte outside of them.
 */
#include "tests/fuzz/fuzz.h"

#include "milter/reload.h"
#include "policy/header.h"
#include "policy/message.h"

#include <stdlib.h>
#include <string.h>

static void
check_spans(slice value)
{
	struct header_parser parser;
	size_t end = 0;
	slice span;

	header_parser_init(&parser, value);
	while (header_next(&parser, &span) == HEADER_ADDRESS) {
		size_t at = (size_t)(span.ptr - value.ptr);

		if (span.len == 0 || at < end || at + span.len > value.len)
			abort();
		end = at + span.len;
	}
}

/* The bytes before the first span and behind the last one stay. */
static void
check_edges(slice before, slice after)
{
	struct header_parser parser;
	size_t first = before.len;
	size_t last = 0;
	slice span;

	header_parser_init(&parser, before);
	while (header_next(&parser, &span) == HEADER_ADDRESS) {
		size_t at = (size_t)(span.ptr - before.ptr);

		first = at < first ? at : first;
		last = at + span.len;
	}
	if (after.len < first + before.len - last ||
	    memcmp(before.ptr, after.ptr, first) != 0 ||
	    memcmp(before.ptr + last,
		after.ptr + after.len - (before.len - last),
		before.len - last) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice value = {(const char *)data, size};
	slice recipient = SLICE("<x@far.test>");
	struct header_field field = {SLICE("From"), value, 1};
	struct message_input input = {.sender = SLICE("<>"),
	    .recipients = &recipient, .recipient_count = 1,
	    .fields = &field, .field_count = 1};
	struct service *service = fuzz_service();
	struct generation *generation = current_acquire();
	struct arena *arena = arena_new(0);
	struct resolver_session names = {service->resolver, 1};
	struct ports ports;
	struct session session = {.sender = SLICE("<>")};
	struct decision d = {.policy = generation->policy,
	    .ports = &ports, .session = &session, .arena = arena};
	struct message_result result;

	check_spans(value);
	resolver_ports(&names, &ports);
	result = rewrite_message(&d, &input);
	for (struct edit *e = result.edits.first; e != NULL; e = e->next) {
		if (e->kind == EDIT_CHANGE_HEADER)
			check_edges(value, e->text);
	}
	arena_free(arena);
	generation_release(generation);
	return 0;
}
