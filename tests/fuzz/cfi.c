/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the file that covers a thread's code: its .eh_frame, .debug_frame or .ARM.exidx, by
 * which one frame after the other is found in a stack of addresses of that file.
 */
#include <stdlib.h>
#include <string.h>

#include "unwind/unwind.h"

enum { BASE = 0x400000, STACK = 0x20000, STACK_SIZE = 0x4000, LIMIT = 200 };

struct thread {
	struct cul_mem mem;
	struct cul_objfile *file;
	const uint8_t *bytes;
	size_t size;
	uint64_t stack[STACK_SIZE / 8];
};

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct thread *t = (struct thread *)mem;

	if (addr >= BASE && addr - BASE <= t->size && size <= t->size - (addr - BASE)) {
		memcpy(buf, t->bytes + (addr - BASE), size);
		return 0;
	}
	if (addr < STACK || addr - STACK > STACK_SIZE || size > STACK_SIZE - (addr - STACK))
		return -1;
	memcpy(buf, (const uint8_t *)t->stack + (addr - STACK), size);
	return 0;
}

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	struct thread *t = data;

	*out = (struct cul_code_at){.executable = addr >= BASE && addr - BASE < t->size};
	if (out->executable)
		out->file = t->file;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cul_arch *const arches[] = {
		&cul_arch_x86_64, &cul_arch_aarch64, &cul_arch_arm, &cul_arch_mipsel};
	static const struct cul_mem_ops ops = {.name = "fuzz", .read = read};
	/* The rest is for frames.c: here it would take nearly all of the time. */
	const struct cul_unwind_options options = {
		.max_frames = LIMIT, .methods = ~(1u << CUL_UNWIND_CODE | 1u << CUL_UNWIND_SCAN)};
	static struct thread t;
	struct cul_code_space space = {.data = &t, .at = at};
	const struct cul_arch *arch = NULL;

	t = (struct thread){.mem.ops = &ops, .bytes = data, .size = size};
	for (size_t i = 0; i < STACK_SIZE / 8; i++)
		t.stack[i] = BASE + i * 37 % (size + 1);
	if (cul_objfile_open_image(data, size, "fuzz", BASE, &t.file) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++)
		if (arches[i]->elf_machine == cul_objfile_machine(t.file))
			arch = arches[i];
	for (uint64_t pc = 0; arch && pc < size; pc += size / 4 + 1) {
		struct cul_thread_regs regs = {.known = ~0ull};
		struct cul_unwinder *u = NULL;
		struct cul_stack stack = {0};

		for (unsigned i = 0; i < CUL_MAX_REGS; i++)
			regs.regs.r[i] = STACK + i * 8;
		regs.regs.r[arch->reg_ip] = BASE + pc;
		if (cul_unwinder_new(arch, &t.mem, &space, &u) != 0)
			break;
		if (cul_stack_walk(u, &regs, &options, &stack) != 0 || stack.depth > LIMIT)
			abort();
		cul_stack_free(&stack);
		cul_unwinder_free(u);
	}
	cul_objfile_free(t.file);
	return 0;
}
