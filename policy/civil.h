/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Gregorian calendar by arithmetic alone: no clock, no zone, no locale.
 * Years 1970 to 9999.
 */
#ifndef POLICY_CIVIL_H
#define POLICY_CIVIL_H

#include "base/arena.h"

#include <stdint.h>

/* "2026-12-20" or "2026-12-20 08:00", blanks or a "T" between them, as the
 * seconds from the start of 1970 to then, in whatever zone is meant. */
bool civil_parse(slice text, int64_t *ret_seconds, bool *ret_has_time);
/* "Sun, 20 Dec 2026 08:00:00 +0100" (RFC 5322, 3.3); `offset` in seconds. */
slice civil_format(struct arena *arena, int64_t now, int offset);

#endif
