/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What milterd's formail makes of a message: the options are the arguments,
 * the message is the standard input, the result the standard output, and the
 * exit status is the real program's.
 */
#include "policy/formail.h"
#include "policy/mail_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static slice
read_all(struct arena *arena)
{
	struct strbuf text;
	char buffer[4096];
	size_t got;

	strbuf_init(&text, arena);
	while ((got = fread(buffer, 1, sizeof(buffer), stdin)) > 0)
		strbuf_add(&text, (slice){buffer, got});
	return strbuf_slice(&text);
}

static int
run(struct arena *arena, const struct formail *formail)
{
	struct mail_text mail = mail_text_split(read_all(arena));
	struct formail_message message = {.header = mail.header,
	    .body = mail.body,
	    .message_id = {"<new@id.test>", 13}};
	struct formail_message result = formail_run(formail, arena, &message);

	(void)fwrite(result.header.ptr, 1, result.header.len, stdout);
	(void)fwrite(result.body.ptr, 1, result.body.len, stdout);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);
	slice *words = ARENA_ARRAY(arena, slice, (size_t)argc);
	struct formail *formail;
	struct error error;
	int status = EX_USAGE;

	for (int i = 1; i < argc; i++)
		words[i - 1] = slice_from_cstr(argv[i]);
	switch (
	    formail_parse(arena, words, (size_t)argc - 1, &formail, &error)) {
	case FORMAIL_READY:
		status = run(arena, formail);
		break;
	case FORMAIL_USAGE:
		(void)fprintf(stderr, "%s\n", error.text);
		break;
	case FORMAIL_UNKNOWN:
		status = EX_UNAVAILABLE;
		break;
	}
	arena_free(arena);
	return status;
}
