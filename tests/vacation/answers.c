/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What policy/vacation.h says to a mail, for run.py:
 *
 *	answers LOGIN ADDRESS SENDER TEMPLATE MAIL
 *
 * TEMPLATE and MAIL are files. The first line is the reason, or "answer"; the
 * reply follows.
 */
#include "policy/mail_text.h"
#include "policy/vacation.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIELDS_MAX = 200, FILE_MAX = 1024 * 1024 };

static slice
read_file(struct arena *arena, const char *path)
{
	char *text = arena_alloc(arena, FILE_MAX);
	FILE *file = fopen(path, "r");
	size_t len;

	if (file == NULL) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	len = fread(text, 1, FILE_MAX, file);
	(void)fclose(file);
	return (slice){text, len};
}

int
main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);
	struct header_field fields[FIELDS_MAX];
	struct vacation_options options = {.hostname = SLICE("mx.example.com"),
	    .interval_s = 7 * 86400,
	    .interval_min_s = 86400};
	struct vacation_template template;
	struct vacation_question question = {.options = &options,
	    .template = &template,
	    .mail = {.fields = fields},
	    .now = 1795867200,
	    .unique = SLICE("1")};
	struct vacation_answer answer;
	struct mail_fields list;
	struct mail_field field;
	struct error error;
	slice mail;

	if (argc != 6)
		return EXIT_FAILURE;
	question.owner.user = slice_from_cstr(argv[1]);
	question.owner.address = slice_from_cstr(argv[2]);
	question.mail.sender = slice_from_cstr(argv[3]);
	if (!vacation_template_parse(
		arena, read_file(arena, argv[4]), &template, &error)) {
		printf("template: %s\n", error.text);
		return EXIT_SUCCESS;
	}
	mail = read_file(arena, argv[5]);
	mail_fields_init(&list, mail_text_split(mail).header);
	while (mail_fields_next(&list, &field) &&
	    question.mail.field_count < FIELDS_MAX)
		fields[question.mail.field_count++] = (struct header_field){
		    .name = field.name, .value = field.value};
	answer = vacation_decide(arena, &question);
	printf("%s\n" SLICE_FMT "\n" SLICE_FMT,
	    vacation_reason_word(answer.reason), SLICE_ARG(answer.header),
	    SLICE_ARG(answer.body));
	arena_free(arena);
	return EXIT_SUCCESS;
}
