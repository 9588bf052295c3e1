/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as code and stack of a thread of any architecture, unwound without tables. The input:
 * one byte for the architecture, one for the methods, then 40 registers of 2 bytes, then code and
 * stack in halves. And the same bytes as ARM's unwinding instructions.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/arm/exidx.h"
#include "unwind/unwind.h"

enum { HEAD = 2 + CUL_MAX_REGS * 2, CODE = 0x10000, STACK = 0x20000, LIMIT = 5000 };

struct thread {
	struct cul_mem mem;
	const uint8_t *code, *stack;
	size_t size;
};

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct thread *t = (struct thread *)mem;
	uint64_t base = addr < STACK ? CODE : STACK;

	if (addr < base || addr - base > t->size || size > t->size - (addr - base))
		return -1;
	memcpy(buf, (base == CODE ? t->code : t->stack) + (addr - base), size);
	return 0;
}

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	struct thread *t = data;

	*out = (struct cul_code_at){.executable = addr >= CODE && addr - CODE < t->size};
	return 0;
}

static int function(void *data, uint64_t addr, uint64_t *start)
{
	*start = CODE;
	return addr & 1 ? 0 : -1;
}

static bool next(void *data, size_t *cursor, struct cul_code_range *out)
{
	struct thread *t = data;

	*out = (struct cul_code_range){CODE, CODE + t->size, *cursor % 2};
	return (*cursor)++ < 2;
}

static void tables(const uint8_t *data, size_t size)
{
	uint32_t words[64];
	uint8_t code[CUL_EXIDX_MAX_CODE];
	struct cul_rules rules;
	size_t want, n = size / 4 < 64 ? size / 4 : 64;
	int len;

	cul_exidx_rules(data, size, &rules);
	memcpy(words, data, n * 4);
	len = cul_exidx_code(words, n, code, &want);
	if (len > CUL_EXIDX_MAX_CODE)
		abort();
	if (len > 0)
		cul_exidx_rules(code, (size_t)len, &rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cul_arch *const arches[] = {&cul_arch_x86_64, &cul_arch_aarch64,
		&cul_arch_arm, &cul_arch_mips, &cul_arch_mipsel, &cul_arch_mips64,
		&cul_arch_mips64el};
	static const struct cul_mem_ops ops = {.name = "fuzz", .read = read};
	const struct cul_arch *arch;
	struct cul_unwind_options options = {.max_frames = LIMIT};
	struct cul_thread_regs regs = {.known = ~0ull};
	struct cul_unwinder *u = NULL;
	struct cul_stack stack = {0};
	struct thread t = {{&ops}};
	struct cul_code_space space = {&t, at, function, next};

	tables(data, size);
	if (size < HEAD)
		return 0;
	arch = arches[data[0] % (sizeof(arches) / sizeof(arches[0]))];
	options.methods = data[1];
	for (unsigned i = 0; i < CUL_MAX_REGS; i++)
		regs.regs.r[i] = STACK + (data[2 + i * 2] | data[3 + i * 2] << 8);
	t.size = (size - HEAD) / 2;
	t.code = data + HEAD;
	t.stack = t.code + t.size;
	regs.regs.r[arch->reg_ip] = regs.regs.r[arch->reg_ip] - STACK + CODE;
	if (cul_unwinder_new(arch, &t.mem, &space, &u) != 0)
		return 0;
	if (cul_stack_walk(u, &regs, &options, &stack) != 0 || !stack.frames.len ||
		stack.depth > LIMIT)
		abort();
	cul_stack_free(&stack);
	cul_unwinder_free(u);
	return 0;
}
