/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of a process by name. */
#include <string.h>

#include "sym/process.h"

size_t cul_process_frames(
	struct cul_process_syms *p, uint64_t addr, struct cul_where *out, size_t max)
{
	struct cul_objfile *file = cul_process_object_at(p, addr, NULL);
	struct cul_process_where at;
	size_t n = file ? cul_objfile_frames(file, addr, out, max) : 0;

	if (n)
		return n;
	cul_process_at(p, addr, &at);
	out[0] = (struct cul_where){.addr = addr,
		.offset = at.offset,
		.module = at.object,
		.file = at.file,
		.line = at.line};
	return 1;
}
