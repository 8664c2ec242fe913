/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of loading: configuration, maps, sockets. A function that can fail
 * returns bool and fills a struct error; run-time lookups have results of
 * their own (maps/map.h) and do not use this.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/slice.h"

struct error {
	char text[512];
	char file[256]; /* empty: no file is to blame */
	unsigned line;	/* 0: no line is to blame */
	int exit_code;	/* sysexits(3) value for who exits of it; 0: EX_CONFIG */
};

/* Always false, so that a caller can `return error_set(...)`. `error` may be
 * NULL. */
__attribute__((format(printf, 2, 3))) bool
error_set(struct error *error, const char *format, ...);
__attribute__((format(printf, 4, 5))) bool
error_at(struct error *error, const char *file, unsigned line,
    const char *format, ...);
/* "file:line: text", "file: text" or "text"; returns `buffer`. */
const char *error_format(
    const struct error *error, char *buffer, size_t size);

#endif
