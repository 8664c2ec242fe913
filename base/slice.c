/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/slice.h"

#include <stdint.h>
#include <string.h>

slice
slice_from_cstr(const char *s)
{
	return s == NULL ? SLICE("") : (slice){s, strlen(s)};
}

bool
slice_eq(slice a, slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
slice_eq_nocase(slice a, slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	}
	return true;
}

bool
slice_has_prefix_nocase(slice s, slice prefix)
{
	return s.len >= prefix.len &&
	    slice_eq_nocase(slice_first(s, prefix.len), prefix);
}

bool
slice_has_suffix_nocase(slice s, slice suffix)
{
	return s.len >= suffix.len &&
	    slice_eq_nocase(slice_from(s, s.len - suffix.len), suffix);
}

size_t
slice_index(slice s, char c)
{
	const char *hit = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);

	return hit == NULL ? s.len : (size_t)(hit - s.ptr);
}

size_t
slice_last_index(slice s, char c)
{
	for (size_t i = s.len; i > 0; i--) {
		if (s.ptr[i - 1] == c)
			return i - 1;
	}
	return s.len;
}

slice
slice_trim(slice s)
{
	while (s.len > 0 && ascii_is_space(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && ascii_is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool
slice_next(slice *rest, char separator, slice *ret_part)
{
	size_t end;

	if (rest->len == 0)
		return false;
	end = slice_index(*rest, separator);
	*ret_part = slice_first(*rest, end);
	*rest = slice_from(*rest, end + 1);
	return true;
}

bool
slice_is_number(slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.ptr[i]))
			return false;
	}
	return s.len > 0;
}

/* Eight bytes at a time: bit 7 of a byte says whether it is a capital. */
static uint64_t
lower_eight(uint64_t bytes)
{
	const uint64_t each = 0x0101010101010101U;
	uint64_t seven_bits = bytes & 0x7f * each;
	uint64_t from_a = seven_bits + (0x80 - 'A') * each;
	uint64_t behind_z = seven_bits + (0x80 - 'Z' - 1) * each;
	uint64_t capitals = from_a & ~behind_z & ~bytes & 0x80 * each;

	return bytes | capitals >> 2;
}

void
slice_lower_into(char *to, slice s)
{
	size_t at = 0;

	for (; at + sizeof(uint64_t) <= s.len; at += sizeof(uint64_t)) {
		uint64_t bytes;

		memcpy(&bytes, s.ptr + at, sizeof(bytes));
		bytes = lower_eight(bytes);
		memcpy(to + at, &bytes, sizeof(bytes));
	}
	for (; at < s.len; at++)
		to[at] = ascii_lower(s.ptr[at]);
}
