/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `milterctl status`: what the daemon serves and has done. Any thread.
 */
#ifndef MILTER_STATUS_H
#define MILTER_STATUS_H

#include "base/strbuf.h"
#include "milter/load.h"
#include "milter/service.h"

/* Lines of "name: value". */
void status_write_text(struct service *service,
    const struct generation *generation, struct strbuf *out);
/* One line, one object. */
void status_write_json(struct service *service,
    const struct generation *generation, struct strbuf *out);

#endif
