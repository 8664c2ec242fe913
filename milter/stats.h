/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `milterctl stats`: what has been done since the daemon began, as mailstats(8)
 * tells it of sendmail. Any thread.
 */
#ifndef MILTER_STATS_H
#define MILTER_STATS_H

#include "base/strbuf.h"
#include "milter/service.h"

/* Lines of "name: value". */
void stats_write_text(struct service *service, struct strbuf *out);
/* One line, one object. */
void stats_write_json(struct service *service, struct strbuf *out);

#endif
