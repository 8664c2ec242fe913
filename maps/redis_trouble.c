/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/redis_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct {
	const char *name;
	bool is_fatal;
} troubles[REDIS_TROUBLES] = {
	[REDIS_NO_TROUBLE] = {"none", false},
	[REDIS_UNREACHABLE] = {"unreachable", true},
	[REDIS_TIMED_OUT] = {"timed out", true},
	[REDIS_CLOSED] = {"connection closed", true},
	[REDIS_GARBAGE] = {"not Redis", true},
	[REDIS_BAD_TLS] = {"TLS failed", true},
	[REDIS_NO_MASTER] = {"no master", true},
	[REDIS_CLUSTER] = {"Redis Cluster", true},
	[REDIS_FULL] = {"too many clients", true},
	[REDIS_DENIED] = {"denied", false},
	[REDIS_LOADING] = {"LOADING", true},
	[REDIS_READONLY] = {"READONLY", false},
	[REDIS_MASTERDOWN] = {"MASTERDOWN", false},
	[REDIS_NOREPLICAS] = {"NOREPLICAS", false},
	[REDIS_OOM] = {"OOM", false},
	[REDIS_MISCONF] = {"MISCONF", false},
	[REDIS_BUSY] = {"BUSY", false},
	[REDIS_WRONGTYPE] = {"WRONGTYPE", false},
	[REDIS_OTHER] = {"error", false},
};

/* How error replies begin. */
static const struct {
	slice text;
	enum redis_trouble trouble;
} replies[] = {
	{SLICE_INIT("LOADING "), REDIS_LOADING},
	{SLICE_INIT("READONLY "), REDIS_READONLY},
	{SLICE_INIT("MASTERDOWN "), REDIS_MASTERDOWN},
	{SLICE_INIT("NOREPLICAS "), REDIS_NOREPLICAS},
	{SLICE_INIT("NOGOODSLAVE "), REDIS_NOREPLICAS},
	{SLICE_INIT("OOM "), REDIS_OOM},
	{SLICE_INIT("MISCONF "), REDIS_MISCONF},
	{SLICE_INIT("BUSY "), REDIS_BUSY},
	{SLICE_INIT("NOAUTH "), REDIS_DENIED},
	{SLICE_INIT("WRONGPASS "), REDIS_DENIED},
	{SLICE_INIT("NOPERM "), REDIS_DENIED},
	{SLICE_INIT("ERR invalid password"), REDIS_DENIED},
	{SLICE_INIT("ERR AUTH <password> called without"), REDIS_DENIED},
	{SLICE_INIT("CLUSTERDOWN "), REDIS_CLUSTER},
	{SLICE_INIT("MOVED "), REDIS_CLUSTER},
	{SLICE_INIT("ASK "), REDIS_CLUSTER},
	{SLICE_INIT("CROSSSLOT "), REDIS_CLUSTER},
	{SLICE_INIT("ERR max number of clients"), REDIS_FULL},
	{SLICE_INIT("WRONGTYPE "), REDIS_WRONGTYPE},
};
/* clang-format on */

const char *
redis_trouble_name(enum redis_trouble trouble)
{
	return troubles[trouble].name;
}

bool
redis_trouble_is_fatal(enum redis_trouble trouble)
{
	return troubles[trouble].is_fatal;
}

enum redis_trouble
redis_trouble_from_reply(slice text)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		if (slice_has_prefix_nocase(text, replies[i].text))
			return replies[i].trouble;
	}
	return REDIS_OTHER;
}

void
redis_problem_set(struct redis_problem *problem, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
	for (char *p = problem->text; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
}
