/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
fill(struct error *error, const char *file, unsigned line, const char *format,
    va_list args)
{
	if (error == NULL)
		return;
	(void)snprintf(error->file, sizeof(error->file), "%s", file);
	error->line = line;
	error->exit_code = 0;
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
}

bool
error_set(struct error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(error, "", 0, format, args);
	va_end(args);
	return false;
}

bool
error_at(struct error *error, const char *file, unsigned line,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(error, file, line, format, args);
	va_end(args);
	return false;
}

const char *
error_format(const struct error *error, char *buffer, size_t size)
{
	if (error->file[0] == '\0')
		(void)snprintf(buffer, size, "%s", error->text);
	else if (error->line == 0)
		(void)snprintf(buffer, size, "%s: %s", error->file, error->text);
	else
		(void)snprintf(buffer, size, "%s:%u: %s", error->file,
		    error->line, error->text);
	return buffer;
}
