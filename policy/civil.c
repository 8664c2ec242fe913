/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/civil.h"

enum { DAY = 86400, YEAR_MAX = 9999 };

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const weekdays[] = {
    "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Days from 1970 to the start of the year. */
static int64_t
days_before_year(int64_t year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

/* Exactly `digits` of them at the front of *rest. */
static bool
take_number(slice *rest, size_t digits, int *ret_number)
{
	int number = 0;

	if (rest->len < digits)
		return false;
	for (size_t i = 0; i < digits; i++) {
		if (!ascii_is_digit(rest->ptr[i]))
			return false;
		number = number * 10 + (rest->ptr[i] - '0');
	}
	*rest = slice_from(*rest, digits);
	*ret_number = number;
	return true;
}

static bool
take_char(slice *rest, char c)
{
	if (rest->len == 0 || rest->ptr[0] != c)
		return false;
	*rest = slice_from(*rest, 1);
	return true;
}

static bool
parse_time(slice rest, int *ret_seconds)
{
	int hour;
	int minute;

	if (!take_number(&rest, 2, &hour) || !take_char(&rest, ':') ||
	    !take_number(&rest, 2, &minute) || rest.len > 0 || hour > 23 ||
	    minute > 59)
		return false;
	*ret_seconds = hour * 3600 + minute * 60;
	return true;
}

bool
civil_parse(slice text, int64_t *ret_seconds, bool *ret_has_time)
{
	slice rest = slice_trim(text);
	int seconds = 0;
	int year;
	int month;
	int day;
	int64_t days;

	if (!take_number(&rest, 4, &year) || !take_char(&rest, '-') ||
	    !take_number(&rest, 2, &month) || !take_char(&rest, '-') ||
	    !take_number(&rest, 2, &day) || year < 1970 || month < 1 ||
	    month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	*ret_has_time = rest.len > 0;
	if (*ret_has_time && !take_char(&rest, 'T') &&
	    !ascii_is_space(rest.ptr[0]))
		return false;
	if (*ret_has_time && !parse_time(slice_trim(rest), &seconds))
		return false;
	days = days_before_year(year) + day - 1;
	for (int m = 1; m < month; m++)
		days += days_in_month(year, m);
	*ret_seconds = days * DAY + seconds;
	return true;
}

slice
civil_format(struct arena *arena, int64_t now, int offset)
{
	int64_t local = now + offset < 0 ? 0 : now + offset;
	int64_t days = local / DAY;
	int left = (int)(local % DAY);
	int away = offset < 0 ? -offset : offset;
	int year = (int)(1970 + days / 366);
	int month = 1;
	int day;

	while (year < YEAR_MAX && days_before_year(year + 1) <= days)
		year++;
	day = (int)(days - days_before_year(year));
	while (month < 12 && day >= days_in_month(year, month))
		day -= days_in_month(year, month++);
	return arena_printf(arena, "%s, %d %s %04d %02d:%02d:%02d %c%02d%02d",
	    weekdays[days % 7], day + 1, months[month - 1], year, left / 3600,
	    left / 60 % 60, left % 60, offset < 0 ? '-' : '+', away / 3600,
	    away / 60 % 60);
}
