/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

void
strbuf_init(struct strbuf *buf, struct arena *arena)
{
	*buf = (struct strbuf){.arena = arena};
}

static void
reserve(struct strbuf *buf, size_t more)
{
	size_t size = buf->size == 0 ? 64 : buf->size;
	char *grown;

	if (buf->len + more < buf->size)
		return;
	while (size <= buf->len + more)
		size *= 2;
	grown = arena_alloc(buf->arena, size);
	if (buf->len > 0)
		memcpy(grown, buf->data, buf->len);
	buf->data = grown;
	buf->size = size;
}

void
strbuf_add(struct strbuf *buf, slice s)
{
	reserve(buf, s.len);
	if (s.len > 0)
		memcpy(buf->data + buf->len, s.ptr, s.len);
	buf->len += s.len;
	buf->data[buf->len] = '\0';
}

void
strbuf_add_char(struct strbuf *buf, char c)
{
	reserve(buf, 1);
	buf->data[buf->len++] = c;
	buf->data[buf->len] = '\0';
}

void
strbuf_printf(struct strbuf *buf, const char *format, ...)
{
	size_t room = buf->size - buf->len;
	va_list args;
	va_list again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(
	    room == 0 ? NULL : buf->data + buf->len, room, format, args);
	va_end(args);
	if (len > 0 && (size_t)len >= room) {
		reserve(buf, (size_t)len);
		(void)vsnprintf(
		    buf->data + buf->len, (size_t)len + 1, format, again);
	}
	if (len > 0)
		buf->len += (size_t)len;
	va_end(again);
}

void
strbuf_clear(struct strbuf *buf)
{
	buf->len = 0;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

slice
strbuf_slice(const struct strbuf *buf)
{
	return buf->len == 0 ? SLICE("") : (slice){buf->data, buf->len};
}
