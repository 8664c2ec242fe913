/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MUCH_MEMORY ((size_t)2 * 1024 * 1024)
#define DEFAULT_BLOCK 4096
#define LARGEST_BLOCK (1024 * 1024)

struct block {
	struct block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) char data[];
};

/* The newest block is `top`; the first follows the arena in the same
 * allocation, so that a small arena costs one malloc. */
struct arena {
	alignas(max_align_t) struct block *top;
	struct block *first;
	size_t taken;
};

static void
die_without_memory(void)
{
	(void)fputs("milterd: out of memory\n", stderr);
	abort();
}

void *
xmalloc(size_t size)
{
	void *p = malloc(size);

	if (p == NULL)
		die_without_memory();
	return p;
}

void *
xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size);

	if (p == NULL)
		die_without_memory();
	return p;
}

/* It need not follow. Of whole pages: of malloc()'s mapping no piece is left
 * out, which would keep realloc() from moving the rest. */
void
memory_prefer_large_pages(void *memory, size_t size)
{
	uintptr_t page;
	uintptr_t begin;
	uintptr_t end;

	if (size < MUCH_MEMORY)
		return;
	page = (uintptr_t)sysconf(_SC_PAGESIZE);
	begin = (uintptr_t)memory / page * page;
	end = ((uintptr_t)memory + size + page - 1) / page * page;
	(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

char *
xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}

#define OVERHEAD (sizeof(struct arena) + sizeof(struct block))

static struct arena *
arena_init(struct arena *arena, size_t first_block)
{
	arena->first = (struct block *)(void *)(arena + 1);
	arena->first->next = NULL;
	arena->first->size = first_block;
	arena->first->used = 0;
	arena->top = arena->first;
	return arena;
}

struct arena *
arena_new(size_t first_block)
{
	size_t size = first_block == 0 ? DEFAULT_BLOCK : first_block;
	struct arena *arena = xmalloc(OVERHEAD + size);

	arena->taken = OVERHEAD + size;
	return arena_init(arena, size);
}

struct arena *
arena_in(void *room, size_t size)
{
	struct arena *arena = room;

	assert((uintptr_t)room % alignof(max_align_t) == 0);
	assert(size > OVERHEAD);
	arena->taken = 0;
	return arena_init(arena, size - OVERHEAD);
}

static void
free_later_blocks(struct arena *arena)
{
	while (arena->top != arena->first) {
		struct block *older = arena->top->next;

		arena->taken -= sizeof(struct block) + arena->top->size;
		free(arena->top);
		arena->top = older;
	}
}

void
arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	free_later_blocks(arena);
	free(arena);
}

void
arena_reset(struct arena *arena)
{
	free_later_blocks(arena);
	arena->first->used = 0;
}

size_t
arena_size(const struct arena *arena)
{
	return arena->taken;
}

static void
add_block(struct arena *arena, size_t at_least)
{
	size_t size = arena->top->size * 2;
	struct block *block;

	if (size > LARGEST_BLOCK)
		size = LARGEST_BLOCK;
	if (size < at_least)
		size = at_least;
	block = xmalloc(sizeof(*block) + size);
	memory_prefer_large_pages(block, sizeof(*block) + size);
	block->next = arena->top;
	block->size = size;
	block->used = 0;
	arena->top = block;
	arena->taken += sizeof(*block) + size;
}

static void *
take(struct arena *arena, size_t size)
{
	size_t rounded;
	char *p;

	if (size > SIZE_MAX / 2)
		die_without_memory();
	rounded = (size + alignof(max_align_t) - 1) &
	    ~(alignof(max_align_t) - 1);
	if (arena->top->size - arena->top->used < rounded)
		add_block(arena, rounded);
	p = arena->top->data + arena->top->used;
	arena->top->used += rounded;
	return p;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	return memset(take(arena, size), 0, size);
}

slice
arena_copy(struct arena *arena, slice s)
{
	char *p = take(arena, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '\0';
	return (slice){p, s.len};
}

slice
arena_copy_lower(struct arena *arena, slice s)
{
	char *p = take(arena, s.len + 1);

	slice_lower_into(p, s);
	p[s.len] = '\0';
	return (slice){p, s.len};
}

char *
arena_cstr(struct arena *arena, slice s)
{
	char *p = take(arena, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '\0';
	return p;
}

slice
arena_join(struct arena *arena, slice a, slice b, slice c)
{
	const slice parts[] = {a, b, c};
	char *p = take(arena, a.len + b.len + c.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (parts[i].len > 0)
			memcpy(p + len, parts[i].ptr, parts[i].len);
		len += parts[i].len;
	}
	p[len] = '\0';
	return (slice){p, len};
}

/* Tried in the room that is left: mostly it fits, and is there already. */
slice
arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	char *room = arena->top->data + arena->top->used;
	va_list again;
	int len;
	char *p;

	va_copy(again, args);
	len =
	    vsnprintf(room, arena->top->size - arena->top->used, format, args);
	if (len < 0)
		len = 0;
	p = take(arena, (size_t)len + 1);
	if (p != room)
		(void)vsnprintf(p, (size_t)len + 1, format, again);
	p[len] = '\0';
	va_end(again);
	return (slice){p, (size_t)len};
}

slice
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	slice s;

	va_start(args, format);
	s = arena_vprintf(arena, format, args);
	va_end(args);
	return s;
}
