/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An arena is the memory of one lifetime: a snapshot, a connection, a
 * message. Everything in it is freed at once. Not thread-safe: one thread at
 * a time, which libmilter guarantees for a session.
 *
 * Allocation never fails: when the system has no memory left the process says
 * so and aborts. Growth that a client controls is bounded before it comes
 * here (milter/session.c).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

#include <stdarg.h>

struct arena;

/* `first_block`: bytes to reserve at once, 0 for a default of 4 KB. */
struct arena *arena_new(size_t first_block);
/* In the caller's own memory, on the stack, say, aligned for any type. What it
 * takes beyond that is given back by arena_reset(); it must not be freed. */
struct arena *arena_in(void *room, size_t size);
void arena_free(struct arena *arena);
/* Forgets what was allocated, keeps the first block for the next use. */
void arena_reset(struct arena *arena);
/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
/* Bytes taken from the system. */
size_t arena_size(const struct arena *arena);
/* NUL-terminated copies; the NUL is not counted in the slice. */
slice arena_copy(struct arena *arena, slice s);
slice arena_copy_lower(struct arena *arena, slice s);
char *arena_cstr(struct arena *arena, slice s);
/* The three one behind the other. */
slice arena_join(struct arena *arena, slice a, slice b, slice c);
__attribute__((format(printf, 2, 3))) slice
arena_printf(struct arena *arena, const char *format, ...);
slice arena_vprintf(struct arena *arena, const char *format, va_list args);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, n) \
	((type *)arena_alloc((arena), sizeof(type) * (n)))

/* As malloc and realloc, but without failure: they abort with a line. */
void *xmalloc(size_t size);
/* Where there is much of it: the system is asked for large pages, of which it
 * has to hand out fewer while the memory is filled. */
void memory_prefer_large_pages(void *memory, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);

#endif
