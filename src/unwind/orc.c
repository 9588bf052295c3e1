/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/orc.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { CHUNK = 1024 }; /* words of the table that are read at once */

/* struct pt_regs of x86_64 (uapi/asm/ptrace.h): what the processor pushes begins with ip. */
enum {
	REGS_R13 = 16,
	REGS_BP = 32,
	REGS_R10 = 56,
	REGS_DX = 96,
	REGS_DI = 112,
	REGS_IP = 128,
	REGS_CS = 136,
	REGS_SP = 152,
};

const struct cul_orc_entry cul_orc_frame_pointer = {
	.type = CUL_ORC_CALL,
	.sp_reg = CUL_ORC_REG_BP,
	.sp_offset = 16,
	.bp_reg = CUL_ORC_REG_PREV_SP,
	.bp_offset = -16,
};

static int take_field(const struct cul_type *t, const char *name, unsigned size, unsigned bits,
	struct cul_orc_field *out)
{
	struct cul_member m;
	uint64_t n;

	if (cul_type_member(t, name, &m, NULL) != 0 || !m.type)
		return -ENOENT;
	n = m.bit_size ? m.bit_size : m.type->size * 8;
	if (n == 0 || n > bits || m.bit_offset > 64 || m.bit_offset + n > 8 * size)
		return -EBADMSG;
	*out = (struct cul_orc_field){(uint8_t)m.bit_offset, (uint8_t)n};
	return 0;
}

int cul_orc_layout(
	const struct cul_type *orc_entry, struct cul_orc_layout *out, struct cul_error *err)
{
	struct cul_orc_layout l = {.size = (unsigned)orc_entry->size};
	bool good = orc_entry->size > 0 && orc_entry->size <= 8;

	good = good && take_field(orc_entry, "sp_offset", l.size, 16, &l.sp_offset) == 0 &&
	       take_field(orc_entry, "bp_offset", l.size, 16, &l.bp_offset) == 0 &&
	       take_field(orc_entry, "sp_reg", l.size, 8, &l.sp_reg) == 0 &&
	       take_field(orc_entry, "bp_reg", l.size, 8, &l.bp_reg) == 0 &&
	       take_field(orc_entry, "type", l.size, 8, &l.type) == 0 &&
	       take_field(orc_entry, "signal", l.size, 1, &l.signal) != -EBADMSG &&
	       take_field(orc_entry, "end", l.size, 1, &l.end) != -EBADMSG;
	if (!good)
		return cul_fail(err, -EBADMSG,
			"this kernel's ORC tables (struct orc_entry) are of a form that is not "
			"known");
	*out = l;
	return 0;
}

static uint64_t field(uint64_t word, struct cul_orc_field f)
{
	return f.bits ? word >> f.at & ((1ull << f.bits) - 1) : 0;
}

static int16_t offset(uint64_t word, struct cul_orc_field f)
{
	return (int16_t)(field(word, f) << (16 - f.bits)) >> (16 - f.bits);
}

void cul_orc_decode(
	const struct cul_orc_layout *layout, const uint8_t *bytes, struct cul_orc_entry *out)
{
	/* Before 6.4 there were no types for what is not known and for the end. */
	static const uint8_t types[] = {
		CUL_ORC_UNDEFINED, CUL_ORC_END, CUL_ORC_CALL, CUL_ORC_REGS, CUL_ORC_REGS_PARTIAL};
	bool old = layout->end.bits != 0;
	uint64_t word = 0, type;

	memcpy(&word, bytes, layout->size);
	word = le64toh(word);
	*out = (struct cul_orc_entry){
		.sp_offset = offset(word, layout->sp_offset),
		.bp_offset = offset(word, layout->bp_offset),
		.sp_reg = (uint8_t)field(word, layout->sp_reg),
		.bp_reg = (uint8_t)field(word, layout->bp_reg),
	};
	type = field(word, layout->type) + (old ? CUL_ORC_CALL : 0);
	out->type = type < sizeof(types) ? types[type] : CUL_ORC_UNDEFINED;
	if (old && out->sp_reg == CUL_ORC_REG_UNDEFINED)
		out->type = field(word, layout->end) ? CUL_ORC_END : CUL_ORC_UNDEFINED;
	out->signal =
		layout->signal.bits ? field(word, layout->signal) != 0 : out->type >= CUL_ORC_REGS;
}

int cul_orc_table_init(struct cul_orc_table *t, uint64_t ips, uint64_t entries, size_t n)
{
	if (n > CUL_ORC_MAX_ENTRIES)
		return -EBADMSG;
	*t = (struct cul_orc_table){.ips = ips, .entries = entries, .n = n};
	return 0;
}

void cul_orc_table_free(struct cul_orc_table *t)
{
	free(t->kept);
	free(t->have);
	*t = (struct cul_orc_table){0};
}

static int address_of(struct cul_orc_table *t, struct cul_mem *mem, size_t i, uint64_t *addr)
{
	size_t chunk = i / CHUNK, first = chunk * CHUNK;
	size_t n = t->n - first < CHUNK ? t->n - first : CHUNK;
	int ret;

	if (!t->have[chunk]) {
		ret = cul_mem_read(mem, t->ips + first * sizeof(*t->kept), &t->kept[first],
			n * sizeof(*t->kept));
		if (ret != 0)
			return ret;
		t->have[chunk] = 1;
	}
	*addr = t->ips + i * sizeof(*t->kept) + (uint64_t)(int64_t)(int32_t)le32toh(t->kept[i]);
	return 0;
}

static int make_room(struct cul_orc_table *t)
{
	if (!t->kept)
		t->kept = cul_calloc(t->n, sizeof(*t->kept));
	if (!t->have)
		t->have = cul_calloc(t->n / CHUNK + 1, sizeof(*t->have));
	return t->kept && t->have ? 0 : -ENOMEM;
}

int cul_orc_find(struct cul_orc_table *t, const struct cul_orc_layout *layout, struct cul_mem *mem,
	uint64_t addr, struct cul_orc_entry *out)
{
	size_t first = 0, last = t->n; /* the entry wanted is in [first - 1, last) */
	uint8_t bytes[8];
	uint64_t at = 0;
	int ret;

	if (t->n == 0)
		return -ENOENT;
	ret = make_room(t);
	while (ret == 0 && first < last) {
		size_t middle = first + (last - first) / 2;

		ret = address_of(t, mem, middle, &at);
		if (at <= addr)
			first = middle + 1;
		else
			last = middle;
	}
	if (ret == 0 && first == 0)
		return -ENOENT;
	if (ret == 0)
		ret = cul_mem_read(mem, t->entries + (first - 1) * (uint64_t)layout->size, bytes,
			layout->size);
	if (ret == 0)
		cul_orc_decode(layout, bytes, out);
	return ret;
}

bool cul_stack_word(const struct cul_stack_bytes *stack, uint64_t addr, uint64_t *value)
{
	if (addr < stack->addr || stack->size < sizeof(*value) ||
		addr - stack->addr > stack->size - sizeof(*value))
		return false;
	memcpy(value, stack->bytes + (addr - stack->addr), sizeof(*value));
	*value = le64toh(*value);
	return true;
}

static int read_word(
	const struct cul_stack_bytes *stack, uint64_t addr, uint64_t *value, uint64_t *fail)
{
	if (cul_stack_word(stack, addr, value))
		return 0;
	*fail = addr;
	return -EFAULT;
}

/* A register as an interrupt found it. -EBADMSG: it is not known any more. */
static int saved_register(const struct cul_stack_bytes *stack, const struct cul_orc_frame *frame,
	unsigned at, uint64_t *value, uint64_t *fail)
{
	uint64_t regs = frame->regs && frame->regs_whole ? frame->regs : frame->regs_before;

	return regs ? read_word(stack, regs + at, value, fail) : -EBADMSG;
}

/* Where the caller's stack is, or what lies there. */
static int find_sp(const struct cul_orc_entry *e, const struct cul_stack_bytes *stack,
	const struct cul_orc_frame *frame, uint64_t *sp, uint64_t *fail)
{
	uint64_t off = (uint64_t)(int64_t)e->sp_offset;
	int ret = 0;

	if ((e->sp_reg == CUL_ORC_REG_BP || e->sp_reg == CUL_ORC_REG_BP_INDIRECT) &&
		!frame->bp_known)
		return -EBADMSG;
	switch (e->sp_reg) {
	case CUL_ORC_REG_SP:
		*sp = frame->sp;
		break;
	case CUL_ORC_REG_BP:
		*sp = frame->bp;
		break;
	case CUL_ORC_REG_SP_INDIRECT: /* the offset counts from what is read, */
		ret = read_word(stack, frame->sp, sp, fail);
		break;
	case CUL_ORC_REG_BP_INDIRECT: /* here it does not */
		return read_word(stack, frame->bp + off, sp, fail);
	case CUL_ORC_REG_R10:
		ret = saved_register(stack, frame, REGS_R10, sp, fail);
		break;
	case CUL_ORC_REG_R13:
		ret = saved_register(stack, frame, REGS_R13, sp, fail);
		break;
	case CUL_ORC_REG_DI:
		ret = saved_register(stack, frame, REGS_DI, sp, fail);
		break;
	case CUL_ORC_REG_DX:
		ret = saved_register(stack, frame, REGS_DX, sp, fail);
		break;
	default:
		return -EBADMSG;
	}
	*sp += off;
	return ret;
}

/* Where an interrupt was: `regs` is the address of a struct pt_regs, of which ip and up is there.
 */
static int take_interrupted(const struct cul_stack_bytes *stack, uint64_t regs,
	struct cul_orc_frame *next, uint64_t *fail)
{
	uint64_t cs = 0;
	int ret = read_word(stack, regs + REGS_IP, &next->pc, fail);

	if (ret == 0)
		ret = read_word(stack, regs + REGS_CS, &cs, fail);
	if (ret == 0)
		ret = read_word(stack, regs + REGS_SP, &next->sp, fail);
	next->slot = 0;
	next->user = (cs & 3) == 3;
	return ret;
}

static int find_pc(const struct cul_orc_entry *e, const struct cul_stack_bytes *stack, uint64_t sp,
	const struct cul_orc_frame *frame, struct cul_orc_frame *next, uint64_t *fail)
{
	switch (e->type) {
	case CUL_ORC_CALL:
		next->slot = sp - sizeof(uint64_t);
		next->sp = sp;
		next->regs = next->regs_before = 0;
		next->regs_whole = false;
		return read_word(stack, next->slot, &next->pc, fail);
	case CUL_ORC_REGS:
		next->regs = sp;
		next->regs_before = 0;
		next->regs_whole = true;
		return take_interrupted(stack, next->regs, next, fail);
	case CUL_ORC_REGS_PARTIAL:
		next->regs = sp - REGS_IP;
		next->regs_before =
			frame->regs && frame->regs_whole ? frame->regs : frame->regs_before;
		next->regs_whole = false;
		return take_interrupted(stack, next->regs, next, fail);
	default:
		return -EBADMSG;
	}
}

/* What the caller's bp is. `sp` is where the entry said that its stack, or its registers, are. */
static int find_bp(const struct cul_orc_entry *e, const struct cul_stack_bytes *stack, uint64_t sp,
	struct cul_orc_frame *next, uint64_t *fail)
{
	uint64_t off = (uint64_t)(int64_t)e->bp_offset, saved;
	int ret = 0;

	switch (e->bp_reg) {
	case CUL_ORC_REG_UNDEFINED: /* as it was */
		if (saved_register(stack, next, REGS_BP, &saved, fail) == 0) {
			next->bp = saved;
			next->bp_known = true;
		}
		return 0;
	case CUL_ORC_REG_PREV_SP:
		ret = read_word(stack, sp + off, &next->bp, fail);
		break;
	case CUL_ORC_REG_BP:
		ret = next->bp_known ? read_word(stack, next->bp + off, &next->bp, fail) : -EBADMSG;
		break;
	default:
		return -EBADMSG;
	}
	next->bp_known = ret == 0;
	return ret;
}

int cul_orc_step(const struct cul_orc_entry *entry, const struct cul_stack_bytes *stack,
	struct cul_orc_frame *frame, uint64_t *fail)
{
	struct cul_orc_frame next = *frame;
	uint64_t sp = 0;
	int ret;

	if (entry->type == CUL_ORC_END || entry->type == CUL_ORC_UNDEFINED)
		return entry->type == CUL_ORC_END ? -ENOENT : -EBADMSG;
	ret = find_sp(entry, stack, frame, &sp, fail);
	if (ret == 0)
		ret = find_pc(entry, stack, sp, frame, &next, fail);
	if (ret != 0)
		return ret;
	next.exact = entry->signal;
	if (next.user) {
		*frame = next;
		return 0;
	}
	ret = find_bp(entry, stack, sp, &next, fail);
	if (ret != 0)
		return ret;
	if (next.sp <= frame->sp) {
		*fail = next.sp;
		return -ELOOP;
	}
	*frame = next;
	return 0;
}
