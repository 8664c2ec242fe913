/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/duration.h"

static unsigned long long
seconds_of(char unit)
{
	switch (ascii_lower(unit)) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 7 * 86400;
	default:
		return 0;
	}
}

bool
duration_parse(slice text, char default_unit, unsigned long long *ret_seconds)
{
	char unit = default_unit;
	unsigned long long number = 0;

	if (text.len > 0 && !ascii_is_digit(text.ptr[text.len - 1])) {
		unit = text.ptr[text.len - 1];
		text = slice_trim(slice_first(text, text.len - 1));
	}
	if (!slice_is_number(text) || text.len > 9 || seconds_of(unit) == 0)
		return false;
	for (size_t i = 0; i < text.len; i++)
		number = number * 10 + (unsigned long long)(text.ptr[i] - '0');
	*ret_seconds = number * seconds_of(unit);
	return true;
}
