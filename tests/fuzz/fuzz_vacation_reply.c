/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vacation message, a NUL byte, and the header of a mail it answers. What
 * must hold of every reply: its header is fields of printable ASCII in lines
 * short enough, to the sender alone, marked as automatic; and nothing but its
 * template gave it a field.
 */
#include "tests/fuzz/fuzz.h"

#include "policy/vacation.h"

#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 64, LINE_LONGEST = 998 };

static size_t
split_fields(slice rest, struct header_field *fields)
{
	size_t count = 0;

	while (rest.len > 0 && count < FIELDS_MAX) {
		size_t end = slice_index(rest, '\n');
		size_t colon;

		while (end + 1 < rest.len &&
		    (rest.ptr[end + 1] == ' ' || rest.ptr[end + 1] == '\t'))
			end += 1 + slice_index(slice_from(rest, end + 1), '\n');
		colon = slice_index(slice_first(rest, end), ':');
		fields[count++] = (struct header_field){
		    .name = slice_first(rest, colon),
		    .value = slice_from(slice_first(rest, end), colon + 1)};
		rest = slice_from(rest, end + 1);
	}
	return count;
}

static void
check_line(slice line)
{
	if (line.len > LINE_LONGEST || slice_trim(line).len == 0)
		abort();
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if (c < ' ' || c >= 0x7f)
			abort();
	}
	if (line.ptr[0] == ' ')
		return;
	if (slice_index(line, ':') == line.len ||
	    slice_index(line, ' ') < slice_index(line, ':') ||
	    slice_has_prefix_nocase(line, SLICE("bcc:")) ||
	    slice_has_prefix_nocase(line, SLICE("cc:")) ||
	    slice_has_prefix_nocase(line, SLICE("vacation-")))
		abort();
}

static void
check_reply(const struct vacation_template *template,
    const struct vacation_answer *answer)
{
	unsigned fields = 0;
	unsigned recipients = 0;
	bool is_marked = false;
	slice rest = answer->header;
	slice line;

	while (slice_next(&rest, '\n', &line)) {
		check_line(line);
		fields += line.ptr[0] != ' ';
		recipients += slice_eq(line, SLICE("To: <bob@b.test>"));
		is_marked = is_marked ||
		    slice_eq(line,
			SLICE("Auto-Submitted: auto-replied (vacation)"));
	}
	if (recipients != 1 || !is_marked ||
	    fields > template->field_count + 12 || answer->key.len > 511)
		abort();
	if (memchr(answer->body.ptr, '\0', answer->body.len) != NULL ||
	    memchr(answer->body.ptr, '\r', answer->body.len) != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vacation_options options = {
	    .hostname = SLICE_INIT("mx.a.test"),
	    .interval_s = 86400,
	    .interval_min_s = 60};
	slice all = {(const char *)data, size};
	size_t nul = slice_index(all, '\0');
	struct header_field fields[FIELDS_MAX];
	struct arena *arena = arena_new(0);
	struct vacation_template template;
	struct vacation_question question = {.options = &options,
	    .template = &template,
	    .owner = {.user = SLICE("ann"), .address = SLICE("ann@a.test")},
	    .mail = {.sender = SLICE("<bob@b.test>"), .fields = fields},
	    .now = 1795867200,
	    .unique = SLICE("1")};
	struct vacation_answer answer;

	question.mail.field_count =
	    split_fields(slice_from(all, nul + 1), fields);
	if (vacation_template_parse(
		arena, slice_first(all, nul), &template, NULL)) {
		answer = vacation_decide(arena, &question);
		if (answer.reason == VACATION_ANSWER)
			check_reply(&template, &answer);
	}
	arena_free(arena);
	return 0;
}
