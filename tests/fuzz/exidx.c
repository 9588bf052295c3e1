/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ARM's unwind tables. The input: two bytes for the address that is looked up, one for how many
 * entries the index has, one of choices, then the index and the tables behind it. What comes out is
 * held to a machine that executes the instructions as EHABI32, 10.3, has them, on the registers and
 * the stack of one thread.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm/arm.h"
#include "arch/arm/exidx.h"
#include "unwind/priv.h"

enum { HEAD = 4, TABLES = 0x10000, TABLES_MOST = 0x4000, CODE = 0x8000 };

struct tables {
	struct cul_mem mem;
	const uint8_t *bytes;
	size_t size;
};

static uint8_t stack_byte(uint64_t addr)
{
	return (uint8_t)((addr >> 2) * 0x9e3779b97f4a7c15ull >> (32 + addr % 4 * 8));
}

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	const struct tables *t = (const struct tables *)mem;
	uint8_t *to = buf;

	for (size_t i = 0; i < size; i++) {
		uint64_t at = addr + i - TABLES;

		if (at < TABLES_MOST && at >= t->size)
			return -EFAULT;
		to[i] = at < t->size ? t->bytes[at] : stack_byte(addr + i);
	}
	return 0;
}

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	return -ENOENT;
}

/* The machine of the specification: r[13] is vsp. */
struct machine {
	uint32_t r[16];
	bool pc_popped;
	bool vague; /* what comes is not said, or not known here */
	struct tables *t;
};

static void pop(struct machine *m, unsigned mask)
{
	uint32_t vsp = m->r[13];
	uint8_t b[4];

	for (unsigned reg = 0; reg < 16; reg++) {
		if (!(mask >> reg & 1))
			continue;
		if (read(&m->t->mem, vsp, b, 1) != 0 || read(&m->t->mem, vsp + 3, b, 1) != 0 ||
			read(&m->t->mem, vsp, b, 4) != 0)
			m->vague = true;
		else
			m->r[reg] = b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
		vsp += 4;
	}
	if (!(mask >> 13 & 1))
		m->r[13] = vsp;
	m->pc_popped |= mask >> 15;
}

static bool with_operand(struct machine *m, uint8_t op, const uint8_t *code, size_t n, size_t *at)
{
	uint8_t arg;
	uint64_t value = 0;

	if (*at == n)
		return false;
	arg = code[(*at)++];
	switch (op) {
	case 0xb1:
		pop(m, arg);
		return arg && arg < 16;
	case 0xb2:
		for (unsigned shift = 0;; shift += 7) {
			value |= (uint64_t)(arg & 127) << shift;
			if (!(arg & 128))
				break;
			if (*at == n || shift > 21)
				return false;
			arg = code[(*at)++];
		}
		m->r[13] += 0x204 + (uint32_t)(value << 2);
		return true;
	case 0xb3:
		m->r[13] += ((arg & 15u) + 1) * 8 + 4;
		return true;
	case 0xc6:
	case 0xc8:
	case 0xc9:
		m->r[13] += ((arg & 15u) + 1) * 8;
		return true;
	case 0xc7:
		m->r[13] += 4 * (unsigned)__builtin_popcount(arg);
		return arg && arg < 16;
	}
	pop(m, ((op & 15u) << 8 | arg) << 4);
	return (op & 15) || arg;
}

/* Whether the instructions are such that one may unwind by them. */
static bool execute(struct machine *m, const uint8_t *code, size_t n)
{
	size_t at = 0;

	while (at < n) {
		uint8_t op = code[at++];

		if (op < 0x40)
			m->r[13] += (op << 2) + 4u;
		else if (op < 0x80)
			m->r[13] -= ((op & 63u) << 2) + 4;
		else if (op < 0x90 || (op >= 0xb1 && op <= 0xb3) || (op >= 0xc6 && op <= 0xc9)) {
			if (!with_operand(m, op, code, n, &at))
				return false;
		} else if (op < 0xa0) {
			if (op == 0x9d || op == 0x9f)
				return false;
			m->r[13] = m->r[op & 15];
		} else if (op < 0xb0)
			pop(m, ((2u << (op & 7)) - 1) << 4 | (op & 8 ? 1u << 14 : 0));
		else if (op == 0xb0)
			break;
		else if (op == 0xb4)
			m->r[13] += 4;
		else if (op >= 0xb8 && op < 0xc0)
			m->r[13] += ((op & 7u) + 1) * 8 + 4;
		else if (op < 0xc6 || (op >= 0xd0 && op < 0xd8)) {
			if (op == 0xb6 || op == 0xb7)
				return false;
			m->r[13] += op == 0xb5 ? 0 : ((op & 7u) + 1) * 8;
		} else
			return false;
	}
	if (!m->pc_popped)
		m->r[15] = m->r[14];
	return true;
}

static void compare(struct cul_unwinder *u, const struct cul_rules *rules, const uint8_t *code,
	size_t n, struct tables *t)
{
	struct cul_thread_regs regs = {.known = 0xffff}, got;
	struct machine m = {.t = t};
	uint64_t fail = 0;
	int ret;

	for (unsigned i = 0; i < 16; i++) {
		m.r[i] = 0x40000000 + i * 0x10040;
		regs.regs.r[i] = m.r[i];
	}
	if (!execute(&m, code, n))
		abort();
	ret = cul_unwind_apply(u, rules, &regs, &got, &fail);
	if (m.vague)
		return;
	if (ret != 0)
		abort();
	for (unsigned i = 0; i < 16; i++) {
		if (got.known >> i & 1 && got.regs.r[i] != m.r[i])
			abort();
	}
}

static struct cul_objfile *file_of(unsigned entries)
{
	struct {
		Elf32_Ehdr eh;
		Elf32_Phdr ph[2];
	} elf = {
		.eh = {.e_type = ET_EXEC,
			.e_machine = EM_ARM,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf32_Ehdr),
			.e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 2},
		.ph = {{.p_type = PT_LOAD, .p_filesz = sizeof(elf), .p_memsz = TABLES_MOST},
			{.p_type = PT_ARM_EXIDX,
				.p_vaddr = TABLES,
				.p_memsz = entries * CUL_EXIDX_ENTRY}},
	};
	struct cul_objfile *file = NULL;

	memcpy(elf.eh.e_ident, ELFMAG, SELFMAG);
	elf.eh.e_ident[EI_CLASS] = ELFCLASS32;
	elf.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	elf.eh.e_ident[EI_VERSION] = EV_CURRENT;
	if (cul_objfile_open_image(&elf, sizeof(elf), "fuzz", 0, &file) != 0)
		abort();
	return file;
}

static uint32_t word_at(const struct tables *t, uint64_t addr)
{
	uint8_t b[4];

	if (addr > UINT32_MAX - 3 || read((struct cul_mem *)t, addr, b, 4) != 0)
		return CUL_EXIDX_CANTUNWIND;
	return b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint32_t place(const struct tables *t, uint64_t addr)
{
	uint32_t word = word_at(t, addr);

	return (uint32_t)addr + (word & 0x7fffffff) + (word & 0x40000000) * 2;
}

/* The entry that covers the address, one after the other looked at. 0: none, or out of order. */
static uint64_t entry_of(const struct tables *t, unsigned entries, uint64_t lookup)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < entries; i++) {
		uint64_t at = TABLES + i * CUL_EXIDX_ENTRY;

		if (at + 8 - TABLES > t->size)
			return 0;
		if (i && place(t, at) < place(t, at - CUL_EXIDX_ENTRY))
			return 0;
		if (place(t, at) <= lookup)
			found = at;
	}
	return found;
}

/* The instructions at an entry, a byte after the other. How many; 0: none that is told here. */
static size_t instructions(const struct tables *t, uint64_t entry, uint8_t *code)
{
	uint32_t word = word_at(t, entry + 4);
	uint64_t at = entry + 4;
	size_t n = 0, words = 0, first = 1;

	if (!(word >> 31)) {
		at = place(t, at);
		word = word_at(t, at);
		if (!(word >> 31)) { /* a routine's address: its own data are behind it */
			at += 4;
			words = word_at(t, at) >> 24;
		} else if (word >> 24 == 0x81 || word >> 24 == 0x82) {
			words = word >> 16 & 255;
			first = 2;
		}
	}
	for (size_t i = 0; i <= words; i++, at += 4, first = 0) {
		word = word_at(t, at);
		for (size_t k = first; k < 4; k++)
			code[n++] = (uint8_t)(word >> (24 - 8 * k));
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cul_mem_ops ops = {.name = "fuzz", .read = read};
	struct tables t = {{&ops}};
	struct cul_unwinder *u = NULL;
	const struct cul_code_space space = {.at = at};
	struct cul_rules rules, direct;
	struct cul_objfile *file;
	uint8_t code[CUL_EXIDX_MAX_CODE + 8];
	uint64_t entry, lookup;

	if (size < HEAD || size - HEAD > TABLES_MOST)
		return 0;
	if (cul_unwinder_new(&cul_arch_arm, &t.mem, &space, &u) != 0)
		return 0;
	t.bytes = data + HEAD;
	t.size = size - HEAD;
	lookup = CODE + (data[0] | data[1] << 8);
	file = file_of(data[2]);
	if (cul_unwind_exidx(u, file, lookup, &rules) == 0) {
		entry = entry_of(&t, data[2], lookup);
		if (entry)
			compare(u, &rules, code, instructions(&t, entry, code), &t);
	}
	if (cul_exidx_rules(t.bytes, t.size, &direct) == 0)
		compare(u, &direct, t.bytes, t.size, &t);
	cul_unwinder_free(u);
	cul_objfile_free(file);
	return 0;
}
