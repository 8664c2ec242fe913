/* SPDX-License-Identifier: BSD-2-Clause */
/* An address as the commands have it, within angle brackets: "Path" of RFC
 * 5321, 4.1.2. */
#ifndef POLICY_PATH_H
#define POLICY_PATH_H

#include "base/arena.h"
#include "base/slice.h"

static inline bool
path_has_brackets(slice path)
{
	return path.len >= 2 && path.ptr[0] == '<' &&
	       path.ptr[path.len - 1] == '>';
}

/* What is not within brackets stays as it is. */
static inline slice
path_address(slice path)
{
	return path_has_brackets(path) ? (slice){path.ptr + 1, path.len - 2}
				       : path;
}

static inline slice
path_of(struct arena *arena, slice address)
{
	return arena_printf(arena, "<" SLICE_FMT ">", SLICE_ARG(address));
}

#endif
