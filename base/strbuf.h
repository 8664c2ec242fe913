/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A string that grows, in an arena. `data` is always NUL-terminated once
 * something was added; strbuf_slice() borrows it until the next addition.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include "base/arena.h"

struct strbuf {
	struct arena *arena;
	char *data;
	size_t len;
	size_t size;
};

void strbuf_init(struct strbuf *buf, struct arena *arena);
void strbuf_add(struct strbuf *buf, slice s);
void strbuf_add_char(struct strbuf *buf, char c);
__attribute__((format(printf, 2, 3))) void
strbuf_printf(struct strbuf *buf, const char *format, ...);
void strbuf_clear(struct strbuf *buf);
slice strbuf_slice(const struct strbuf *buf);

#endif
