/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A milterd.conf. What must hold: it is read, or refused with a text and, but
 * for files that cannot be read at all, a line.
 */
#include "tests/fuzz/fuzz.h"

#include "milter/settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *directory = getenv("FUZZ_DIRECTORY");
	struct arena *arena = arena_new(0);
	struct settings settings;
	struct error error = {0};
	/* A file that was just written is let rest before it is read. */
	static const struct timespec long_ago[2] = {{1, 0}, {1, 0}};
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/fuzzed.conf",
	    directory == NULL ? "." : directory);
	file = fopen(path, "we");
	if (file == NULL ||
	    (size > 0 && fwrite(data, size, 1, file) != 1) ||
	    fclose(file) != 0 ||
	    utimensat(AT_FDCWD, path, long_ago, 0) != 0)
		abort();
	if (!settings_read(path, arena, &settings, &error) &&
	    error.text[0] == '\0')
		abort();
	arena_free(arena);
	return 0;
}
