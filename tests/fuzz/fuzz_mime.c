/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message, as recipes see it decoded. What must hold: as many lines in the
 * decoded header as fields, none of them with a NUL that was not there, and
 * texts within their limits.
 */
#include "tests/fuzz/fuzz.h"

#include "milter/decode.h"
#include "policy/mail_text.h"

#include <stdlib.h>
#include <string.h>

static size_t
count(slice text, char c)
{
	size_t found = 0;

	for (size_t i = 0; i < text.len; i++)
		found += text.ptr[i] == c;
	return found;
}

static void
read_header(struct arena *arena, slice header)
{
	slice joined = mail_header_join(arena, header);
	slice decoded = decode_header(arena, header);
	size_t lines = count(joined, '\n');

	if (joined.len > 0 && joined.ptr[joined.len - 1] != '\n')
		lines++;
	if (count(decoded, '\n') != lines ||
	    count(decoded, '\0') > count(joined, '\0'))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct decode_limits limits = {
	    .input = 4096, .output = 1024, .parts = 20};
	slice text = {(const char *)data, size};
	const char *end = memmem(text.ptr, text.len, "\n\n", 2);
	size_t len = end == NULL ? text.len : (size_t)(end - text.ptr) + 2;
	struct arena *arena = arena_new(0);
	slice body;

	read_header(arena, slice_first(text, len));
	body = decode_body(
	    arena, slice_first(text, len), slice_from(text, len), &limits);
	if (body.len > limits.output + 1)
		abort();
	arena_free(arena);
	return 0;
}
