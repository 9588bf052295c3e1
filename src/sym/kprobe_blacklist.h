/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where kprobes may not be: debugfs' kprobes/blacklist, ranges of addresses.
 * The text is parsed as hostile.
 */
#ifndef CUL_SYM_KPROBE_BLACKLIST_H
#define CUL_SYM_KPROBE_BLACKLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cul_kprobe_blacklist;

/* `path` NULL: the file of a mounted debugfs. -ENOENT, -EACCES. */
int cul_kprobe_blacklist_open(const char *path, struct cul_kprobe_blacklist **out);
int cul_kprobe_blacklist_parse(const char *text, size_t size, struct cul_kprobe_blacklist **out);
void cul_kprobe_blacklist_free(struct cul_kprobe_blacklist *b);

/* `b` NULL: an empty list. */
bool cul_kprobe_blacklist_has(const struct cul_kprobe_blacklist *b, uint64_t addr);

#endif
