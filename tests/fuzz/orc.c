/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any tables and any stack of a kernel, walked. The input: a byte of flags (the older form of
 * entries, arm64, hooks), one for the methods, one for the number of entries, then the entries of
 * 2 bytes of address and 6 of their own, then the stack, a word of it in 2 bytes: an address of
 * code, or of the stack with the highest bit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/kstack.h"

enum { OLD = 1, ARM64 = 2, HOOKS = 4 };
enum { CODE = 0x10000, CODE_SIZE = 0x8000, IPS = 0x100000, ENTRIES = 0x200000, WORDS = 4096 };

static const uint64_t stack_at = 0xffffc90000000000;

struct kernel {
	struct cul_mem mem;
	struct cul_orc_layout layout;
	struct cul_orc_table table;
	int32_t ips[256];
	uint8_t entries[256][6];
	bool hooks;
	uint64_t stack[WORDS];
	size_t words, frames;
	uint64_t first_sp, last_sp; /* a first record may lie below where sp was */
};

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct kernel *k = (struct kernel *)mem;

	if (addr >= IPS && addr - IPS + size <= sizeof(k->ips))
		memcpy(buf, (uint8_t *)k->ips + (addr - IPS), size);
	else if (addr >= ENTRIES && addr - ENTRIES + size <= sizeof(k->entries))
		memcpy(buf, (uint8_t *)k->entries + (addr - ENTRIES), size);
	else
		return -EFAULT;
	return 0;
}

static bool is_code(void *data, uint64_t addr)
{
	return addr >= CODE && addr < CODE + CODE_SIZE;
}

static bool is_return(void *data, uint64_t ra)
{
	return is_code(data, ra) && ra & 1;
}

static int orc(void *data, uint64_t addr, struct cul_orc_entry *out)
{
	struct kernel *k = data;

	return cul_orc_find(&k->table, &k->layout, &k->mem, addr, out);
}

static uint64_t original(void *data, uint64_t pc, uint64_t slot)
{
	return ((struct kernel *)data)->hooks && pc % 64 == 0 ? pc + slot % 4096 : pc;
}

static bool is_entry(void *data, uint64_t pc)
{
	return pc % 16 == 0;
}

static int visit(void *data, const struct cul_frame *frame)
{
	struct kernel *k = data;

	if (k->frames++ && frame->sp <= k->last_sp)
		abort();
	k->last_sp = k->frames == 1 ? k->first_sp : frame->sp;
	if (k->frames > k->words + 2)
		abort();
	return 0;
}

static void take_stack(struct kernel *k, const uint8_t *data, size_t size)
{
	for (; size >= 2 && k->words < WORDS; data += 2, size -= 2) {
		uint64_t v = data[0] | (uint64_t)data[1] << 8;

		k->stack[k->words++] = v >> 15 ? stack_at + (v & 0x7fff) : v ? CODE + v : 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cul_mem_ops ops = {.name = "fuzz", .read = read};
	static struct kernel k;
	struct cul_unwind_options options = {0};
	struct cul_kstack_code code = {
		&k, is_code, is_return, orc, original, is_entry, {.kernel_bits = 0}};
	struct cul_stack_bytes stack = {.addr = stack_at, .bytes = (const uint8_t *)k.stack};
	struct cul_kstack_start start;
	struct cul_unwind_end end;
	size_t n;

	if (size < 3)
		return 0;
	n = data[2] < (size - 3) / 8 ? data[2] : (size - 3) / 8;
	k = (struct kernel){.mem.ops = &ops, .hooks = data[0] & HOOKS};
	k.layout = (struct cul_orc_layout){6, {0, 16}, {16, 16}, {32, 4}, {36, 4},
		{40, data[0] & OLD ? 2 : 3}, {43, data[0] & OLD ? 0 : 1},
		{42, data[0] & OLD ? 1 : 0}};
	for (size_t i = 0; i < n; i++) {
		const uint8_t *e = data + 3 + 8 * i;

		k.ips[i] = CODE + (e[0] | e[1] << 8) - (int)(IPS + 4 * i);
		memcpy(k.entries[i], e + 2, 6);
	}
	take_stack(&k, data + 3 + 8 * n, size - 3 - 8 * n);
	stack.size = k.words * 8;
	if (k.words < 3 || cul_orc_table_init(&k.table, IPS, ENTRIES, n) != 0)
		return 0;
	options.methods = (unsigned)data[1] << CUL_UNWIND_FP | (data[1] ? 1u << CUL_UNWIND_ORC : 0);
	start = (struct cul_kstack_start){.pc = k.stack[0], .sp = stack_at + 24, .fp = k.stack[1]};
	start.exact = k.stack[2] & 1;
	k.first_sp = data[0] & ARM64 ? 0 : start.sp;
	if (data[0] & ARM64)
		code.records.regs_distance = k.stack[2] % 512;
	cul_kstack_walk(data[0] & ARM64 ? &cul_arch_aarch64 : &cul_arch_x86_64, &code, &start,
		&stack, &options, visit, &k, &end);
	cul_orc_table_free(&k.table);
	return 0;
}
