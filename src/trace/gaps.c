/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/gaps.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void cul_gaps_add(struct cul_gaps *gaps, const char *fmt, ...)
{
	struct cul_str text = {0};
	char **slot;
	va_list ap;

	va_start(ap, fmt);
	cul_str_addv(&text, fmt, ap);
	va_end(ap);
	slot = text.failed ? NULL : cul_vec_push(&gaps->texts);
	if (slot)
		*slot = text.s;
	else
		cul_str_free(&text);
}

void cul_gaps_add_outsiders(struct cul_gaps *gaps)
{
	cul_gaps_add(gaps,
		"processes outside of the PID namespace (container) that culprit runs "
		"in, or with one of their own, have no number here: theirs is shown as 0");
}

void cul_gaps_free(struct cul_gaps *gaps)
{
	for (size_t i = 0; i < gaps->texts.len; i++)
		free(gaps->texts.data[i]);
	free(gaps->texts.data);
	memset(gaps, 0, sizeof(*gaps));
}
