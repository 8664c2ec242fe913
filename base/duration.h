/* SPDX-License-Identifier: BSD-2-Clause */
/* Times as people write them: "90s", "15m", "2h", "3d", "1w". */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/slice.h"

/* In seconds; blanks may stand before the unit, a number alone is of
 * `default_unit`, and of none where that is '\0'. False: it is no such time, or
 * the number has more than 9 digits. */
bool duration_parse(
    slice text, char default_unit, unsigned long long *ret_seconds);

#endif
