/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three steps: what each register holds, followed along all ways that can be gone; what nobody
 * reads; and the rest moved together.
 */
#include "expr/fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum {
	REGS = 10, /* R10 is the frame */
	ARGUMENTS = 0x3e,
	SCRATCHED = 0x3f, /* by a call */
};

/* What is known of a register; less with each way that leads to the same place. */
enum knowledge { UNSEEN, NUMBER, CONSTANTS_AT, ANYTHING };

struct holding {
	enum knowledge what;
	uint64_t v; /* the number; or how far into the constants it points */
};

struct state {
	struct holding regs[REGS];
};

struct folding {
	struct bpf_insn *insns;
	size_t n;
	const struct cul_bpf_constants *constants;
	struct state *before; /* each instruction */
	bool *reached, *gone;
	uint16_t *read_after; /* bit i: Ri is read after it, before it is written */
	size_t *waiting, n_waiting, *to;
	bool *waits;
};

static uint8_t class_of(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code);
}

static bool is_wide(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL);
}

static bool is_own_call(const struct bpf_insn *insn)
{
	return is_call(insn) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool is_exit(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_EXIT);
}

static bool is_jump(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_JA);
}

static bool is_branch(const struct bpf_insn *insn)
{
	return (class_of(insn) == BPF_JMP || class_of(insn) == BPF_JMP32) && !is_call(insn) &&
	       !is_exit(insn) && !is_jump(insn);
}

static bool is_alu(const struct bpf_insn *insn)
{
	return class_of(insn) == BPF_ALU64 || class_of(insn) == BPF_ALU;
}

static bool is_load(const struct bpf_insn *insn)
{
	return class_of(insn) == BPF_LDX && BPF_MODE(insn->code) == BPF_MEM;
}

/* Only what is named here is touched by name; a program with anything else stays as it is. */
static bool is_understood(const struct folding *f, size_t i)
{
	const struct bpf_insn *insn = &f->insns[i];
	long target = (long)i + 1 + insn->off;

	if (is_wide(insn))
		return i + 1 < f->n && insn->src_reg != BPF_PSEUDO_FUNC;
	if (insn->code == (BPF_JMP32 | BPF_JA))
		return false;
	if (is_own_call(insn))
		target = (long)i + 1 + insn->imm;
	if (is_own_call(insn) || is_jump(insn) || is_branch(insn))
		return target >= 0 && (size_t)target < f->n && (is_jump(insn) || i + 1 < f->n);
	if (class_of(insn) == BPF_LD || class_of(insn) == BPF_LDX)
		return is_load(insn) && i + 1 < f->n;
	return is_exit(insn) || i + 1 < f->n;
}

static uint64_t load(const struct cul_bpf_constants *c, uint64_t at, uint8_t size, bool *ok)
{
	static const size_t sizes[] = {
		[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8};
	size_t n = sizes[size >> 3 & 3];
	uint64_t v = 0;

	*ok = at <= c->size && n <= c->size - at;
	if (*ok)
		memcpy(&v, (const char *)c->data + at, n);
	return v;
}

static bool reckon(uint8_t op, uint64_t a, uint64_t b, uint64_t *v)
{
	switch (op) {
	case BPF_MOV:
		*v = b;
		return true;
	case BPF_ADD:
		*v = a + b;
		return true;
	case BPF_SUB:
		*v = a - b;
		return true;
	case BPF_AND:
		*v = a & b;
		return true;
	case BPF_OR:
		*v = a | b;
		return true;
	case BPF_XOR:
		*v = a ^ b;
		return true;
	case BPF_LSH:
		*v = a << (b & 63);
		return true;
	case BPF_RSH:
		*v = a >> (b & 63);
		return true;
	case BPF_ARSH:
		*v = (uint64_t)((int64_t)a >> (b & 63));
		return true;
	default:
		return false;
	}
}

/* -1: it depends. */
static int decide(uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
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
	case BPF_JSET:
		return (a & b) != 0;
	case BPF_JSGT:
		return (int64_t)a > (int64_t)b;
	case BPF_JSGE:
		return (int64_t)a >= (int64_t)b;
	case BPF_JSLT:
		return (int64_t)a < (int64_t)b;
	case BPF_JSLE:
		return (int64_t)a <= (int64_t)b;
	default:
		return -1;
	}
}

static struct holding held(const struct state *s, uint8_t reg)
{
	return reg < REGS ? s->regs[reg] : (struct holding){.what = ANYTHING};
}

static struct holding operand(const struct bpf_insn *insn, const struct state *s)
{
	if (BPF_SRC(insn->code) == BPF_X)
		return held(s, insn->src_reg);
	return (struct holding){NUMBER, (uint64_t)(int64_t)insn->imm};
}

static struct holding alu_result(const struct bpf_insn *insn, const struct state *s)
{
	struct holding a = held(s, insn->dst_reg), b = operand(insn, s);
	uint8_t op = BPF_OP(insn->code);
	struct holding none = {.what = ANYTHING}, v = {.what = NUMBER};

	if (class_of(insn) != BPF_ALU64 || insn->off)
		return none;
	if (op == BPF_MOV)
		return b;
	if (op == BPF_ADD && a.what == CONSTANTS_AT && b.what == NUMBER)
		return (struct holding){CONSTANTS_AT, a.v + b.v};
	if (a.what != NUMBER || b.what != NUMBER || !reckon(op, a.v, b.v, &v.v))
		return none;
	return v;
}

/* What the instruction leaves in the register it writes. */
static struct holding result(const struct folding *f, size_t i, const struct state *s)
{
	const struct bpf_insn *insn = &f->insns[i];
	struct holding from, v = {.what = ANYTHING};
	bool ok = false;

	if (is_alu(insn))
		return alu_result(insn, s);
	if (is_wide(insn) && !insn->src_reg)
		return (struct holding){
			NUMBER, (uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32};
	if (is_wide(insn) && insn->src_reg == BPF_PSEUDO_MAP_VALUE &&
		insn->imm == f->constants->fd && f->constants->fd >= 0)
		return (struct holding){CONSTANTS_AT, (uint32_t)insn[1].imm};
	if (is_load(insn)) {
		from = held(s, insn->src_reg);
		if (from.what == CONSTANTS_AT)
			v.v = load(f->constants, from.v + (uint64_t)(int64_t)insn->off,
				BPF_SIZE(insn->code), &ok);
		v.what = ok ? NUMBER : ANYTHING;
	}
	return v;
}

/* Bits of the registers that it writes. */
static uint16_t written(const struct bpf_insn *insn)
{
	if (is_call(insn))
		return SCRATCHED;
	if (is_alu(insn) || is_wide(insn) || is_load(insn))
		return (uint16_t)(1u << insn->dst_reg);
	/* Of an atomic one the old value may come back, in either of these. */
	if (class_of(insn) == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC)
		return (uint16_t)(1u << insn->src_reg | 1u);
	return 0;
}

static uint16_t read_by(const struct bpf_insn *insn)
{
	uint16_t dst = (uint16_t)(1u << insn->dst_reg), src = (uint16_t)(1u << insn->src_reg);

	if (is_call(insn))
		return ARGUMENTS;
	if (is_exit(insn))
		return 1;
	if (is_jump(insn) || is_wide(insn))
		return 0;
	if (is_load(insn))
		return src;
	if (is_alu(insn) || is_branch(insn)) {
		if (is_alu(insn) && BPF_OP(insn->code) == BPF_MOV)
			dst = 0;
		return BPF_SRC(insn->code) == BPF_X ? dst | src : dst;
	}
	if (class_of(insn) == BPF_ST)
		return dst;
	return BPF_MODE(insn->code) == BPF_ATOMIC ? dst | src | 1 : dst | src;
}

/* Which way: 1 the jump, 0 on; -1: either. */
static int way(const struct bpf_insn *insn, const struct state *s)
{
	struct holding a = held(s, insn->dst_reg), b = operand(insn, s);

	if (class_of(insn) != BPF_JMP || a.what != NUMBER || b.what != NUMBER)
		return -1;
	return decide(BPF_OP(insn->code), a.v, b.v);
}

/* The place may be come to with this. */
static void come(struct folding *f, size_t i, const struct state *s)
{
	struct state *at = &f->before[i];
	bool news = !f->reached[i];

	for (size_t r = 0; r < REGS; r++) {
		struct holding *old = &at->regs[r];
		const struct holding *new = &s->regs[r];

		if (old->what == UNSEEN) {
			news |= new->what != UNSEEN;
			*old = *new;
		} else if (old->what != ANYTHING && (old->what != new->what || old->v != new->v)) {
			*old = (struct holding){.what = ANYTHING};
			news = true;
		}
	}
	f->reached[i] = true;
	if (news && !f->waits[i]) {
		f->waits[i] = true;
		f->waiting[f->n_waiting++] = i;
	}
}

static struct state nothing_known(void)
{
	struct state s;

	for (size_t r = 0; r < REGS; r++)
		s.regs[r] = (struct holding){.what = ANYTHING};
	return s;
}

static void step(struct folding *f, size_t i)
{
	const struct bpf_insn *insn = &f->insns[i];
	struct state s = f->before[i], unknown = nothing_known();
	struct holding v = result(f, i, &s);
	uint16_t writes = written(insn);
	int goes = is_branch(insn) ? way(insn, &s) : is_jump(insn);

	for (uint8_t r = 0; r < REGS; r++)
		if (writes >> r & 1)
			s.regs[r] = v;
	if (is_own_call(insn))
		come(f, i + 1 + (size_t)insn->imm, &unknown);
	if (is_exit(insn))
		return;
	if (goes)
		come(f, i + 1 + (size_t)insn->off, &s);
	if (goes != 1)
		come(f, i + 1 + is_wide(insn), &s);
}

static void follow(struct folding *f)
{
	struct state unknown = nothing_known();

	come(f, 0, &unknown);
	while (f->n_waiting) {
		size_t i = f->waiting[--f->n_waiting];

		f->waits[i] = false;
		step(f, i);
	}
}

static bool fits(uint64_t v)
{
	return (uint64_t)(int64_t)(int32_t)v == v;
}

/* Whether an operand in a register may as well be a number in the instruction. */
static bool takes_number(const struct bpf_insn *insn, uint64_t v)
{
	uint8_t op = BPF_OP(insn->code);

	if (BPF_SRC(insn->code) != BPF_X || !fits(v))
		return false;
	if (is_branch(insn))
		return class_of(insn) == BPF_JMP;
	if (class_of(insn) != BPF_ALU64 || insn->off || op == BPF_END)
		return false;
	/* The verifier takes no other numbers there. */
	if (op == BPF_DIV || op == BPF_MOD)
		return v != 0;
	return v < 64 || (op != BPF_LSH && op != BPF_RSH && op != BPF_ARSH);
}

/* What is known takes the place of where it came from. */
static void replace(struct folding *f, size_t i)
{
	struct bpf_insn *insn = &f->insns[i];
	const struct state *s = &f->before[i];
	struct holding v = result(f, i, s), b = operand(insn, s);
	int goes = is_branch(insn) ? way(insn, s) : -1;

	if ((is_load(insn) || is_alu(insn)) && v.what == NUMBER && fits(v.v))
		*insn = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K,
			.dst_reg = insn->dst_reg,
			.imm = (int32_t)v.v};
	else if (goes >= 0)
		*insn = (struct bpf_insn){
			.code = BPF_JMP | BPF_JA, .off = goes ? insn->off : (int16_t)0};
	else if (b.what == NUMBER && takes_number(insn, b.v))
		*insn = (struct bpf_insn){.code = (uint8_t)(insn->code & ~BPF_X),
			.dst_reg = insn->dst_reg,
			.off = insn->off,
			.imm = (int32_t)b.v};
}

/* Before it: what is read later or by itself. */
static uint16_t read_from(const struct folding *f, size_t i)
{
	const struct bpf_insn *insn = &f->insns[i];
	uint16_t after = f->read_after[i];

	if (f->gone[i])
		return after;
	return (uint16_t)((after & ~written(insn)) | read_by(insn));
}

static uint16_t needed_after(const struct folding *f, size_t i)
{
	const struct bpf_insn *insn = &f->insns[i];
	uint16_t need = 0;

	if (is_exit(insn))
		return 0;
	if (is_jump(insn) || is_branch(insn))
		need = read_from(f, i + 1 + (size_t)insn->off);
	if (!is_jump(insn))
		need |= read_from(f, i + 1 + is_wide(insn));
	return need;
}

/* What nobody reads. An atomic one and a call do more than they write. */
static bool is_idle(const struct folding *f, size_t i)
{
	const struct bpf_insn *insn = &f->insns[i];

	return (is_alu(insn) || is_wide(insn) || is_load(insn)) &&
	       !(written(insn) & f->read_after[i]);
}

static void find_idle(struct folding *f)
{
	bool changed = true;

	while (changed) {
		changed = false;
		memset(f->read_after, 0, f->n * sizeof(*f->read_after));
		for (bool news = true; news;) {
			news = false;
			for (size_t i = f->n; i-- > 0;) {
				uint16_t need = f->reached[i] ? needed_after(f, i) : 0;

				news |= need != f->read_after[i];
				f->read_after[i] = need;
			}
		}
		for (size_t i = 0; i < f->n; i++)
			if (f->reached[i] && !f->gone[i] && is_idle(f, i))
				f->gone[i] = changed = true;
	}
}

/* Where what stays will stand: to[i] of instruction i, or of the next one that stays. */
static size_t number(struct folding *f)
{
	size_t at = 0;

	for (size_t i = 0; i < f->n; i++) {
		bool wide = is_wide(&f->insns[i]);

		f->to[i] = at;
		if (f->reached[i] && !f->gone[i])
			at += 1 + wide;
		if (wide)
			f->to[++i] = at;
	}
	f->to[f->n] = at;
	return at;
}

/* Jumps to what comes next anyway. */
static void drop_jumps(struct folding *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->reached[i] && !f->gone[i] && is_jump(&f->insns[i]) &&
			f->to[i + 1 + (size_t)f->insns[i].off] == f->to[i + 1])
			f->gone[i] = true;
}

static size_t close_up(struct folding *f)
{
	size_t n;

	number(f);
	drop_jumps(f);
	n = number(f);
	for (size_t i = 0; i < f->n; i++) {
		struct bpf_insn insn = f->insns[i];
		size_t next = i + 1, at = f->to[i];

		if (!f->reached[i] || f->gone[i])
			continue;
		if (is_own_call(&insn))
			insn.imm = (int32_t)(f->to[next + (size_t)insn.imm] - at - 1);
		else if (is_jump(&insn) || is_branch(&insn))
			insn.off = (int16_t)(f->to[next + (size_t)insn.off] - at - 1);
		f->insns[at] = insn;
		if (is_wide(&insn))
			f->insns[at + 1] = f->insns[next];
	}
	return n;
}

static bool is_all_understood(const struct folding *f)
{
	for (size_t i = 0; i < f->n; i++) {
		if (!is_understood(f, i))
			return false;
		i += is_wide(&f->insns[i]);
	}
	return true;
}

int cul_bpf_fold(struct cul_bpf_code *code, const struct cul_bpf_constants *constants)
{
	size_t n = code->len;
	cul_autofree struct state *before = cul_calloc(n + 1, sizeof(*before));
	cul_autofree bool *flags = cul_calloc(3 * (n + 1), sizeof(*flags));
	cul_autofree uint16_t *read_after = cul_calloc(n + 1, sizeof(*read_after));
	cul_autofree size_t *places = cul_calloc(2 * (n + 1), sizeof(*places));
	struct folding f = {
		.insns = code->insns,
		.n = n,
		.constants = constants,
		.before = before,
		.read_after = read_after,
	};

	if (!before || !flags || !read_after || !places)
		return -ENOMEM;
	f.reached = flags;
	f.gone = flags + n + 1;
	f.waits = flags + 2 * (n + 1);
	f.waiting = places;
	f.to = places + n + 1;
	if (!n || !is_all_understood(&f))
		return 0;
	follow(&f);
	for (size_t i = 0; i < n; i++)
		if (f.reached[i])
			replace(&f, i);
	find_idle(&f);
	code->len = close_up(&f);
	return 0;
}
