/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "cmd/command.h"

void cul_progress_show(void *data, const char *what, size_t done, size_t of)
{
	enum { SILENT_MS = 2000, EACH_MS = 200 };
	struct cul_progress *p = data;
	uint64_t now = cul_clock_now() / 1000000;

	if (!what && p->last)
		fputs("\r\033[K", stderr);
	if (!what)
		p->last = 0;
	if (!what || !done) {
		p->start = now;
		return;
	}
	if (now - p->start < SILENT_MS || now - p->last < EACH_MS)
		return;
	p->last = now;
	fprintf(stderr, "\rculprit: %s: %zu of %zu\033[K", what, done, of);
}
