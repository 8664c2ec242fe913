/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of maps that name parts of what was looked up: "%0" is the key, "%1"
 * to "%9" are the lookup's arguments, "%%" is a percent sign; an argument that
 * the lookup does not have is empty (Sendmail Installation and Operation
 * Guide, "K -- Key File Declaration").
 */
#ifndef POLICY_TEMPLATE_H
#define POLICY_TEMPLATE_H

#include "base/arena.h"

/* The value itself where nothing is to be filled in. */
slice template_fill(
    struct arena *arena, slice value, const slice *arguments, size_t count);

#endif
