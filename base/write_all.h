/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes all of it to a file or the like that blocks; not for sockets. False:
 * errno says why, and a part may be written. */
#ifndef BASE_WRITE_ALL_H
#define BASE_WRITE_ALL_H

#include "base/slice.h"

bool write_all(int fd, slice bytes);

#endif
