/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as ftrace's list of functions and as the kprobes' blacklist. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sym/ftrace_list.h"
#include "sym/kprobe_blacklist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two walks see the same. */
static void walk(const struct cul_ftrace_list *l)
{
	struct cul_ftrace_line line;
	size_t cursor = 0, first = 0, second = 0;

	while (cul_ftrace_list_next(l, &cursor, &line))
		first += 1 + strlen(line.name) + strlen(line.module) + (line.addr != 0);
	cursor = 0;
	while (cul_ftrace_list_next(l, &cursor, &line))
		second += 1 + strlen(line.name) + strlen(line.module) + (line.addr != 0);
	if (first != second)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cul_ftrace_list *l = NULL;
	struct cul_kprobe_blacklist *b = NULL;

	if (cul_ftrace_list_parse((const char *)data, size, &l) == 0)
		walk(l);
	if (cul_kprobe_blacklist_parse((const char *)data, size, &b) == 0)
		for (uint64_t bit = 0; bit < 64; bit++)
			cul_kprobe_blacklist_has(b, 1ull << bit);
	cul_ftrace_list_free(l);
	cul_kprobe_blacklist_free(b);
	return 0;
}
