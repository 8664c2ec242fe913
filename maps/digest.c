/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two lanes take eight bytes at a time. Each step is one to one in the lane as
 * in the bytes, so that a change within eight bytes changes both lanes
 * whatever follows.
 */
#include "maps/digest.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

static uint64_t
turn(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void
take(struct digest *digest, uint64_t word)
{
	digest->word[0] =
	    turn(digest->word[0] ^ word, 29) * 0x9e3779b97f4a7c15U;
	digest->word[1] =
	    turn(digest->word[1] + word, 37) * 0xc2b2ae3d27d4eb4fU;
}

static uint64_t
mix(uint64_t word)
{
	word = (word ^ (word >> 33)) * 0xff51afd7ed558ccdU;
	word = (word ^ (word >> 33)) * 0xc4ceb9fe1a85ec53U;
	return word ^ (word >> 33);
}

struct digest
digest_of(slice bytes)
{
	struct digest digest = {{0x243f6a8885a308d3U, 0x13198a2e03707344U}};
	uint64_t word;
	size_t at = 0;

	for (; bytes.len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, bytes.ptr + at, sizeof(word));
		take(&digest, le64toh(word));
	}
	word = 0;
	if (at < bytes.len)
		memcpy(&word, bytes.ptr + at, bytes.len - at);
	take(&digest, le64toh(word));
	take(&digest, bytes.len);
	digest.word[0] = mix(digest.word[0]);
	digest.word[1] = mix(digest.word[1]);
	return digest;
}

bool
digest_eq(struct digest a, struct digest b)
{
	return a.word[0] == b.word[0] && a.word[1] == b.word[1];
}

slice
digest_text(struct digest digest, struct arena *arena)
{
	return arena_printf(
	    arena, "%016" PRIx64 "%016" PRIx64, digest.word[0], digest.word[1]);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
digest_parse(slice text, struct digest *ret_digest)
{
	struct digest digest = {{0, 0}};

	if (text.len != DIGEST_TEXT)
		return false;
	for (size_t i = 0; i < DIGEST_TEXT; i++) {
		int value = hex_value(text.ptr[i]);

		if (value < 0)
			return false;
		digest.word[i / 16] =
		    digest.word[i / 16] << 4 | (uint64_t)value;
	}
	*ret_digest = digest;
	return true;
}
