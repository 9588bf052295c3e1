/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the core reader share. */
#ifndef CUL_MEM_CORE_PRIV_H
#define CUL_MEM_CORE_PRIV_H

#include "mem/core.h"
#include "mem/elf_head.h"

enum { CORE_WINDOW = 4096 };

struct core_reader {
	struct cul_core core; /* first */
	struct cul_mem mem;
	int fd;
	struct cul_elf_head head;
	int (*fill)(void *data, uint64_t addr, void *buf, size_t size);
	void *fill_data;
	unsigned n_notes; /* looked at, of all segments */
	bool files_tried;
	/* Bytes of the file around the last small read. */
	uint64_t window;
	size_t window_len;
	uint8_t window_bytes[CORE_WINDOW];
};

/* All of the bytes, or -ENODATA where the file ends before. */
int cul_core_file_read(struct core_reader *r, uint64_t offset, void *buf, size_t size);
/* A segment of notes: [start, end) of the file. What was read before is kept. -ENOMEM. */
int cul_core_read_notes(struct core_reader *r, uint64_t start, uint64_t end);

#endif
