/* SPDX-License-Identifier: BSD-2-Clause */
/* A request at a door, framed and answered as its server does it. */
#include "milter/socketmap.c"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FUZZ_DOOR(frame, answer, data, size);
	return 0;
}
