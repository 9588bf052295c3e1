/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/mem.h"

#include <string.h>

/* No kernel has smaller pages: what shares such a block is readable as a whole or not at all. */
enum { PAGE = 4096, CHUNK = 256 };

int cul_mem_read_string(struct cul_mem *mem, uint64_t addr, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		size_t n = PAGE - ((addr + len) & (PAGE - 1));
		int ret;

		if (n > CHUNK)
			n = CHUNK;
		if (n > size - 1 - len)
			n = size - 1 - len;
		ret = cul_mem_read(mem, addr + len, buf + len, n);
		if (ret < 0) {
			buf[len] = '\0';
			return ret;
		}
		if (memchr(buf + len, '\0', n))
			return 0;
		len += n;
	}
	buf[len] = '\0';
	return 0;
}

bool cul_mem_is_gone(struct cul_mem *mem)
{
	return mem->ops->is_gone && mem->ops->is_gone(mem);
}

const char *cul_mem_name(const struct cul_mem *mem)
{
	return mem->ops->name ? mem->ops->name : "memory";
}

void cul_mem_free(struct cul_mem *mem)
{
	if (mem)
		mem->ops->free(mem);
}
