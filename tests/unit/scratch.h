/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory for the files of one test, and what it takes to fill it. */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include "base/slice.h"

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char scratch[PATH_MAX / 2];

static inline void
scratch_make(const char *below)
{
	(void)snprintf(
	    scratch, sizeof(scratch), "%s/milterd-test-XXXXXX", below);
	ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static inline int
scratch_remove_one(
    const char *path, const struct stat *st, int flag, struct FTW *place)
{
	(void)st;
	(void)flag;
	(void)place;
	return remove(path);
}

static inline void
scratch_remove(void)
{
	ck_assert_int_eq(
	    nftw(scratch, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The result is good until the fourth call after it. */
static inline const char *
scratch_path(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, PATH_MAX, "%s/%s", scratch, name);
	return path;
}

static inline const char *
scratch_write(const char *name, slice content)
{
	const char *path = scratch_path(name);
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(
	    fwrite(content.ptr, 1, content.len, file), content.len);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

#endif
