/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes are a core file: its headers, notes and memory, and a few of its stacks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/core.h"
#include "stack/source.h"
#include "unwind/process.h"

enum { THREADS = 4, FRAMES = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct cul_core *core)
{
	uint8_t bytes[300];
	uint64_t last = 0;

	if (core->threads.len == 0 || core->threads.len > CUL_CORE_MAX_THREADS)
		abort();
	for (size_t i = 0; i < core->segments.len; i++) {
		const struct cul_core_segment *s = &core->segments.data[i];

		if (s->start < last || s->end <= s->start || s->held > s->end - s->start ||
			(s->held && (s->offset > core->size || s->held > core->size - s->offset)))
			abort();
		last = s->end;
		cul_mem_read(cul_core_mem(core), s->start, bytes, sizeof(bytes));
		cul_mem_read(cul_core_mem(core), s->end - 1, bytes, sizeof(bytes));
		if (cul_core_held(core, s->start, bytes, sizeof(bytes)) > s->held)
			abort();
		if (i > 1000)
			break;
	}
	last = 0;
	for (size_t i = 0; i < core->files.len; i++) {
		const struct cul_core_file *f = &core->files.data[i];

		if (f->start < last || f->end <= f->start || strlen(f->path) > core->size)
			abort();
		last = f->end;
	}
}

static void walk(struct cul_stack_source *source)
{
	const struct cul_unwind_options options = {.max_frames = FRAMES};
	struct cul_unwind_process *code = NULL;
	struct cul_unwinder *unwinder = NULL;
	struct cul_code_space space;

	if (cul_unwind_process_new(source->syms, source->mem, &code) != 0)
		return;
	space = cul_unwind_process_space(code);
	if (cul_unwinder_new(source->arch, source->mem, &space, &unwinder) == 0) {
		for (size_t i = 0; i < source->threads.len && i < THREADS; i++) {
			struct cul_stack stack = {0};
			const uint8_t *id;

			cul_stack_walk(unwinder, &source->threads.data[i].regs, &options, &stack);
			for (size_t k = 0; k < stack.frames.len; k++) {
				uint64_t pc = stack.frames.data[k].frame.pc;
				struct cul_process_where where;

				cul_process_at(source->syms, pc, &where);
				cul_process_build_id(source->syms, pc, &id);
			}
			cul_stack_free(&stack);
		}
	}
	cul_unwinder_free(unwinder);
	cul_unwind_process_free(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cul_stack_options options = {.sysroot = "/nonexistent"};
	struct cul_stack_source source = {0};
	struct cul_core *core = NULL;
	struct cul_error err;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (cul_core_open(path, &core, &err) == 0) {
		check(core);
		cul_core_free(core);
		options.core = path;
		options.exe = size & 1 ? path : NULL;
		if (cul_stack_from_core(&options, &source, &err) == 0)
			walk(&source);
		cul_stack_source_free(&source);
	} else if (!err.text[0]) {
		abort();
	}
	close(fd);
	return 0;
}
