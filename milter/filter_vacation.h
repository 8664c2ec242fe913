/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vacation (milter/vacation.h) for those recipients of a filtered message who
 * get it: their own mailbox or a folder of theirs has it.
 */
#ifndef MILTER_FILTER_VACATION_H
#define MILTER_FILTER_VACATION_H

#include "milter/filter.h"
#include "milter/vacation.h"

/* *ret_job is complete; *ret_recipients live in the job's arena. */
void filter_vacation(const struct filter_job *job,
    const struct filter_result *result, bool is_submitted,
    struct vacation_job *ret_job, struct vacation_recipient **ret_recipients,
    size_t *ret_count);

#endif
