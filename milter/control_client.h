/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's end of the control socket (milter/control.h states the
 * protocol). One thread, blocking.
 */
#ifndef MILTER_CONTROL_CLIENT_H
#define MILTER_CONTROL_CLIENT_H

#include "base/arena.h"
#include "base/error.h"

#define CONTROL_NOT_RUNNING 3

/* Asks and waits for the answer. *ret_body is what stands before the last
 * line, also on failure (a batch answers until its first bad line). False:
 * error->text says why and error->exit_code what to exit with;
 * CONTROL_NOT_RUNNING when nobody answers at `address`. */
bool control_ask(slice address, slice request, struct arena *arena,
    slice *ret_body, struct error *error);

#endif
