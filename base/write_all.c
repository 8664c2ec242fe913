/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/write_all.h"

#include <errno.h>
#include <unistd.h>

bool
write_all(int fd, slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = slice_from(bytes, (size_t)n);
	}
	return true;
}
