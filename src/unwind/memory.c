/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory as a walk sees it: a stack is read a word at a time, upwards, and a system call for each
 * would be most of the cost.
 */
#include "unwind/priv.h"

#include <errno.h>
#include <string.h>

static struct memory_line *line_of(struct cul_unwinder *u, uint64_t addr)
{
	uint64_t start = addr & ~(uint64_t)(MEMORY_LINE - 1);
	struct memory_line *line = &u->lines[start / MEMORY_LINE % MEMORY_LINES];

	if (line->valid && line->addr == start)
		return line;
	line->addr = start;
	line->valid = true;
	line->unreadable = cul_mem_read(u->mem, start, line->bytes, MEMORY_LINE) != 0;
	return line;
}

int cul_unwind_read(struct cul_unwinder *u, uint64_t addr, void *buf, size_t size)
{
	char *to = buf;

	if (size > UINT64_MAX - addr)
		return -EFAULT;
	while (size) {
		struct memory_line *line = line_of(u, addr);
		size_t at = addr % MEMORY_LINE;
		size_t n = size < MEMORY_LINE - at ? size : MEMORY_LINE - at;
		int ret;

		if (!line->unreadable) {
			memcpy(to, line->bytes + at, n);
		} else {
			/* Of a core that was cut the rest of the line may be there. */
			ret = cul_mem_read(u->mem, addr, to, n);
			if (ret != 0)
				return ret;
		}
		to += n;
		addr += n;
		size -= n;
	}
	return 0;
}

int cul_unwind_read_number(struct cul_unwinder *u, uint64_t addr, unsigned size, uint64_t *value)
{
	uint8_t bytes[8];
	uint64_t v = 0;
	int ret;

	if (size == 0 || size > sizeof(bytes))
		return -EBADMSG;
	ret = cul_unwind_read(u, addr, bytes, size);
	if (ret != 0)
		return ret;
	for (unsigned i = 0; i < size; i++)
		v = v << 8 | bytes[u->arch->big_endian ? i : size - 1 - i];
	*value = v;
	return 0;
}

int cul_unwind_read_word(struct cul_unwinder *u, uint64_t addr, uint64_t *value)
{
	return cul_unwind_read_number(u, addr & u->mask, u->arch->word, value);
}

void cul_unwind_memory_forget(struct cul_unwinder *u)
{
	for (size_t i = 0; i < MEMORY_LINES; i++)
		u->lines[i].valid = false;
}

int cul_unwind_read_code(struct cul_unwinder *u, uint64_t addr, void *buf, size_t size)
{
	struct cul_code_at at;

	if (cul_unwind_read(u, addr, buf, size) == 0)
		return 0;
	if (u->code.at(u->code.data, addr, &at) != 0 || !at.file)
		return -EFAULT;
	return cul_objfile_bytes(at.file, addr, buf, size);
}
