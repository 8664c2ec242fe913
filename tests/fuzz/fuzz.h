/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzz targets share: a policy with every table, and a daemon's
 * service without a daemon. Each target is a program of its own that libFuzzer
 * drives (tests/fuzz/run.sh).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/strbuf.h"
#include "milter/service.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Publishes a generation with every table and class filled, and starts a
 * resolver that nobody answers; once, and the same at every call. */
struct service *fuzz_service(void);

/* A whole request as a door reads it: frame() until it is satisfied. */
#define FUZZ_DOOR(frame, answer, data, size) \
	do { \
		slice input = {(const char *)(data), (size)}; \
		struct service *service = fuzz_service(); \
		struct arena *arena = arena_new(0); \
		struct strbuf reply; \
		size_t len = 0; \
		strbuf_init(&reply, arena); \
		if (frame(input, true, &len) == FRAME_WHOLE) { \
			if (len == 0 || len > input.len) \
				abort(); \
			(void)answer(service, arena, \
			    slice_first(input, len), &reply); \
		} \
		arena_free(arena); \
	} while (0)

#endif
