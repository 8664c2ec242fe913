/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A digest names bytes: 128 bits that change when a bit of them does. It finds
 * damage and tells contents apart; it does not prove who wrote them.
 */
#ifndef MAPS_DIGEST_H
#define MAPS_DIGEST_H

#include "base/arena.h"

#include <stdint.h>

struct digest {
	uint64_t word[2];
};

#define DIGEST_TEXT 32

struct digest digest_of(slice bytes);
bool digest_eq(struct digest a, struct digest b);
/* DIGEST_TEXT hexadecimal digits, in the arena. */
slice digest_text(struct digest digest, struct arena *arena);
bool digest_parse(slice text, struct digest *ret_digest);

#endif
