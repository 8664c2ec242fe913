/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words on lines up to an empty one, a message behind them. What must hold:
 * fields taken apart give the header again, options that are understood give a
 * header that ends, and the body is never longer than the message.
 */
#include "policy/formail.h"
#include "policy/mail_text.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_fields(slice header)
{
	struct mail_fields fields;
	struct mail_field field;
	const char *at;

	mail_fields_init(&fields, header);
	at = fields.rest.ptr;
	while (mail_fields_next(&fields, &field)) {
		if (field.whole.ptr != at || field.whole.len == 0)
			abort();
		at += field.whole.len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice rest = {(const char *)data, size};
	slice words[8];
	size_t count = 0;
	struct arena *arena = arena_new(0);
	struct mail_text mail;
	struct formail *formail;
	struct error error;

	while (count < 8 && slice_next(&rest, '\n', &words[count]) &&
	       words[count].len > 0)
		count++;
	mail = mail_text_split(rest);
	if (mail.header.len + mail.body.len != rest.len)
		abort();
	check_fields(mail.header);
	(void)mail_header_join(arena, mail.header);
	(void)mail_value_unfold(arena, mail.header);
	if (formail_parse(arena, words, count, &formail, &error) ==
	    FORMAIL_READY) {
		struct formail_message message = {
		    .header = mail.header, .body = mail.body};
		struct formail_message result =
		    formail_run(formail, arena, &message);

		if (result.header.len > 0 &&
		    result.header.ptr[result.header.len - 1] != '\n')
			abort();
		if (result.body.len > size)
			abort();
	}
	arena_free(arena);
	return 0;
}
