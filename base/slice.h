/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slice is a borrowed run of bytes: pointer and length, passed by value,
 * not NUL-terminated, never freed. Who owns the bytes must outlive it.
 * Comparison and folding are ASCII only, never by locale.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct slice {
	const char *ptr;
	size_t len;
} slice;

#define SLICE_INIT(s) {(s), sizeof(s) - 1}
#define SLICE(s) ((slice)SLICE_INIT(s))
#define SLICE_FMT "%.*s"
#define SLICE_ARG(s) (int)(s).len, (s).len == 0 ? "" : (s).ptr

/* A NULL string is the empty slice. */
slice slice_from_cstr(const char *s);
bool slice_eq(slice a, slice b);
bool slice_eq_nocase(slice a, slice b);
bool slice_has_prefix_nocase(slice s, slice prefix);
bool slice_has_suffix_nocase(slice s, slice suffix);
/* Index of the first (last) `c`, or s.len when there is none. */
size_t slice_index(slice s, char c);
size_t slice_last_index(slice s, char c);
/* Without blanks (space, tab, CR, LF) at both ends. */
slice slice_trim(slice s);
/* Takes the text up to `separator` off the front of *rest; false at the end. */
bool slice_next(slice *rest, char separator, slice *ret_part);
bool slice_is_number(slice s);
/* The bytes in lower case; `to` has room for them, and may be where they
 * are. */
void slice_lower_into(char *to, slice s);

/* What is asked of every byte is here for the compiler to see. */

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool
ascii_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Bytes from `from` on; an offset behind the end gives the empty slice. */
static inline slice
slice_from(slice s, size_t from)
{
	if (from >= s.len)
		return SLICE("");
	return (slice){s.ptr + from, s.len - from};
}

static inline slice
slice_first(slice s, size_t len)
{
	return (slice){s.ptr, len < s.len ? len : s.len};
}

#endif
