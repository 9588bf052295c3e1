/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bpf_interp.h"

#include <string.h>

enum { STACK = 512, FRAME = 1 << 20, CONSTANTS = 1 << 24 };

/* Pointers are numbers like any other here: FRAME stands for R10, CONSTANTS for where those begin.
 */
struct state {
	struct bpf_interp *vm;
	uint64_t r[11];
	uint16_t known; /* registers that hold something */
	uint8_t stack[STACK];
	bool written[STACK];
};

static void broke(struct state *s, const char *rule)
{
	if (!s->vm->broken)
		s->vm->broken = rule;
}

static uint64_t get(struct state *s, unsigned reg)
{
	if (reg > 10 || !(s->known >> reg & 1)) {
		broke(s, "reads a register that holds nothing");
		return 0;
	}
	return s->r[reg];
}

static void set(struct state *s, unsigned reg, uint64_t value)
{
	if (reg >= 10 || reg == s->vm->inputs_reg) {
		broke(s, "writes a register that is not its own");
		return;
	}
	s->r[reg] = value;
	s->known |= (uint16_t)(1u << reg);
}

/* The stack bytes at `addr`, NULL when they are not the program's. */
static uint8_t *stack_at(struct state *s, uint64_t addr, size_t size)
{
	uint64_t low = FRAME - STACK;

	if (addr < low || addr + size > FRAME)
		return NULL;
	if ((int64_t)(addr + size) - FRAME > s->vm->stack_free) {
		broke(s, "uses stack that is not free");
		return NULL;
	}
	return s->stack + (addr - low);
}

static const uint8_t *constant_at(struct state *s, uint64_t addr, size_t size)
{
	uint64_t at = addr - CONSTANTS;

	if (at > s->vm->constants_size || size > s->vm->constants_size - at)
		return NULL;
	return (const uint8_t *)s->vm->constants + at;
}

static uint64_t load(struct state *s, unsigned base, int off, unsigned size)
{
	const uint8_t *from;
	uint64_t v = 0;

	if (off % (int)size)
		broke(s, "an access is not aligned");
	if (base == s->vm->inputs_reg) {
		if (off < 0 || (size_t)off + size > s->vm->inputs_size) {
			broke(s, "reads beyond the inputs");
			return 0;
		}
		from = (const uint8_t *)s->vm->inputs + off;
	} else if (get(s, base) >= CONSTANTS) {
		from = constant_at(s, get(s, base) + (uint64_t)(int64_t)off, size);
	} else {
		from = stack_at(s, get(s, base) + (uint64_t)(int64_t)off, size);
		for (unsigned i = 0; from && i < size; i++)
			if (!s->written[from - s->stack + i])
				broke(s, "reads stack that was not written");
	}
	if (!from) {
		broke(s, "reads what is neither stack nor input");
		return 0;
	}
	memcpy(&v, from, size);
	return v;
}

static void store(struct state *s, unsigned base, int off, unsigned size, uint64_t v)
{
	uint8_t *to = stack_at(s, get(s, base) + (uint64_t)(int64_t)off, size);

	if (!to || off % (int)size) {
		broke(s, "writes what is no stack");
		return;
	}
	memcpy(to, &v, size);
	memset(s->written + (to - s->stack), true, size);
}

/* As kernel/trace/bpf_trace.c: the bytes are zeroed when the read fails. */
static int64_t probe_read(struct cul_mem *mem, uint8_t *to, size_t size, uint64_t from)
{
	if (!cul_mem_read(mem, from, to, size))
		return 0;
	memset(to, 0, size);
	return -14;
}

static int64_t probe_read_str(struct cul_mem *mem, uint8_t *to, size_t size, uint64_t from)
{
	for (size_t i = 0; i < size; i++) {
		if (cul_mem_read(mem, from + i, to + i, 1)) {
			memset(to, 0, size);
			return -14;
		}
		if (!to[i])
			return (int64_t)i + 1;
	}
	to[size - 1] = 0;
	return (int64_t)size;
}

static void call(struct state *s, int helper)
{
	uint64_t to = get(s, 1), size = get(s, 2), from = get(s, 3);
	bool user = helper == BPF_FUNC_probe_read_user || helper == BPF_FUNC_probe_read_user_str;
	struct cul_mem *mem = user && s->vm->user_mem ? s->vm->user_mem : s->vm->mem;
	uint8_t *buf = stack_at(s, to, size);
	int64_t r = -14;

	if (!buf || !size) {
		broke(s, "calls a helper with a buffer that is no stack");
		return;
	}
	if (helper == BPF_FUNC_probe_read_kernel || helper == BPF_FUNC_probe_read_user)
		r = probe_read(mem, buf, size, from);
	else if (helper == BPF_FUNC_probe_read_kernel_str || helper == BPF_FUNC_probe_read_user_str)
		r = probe_read_str(mem, buf, size, from);
	else
		broke(s, "calls an unknown helper");
	memset(s->written + (buf - s->stack), true, size);
	s->known &= (uint16_t)~0x3e;
	set(s, 0, (uint64_t)r);
}

static uint64_t alu(struct state *s, const struct bpf_insn *in, uint64_t a, uint64_t b)
{
	switch (BPF_OP(in->code)) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_MOD:
		return b ? a % b : a;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_NEG:
		return -a;
	case BPF_MOV:
		return b;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH:
		break;
	default:
		broke(s, "an unknown operation");
		return 0;
	}
	if (b > 63)
		broke(s, "shifts by more than 63");
	if (BPF_OP(in->code) == BPF_LSH)
		return a << (b & 63);
	return BPF_OP(in->code) == BPF_RSH ? a >> (b & 63) : (uint64_t)((int64_t)a >> (b & 63));
}

static bool jumps(struct state *s, const struct bpf_insn *in)
{
	uint64_t a, b;

	if (BPF_OP(in->code) == BPF_JA)
		return true;
	a = get(s, in->dst_reg);
	b = BPF_SRC(in->code) == BPF_X ? get(s, in->src_reg) : (uint64_t)(int64_t)in->imm;
	if (BPF_CLASS(in->code) == BPF_JMP32) {
		a = (uint64_t)(int64_t)(int32_t)a;
		b = (uint64_t)(int64_t)(int32_t)b;
	}
	switch (BPF_OP(in->code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSGT:
		return (int64_t)a > (int64_t)b;
	case BPF_JSGE:
		return (int64_t)a >= (int64_t)b;
	case BPF_JSLT:
		return (int64_t)a < (int64_t)b;
	case BPF_JSLE:
		return (int64_t)a <= (int64_t)b;
	default:
		broke(s, "an unknown jump");
		return false;
	}
}

static unsigned width(const struct bpf_insn *in)
{
	static const uint8_t sizes[] = {4, 2, 1, 8};

	return sizes[BPF_SIZE(in->code) >> 3];
}

static void step_alu(struct state *s, const struct bpf_insn *in)
{
	uint64_t b = BPF_SRC(in->code) == BPF_X ? get(s, in->src_reg) : (uint64_t)(int64_t)in->imm;
	uint64_t a = BPF_OP(in->code) == BPF_MOV ? 0 : get(s, in->dst_reg);

	if (BPF_CLASS(in->code) == BPF_ALU && BPF_OP(in->code) != BPF_MOV)
		broke(s, "a 32-bit operation that the compiler does not emit");
	a = alu(s, in, a, b);
	set(s, in->dst_reg, BPF_CLASS(in->code) == BPF_ALU ? (uint32_t)a : a);
}

/* Executes the instruction at `i`; returns the index of the next. */
static size_t step(struct state *s, const struct cul_bpf_code *code, size_t i)
{
	const struct bpf_insn *in = &code->insns[i];

	switch (BPF_CLASS(in->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		step_alu(s, in);
		break;
	case BPF_LD:
		if (in->code != (BPF_LD | BPF_IMM | BPF_DW) || i + 1 >= code->len)
			broke(s, "an unknown load");
		else if (in->src_reg == BPF_PSEUDO_MAP_VALUE)
			set(s, in->dst_reg, CONSTANTS + (uint64_t)in[1].imm);
		else
			set(s, in->dst_reg, (uint32_t)in->imm | (uint64_t)in[1].imm << 32);
		return i + 2;
	case BPF_LDX:
		set(s, in->dst_reg, load(s, in->src_reg, in->off, width(in)));
		break;
	case BPF_ST:
		if (in->dst_reg == s->vm->inputs_reg && in->off == s->vm->fault_offset && in->off)
			s->vm->fault = (uint64_t)(int64_t)in->imm;
		else
			broke(s, "stores a number elsewhere than where a fault is told");
		break;
	case BPF_STX:
		store(s, in->dst_reg, in->off, width(in), get(s, in->src_reg));
		break;
	case BPF_JMP:
	case BPF_JMP32:
		if (in->code == (BPF_JMP | BPF_EXIT))
			return code->len;
		if (in->code == (BPF_JMP | BPF_CALL)) {
			call(s, in->imm);
		} else if (jumps(s, in)) {
			if (in->off < 0)
				broke(s, "jumps backward");
			return i + 1 + (uint64_t)in->off;
		}
		break;
	default:
		broke(s, "an unknown class of instruction");
	}
	return i + 1;
}

uint64_t bpf_interp_run(struct bpf_interp *vm, const struct cul_bpf_code *code)
{
	struct state s = {.vm = vm};
	size_t i = 0;

	vm->broken = NULL;
	vm->fault = 0;
	s.r[10] = FRAME;
	s.r[vm->inputs_reg] = 0;
	s.known = (uint16_t)(1u << 10 | 1u << vm->inputs_reg);
	while (i < code->len && !vm->broken) {
		vm->at = i;
		i = step(&s, code, i);
	}
	if (i != code->len)
		broke(&s, "does not end at its end");
	return get(&s, 0);
}
