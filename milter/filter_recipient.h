/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recipes of one recipient: which files, what they are told, the programs
 * they run, and what their answer means for him. For milter/filter.c alone.
 */
#ifndef MILTER_FILTER_RECIPIENT_H
#define MILTER_FILTER_RECIPIENT_H

#include "milter/filter.h"

/* Fills all of it but recipient, given and is_given. */
void filter_recipient_run(const struct filter_job *job,
    struct filter_result *result, struct filter_recipient *recipient);
/* Instead, once the time for the message is over: it is put off. */
void filter_recipient_put_off(
    const struct filter_job *job, struct filter_recipient *recipient);
void filter_recipient_release(struct filter_result *result);

#endif
