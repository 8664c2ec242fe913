/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of the files named as arguments, as recipes see them decoded:
 * for each the header, a byte 1, the body and a byte 2.
 */
#include "maps/text.h"
#include "milter/decode.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_message(struct arena *arena, slice text)
{
	const char *end = memmem(text.ptr, text.len, "\n\n", 2);
	size_t len = end == NULL ? text.len : (size_t)(end - text.ptr) + 2;
	slice header = slice_first(text, len);
	slice body = slice_from(text, len);
	slice parts[2] = {decode_header(arena, header),
	    decode_body(arena, header, body, NULL)};

	for (int i = 0; i < 2; i++) {
		(void)fwrite(parts[i].ptr, 1, parts[i].len, stdout);
		(void)putchar(i + 1);
	}
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct arena *arena = arena_new(0);
		struct text_file file;
		struct error error;

		if (!text_file_read(argv[i], true, arena, &file, &error))
			errx(66, "%s", error.text);
		print_message(arena, file.content);
		arena_free(arena);
	}
	return EXIT_SUCCESS;
}
