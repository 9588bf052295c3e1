/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the return address is, from the code alone. Twice: from the function's entry along every
 * path until the pc is reached; where the entry is not known or the pc not reached (a jump table),
 * from the pc on to a return, which shows what is still on the stack.
 *
 * Compilers keep the distance of the stack pointer from the return address the same at an
 * instruction, whichever way leads to it; what calls return with is what they were entered with.
 */
#include <errno.h>
#include <string.h>

#include "arch/x86_64/x86_64.h"
#include "base/alloc.h"
#include "base/cleanup.h"

enum {
	MAX_INSNS = 4000,
	MAX_BRANCHES = 256,
	MAX_HEIGHT = 1 << 28,
};

/* What is known before an instruction. Distances are from the point of reference up to `sp`. */
struct state {
	uint64_t pc;
	bool sp_known, fp_known;
	int64_t sp; /* stack pointer, from the point of reference (entry: the CFA) */
	int64_t fp; /* frame pointer, likewise */
	uint32_t saved;
	int64_t slot[CUL_X86_N_REGS];
};

struct flow {
	const struct cul_code *code;
	struct cul_x86_decoder dec;
	uint8_t *seen; /* a bit for each byte of the code */
	bool forward;  /* from the pc to a return, not from the entry to the pc */
	unsigned insns;
	/* Behind a call that may not return code can begin that is reached otherwise: `calls` wait.
	 */
	struct state branches[MAX_BRANCHES], calls[MAX_BRANCHES];
	unsigned n_branches, n_calls, first_call;
	struct state
		tail; /* going forward: before a jump out of the code, which may be a tail call */
	bool has_tail;
};

static void flow_free(struct flow **f)
{
	if (!*f)
		return;
	cul_x86_decoder_close(&(*f)->dec);
	free((*f)->seen);
	free(*f);
}

static struct flow *flow_new(const struct cul_code *code, bool forward)
{
	cul_cleanup(flow_free) struct flow *f = cul_calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->code = code;
	f->forward = forward;
	f->seen = cul_calloc(1, code->size / 8 + 1);
	if (!f->seen || cul_x86_decoder_open(&f->dec) != 0)
		return NULL;
	return cul_take(f);
}

static bool visit(struct flow *f, uint64_t pc)
{
	uint64_t at = pc - f->code->addr;

	if (at >= f->code->size || f->seen[at / 8] >> at % 8 & 1)
		return false;
	f->seen[at / 8] |= (uint8_t)(1 << at % 8);
	return true;
}

static bool is_preserved(int reg)
{
	return reg >= 0 && cul_x86_unwind.preserved >> reg & 1;
}

static int reg_of(const cs_x86_op *op)
{
	return op->type == X86_OP_REG && op->size == 8 ? cul_x86_reg_index(op->reg) : -1;
}

static void push(struct state *s, const cs_x86_op *op)
{
	int reg = reg_of(op);

	s->sp -= 8;
	if (s->sp_known && is_preserved(reg) && !(s->saved >> reg & 1)) {
		s->saved |= 1u << reg;
		s->slot[reg] = s->sp;
	}
}

static void pop(struct flow *f, struct state *s, int reg)
{
	if (is_preserved(reg)) {
		if (!f->forward)
			s->saved &= ~(1u << reg);
		else if (s->sp_known && !(s->saved >> reg & 1)) {
			s->saved |= 1u << reg;
			s->slot[reg] = s->sp;
		}
	}
	s->sp += 8;
	if (reg == CUL_X86_RBP)
		s->fp_known = false;
	if (reg == CUL_X86_RSP)
		s->sp_known = false;
}

/* A preserved register stored in the frame before anything else has saved it. */
static void store(struct flow *f, struct state *s, int reg, const cs_x86_op *to)
{
	int base = cul_x86_reg_index(to->mem.base);

	if (f->forward || !is_preserved(reg) || s->saved >> reg & 1 ||
		to->mem.index != X86_REG_INVALID || to->size != 8 ||
		(reg == CUL_X86_RBP && s->fp_known))
		return;
	if (base == CUL_X86_RSP && s->sp_known)
		s->slot[reg] = s->sp + to->mem.disp;
	else if (base == CUL_X86_RBP && s->fp_known)
		s->slot[reg] = s->fp + to->mem.disp;
	else
		return;
	s->saved |= 1u << reg;
}

/* The stack pointer becomes `base` + disp; a base that is neither is one lost. */
static void sp_from(struct state *s, int base, int64_t disp)
{
	if (base == CUL_X86_RBP) {
		s->sp = s->fp + disp;
		s->sp_known = s->fp_known;
	} else if (base == CUL_X86_RSP) {
		s->sp += disp;
	} else {
		s->sp_known = false;
	}
}

static void fp_from(struct state *s, int base, int64_t disp)
{
	s->fp = s->sp + disp;
	s->fp_known = base == CUL_X86_RSP && s->sp_known;
}

static void mov_or_lea(struct flow *f, struct state *s, const cs_insn *insn)
{
	const cs_x86_op *from = &insn->detail->x86.operands[0];
	const cs_x86_op *to = &insn->detail->x86.operands[1];
	int reg = reg_of(to), base = reg_of(from);
	int64_t disp = 0;

	if (insn->detail->x86.op_count != 2)
		return;
	if (to->type == X86_OP_MEM) {
		store(f, s, base, to);
		return;
	}
	if (insn->id == X86_INS_LEA && from->mem.index == X86_REG_INVALID) {
		base = cul_x86_reg_index(from->mem.base);
		disp = from->mem.disp;
	}
	if (reg == CUL_X86_RSP)
		sp_from(s, base, disp);
	else if (reg == CUL_X86_RBP)
		fp_from(s, base, disp);
}

static void add_or_sub(struct state *s, const cs_insn *insn)
{
	const cs_x86_op *from = &insn->detail->x86.operands[0];

	if (from->type != X86_OP_IMM || insn->detail->x86.op_count != 2)
		s->sp_known = false;
	else
		s->sp += insn->id == X86_INS_ADD ? from->imm : -from->imm;
}

static void other(struct state *s, const cs_insn *insn)
{
	if (cul_x86_writes_reg(insn, CUL_X86_RSP))
		s->sp_known = false;
	if (cul_x86_writes_reg(insn, CUL_X86_RBP))
		s->fp_known = false;
}

/* What the instruction does to the stack. */
static void transfer(struct flow *f, struct state *s, const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;
	int last = x86->op_count ? reg_of(&x86->operands[x86->op_count - 1]) : -1;

	switch (insn->id) {
	case X86_INS_PUSH:
		push(s, &x86->operands[0]);
		return;
	case X86_INS_POP:
		pop(f, s, last);
		return;
	case X86_INS_PUSHFQ:
		s->sp -= 8;
		return;
	case X86_INS_POPFQ:
		s->sp += 8;
		return;
	case X86_INS_LEAVE:
		sp_from(s, CUL_X86_RBP, 0);
		pop(f, s, CUL_X86_RBP);
		return;
	case X86_INS_CALL:
		return;
	case X86_INS_MOV:
	case X86_INS_LEA:
		mov_or_lea(f, s, insn);
		return;
	case X86_INS_ADD:
	case X86_INS_SUB:
		if (last == CUL_X86_RSP) {
			add_or_sub(s, insn);
			return;
		}
	}
	other(s, insn);
}

static void later(struct state *list, unsigned *n, const struct state *s, uint64_t pc)
{
	if (*n == MAX_BRANCHES)
		return;
	list[*n] = *s;
	list[(*n)++].pc = pc;
}

static bool has_group(const cs_insn *insn, unsigned group)
{
	for (unsigned i = 0; i < insn->detail->groups_count; i++) {
		if (insn->detail->groups[i] == group)
			return true;
	}
	return false;
}

/* Whether the path goes on behind the instruction. Where else it goes is put on the lists. */
static bool goes_on(struct flow *f, const struct state *s, const cs_insn *insn)
{
	const cs_x86_op *op = &insn->detail->x86.operands[0];

	if (insn->id == X86_INS_CALL) {
		later(f->calls, &f->n_calls, s, insn->address + insn->size);
		return false;
	}
	if (insn->id == X86_INS_HLT || insn->id == X86_INS_UD2 || insn->id == X86_INS_INT3 ||
		has_group(insn, CS_GRP_RET))
		return false;
	if (!has_group(insn, CS_GRP_JUMP))
		return true;
	if (op->type == X86_OP_IMM)
		later(f->branches, &f->n_branches, s, (uint64_t)op->imm);
	if (insn->id == X86_INS_JMP && op->type == X86_OP_IMM && s->sp_known && !f->has_tail &&
		(uint64_t)op->imm - f->code->addr >= f->code->size) {
		f->tail = *s;
		f->has_tail = true;
	}
	return insn->id != X86_INS_JMP && insn->id != X86_INS_LJMP;
}

static bool next_path(struct flow *f, struct state *s)
{
	if (f->n_branches) {
		*s = f->branches[--f->n_branches];
		return true;
	}
	if (f->first_call == f->n_calls) {
		f->first_call = f->n_calls = 0;
		return false;
	}
	*s = f->calls[f->first_call++];
	if (f->first_call == f->n_calls)
		f->first_call = f->n_calls = 0;
	return true;
}

/* Follows the paths from `s`; true: `s` is the state at `until` or, going forward, at a return. */
static bool follow(struct flow *f, struct state *s, uint64_t until)
{
	do {
		while (visit(f, s->pc) && f->insns++ < MAX_INSNS) {
			const cs_insn *insn;

			if (!f->forward && s->pc == until)
				return true;
			if (!cul_x86_insn(&f->dec, f->code, s->pc))
				break;
			insn = f->dec.insn;
			if (f->forward && insn->id == X86_INS_RET && s->sp_known)
				return true;
			transfer(f, s, insn);
			if (s->sp > MAX_HEIGHT || s->sp < -MAX_HEIGHT || !goes_on(f, s, insn))
				break;
			s->pc += insn->size;
		}
	} while (f->insns < MAX_INSNS && next_path(f, s));
	return false;
}

static void preserved_are_same(struct cul_rules *out)
{
	*out = (struct cul_rules){0};
	for (unsigned i = 0; i < CUL_X86_N_REGS; i++) {
		if (!is_preserved((int)i) && i != CUL_X86_RSP)
			out->reg[i].kind = CUL_RULE_UNKNOWN;
	}
	cul_rules_at(out, CUL_X86_RIP, -8);
}

static int from_entry(const struct cul_code *code, uint64_t pc, struct cul_rules *out)
{
	cul_cleanup(flow_free) struct flow *f = flow_new(code, false);
	struct state s = {.pc = code->addr, .sp_known = true, .sp = -8};

	if (!f)
		return -ENOMEM;
	if (!follow(f, &s, pc) || (!s.sp_known && !s.fp_known))
		return -ENOENT;
	preserved_are_same(out);
	if (s.sp_known)
		cul_rules_cfa(out, CUL_X86_RSP, -s.sp);
	else
		cul_rules_cfa(out, CUL_X86_RBP, -s.fp);
	for (unsigned i = 0; i < CUL_X86_N_REGS; i++) {
		if (s.saved >> i & 1)
			cul_rules_at(out, i, s.slot[i]);
	}
	return 0;
}

/*
 * The point of reference is the stack pointer at the pc. Where `leave` comes it changes to the
 * frame pointer: that attempt starts with the frame pointer as the reference and no stack pointer.
 */
static int to_return(
	const struct cul_code *code, uint64_t pc, unsigned reference, struct cul_rules *out)
{
	cul_cleanup(flow_free) struct flow *f = flow_new(code, true);
	struct state s = {.pc = pc,
		.sp_known = reference == CUL_X86_RSP,
		.fp_known = reference == CUL_X86_RBP};
	int64_t cfa;

	if (!f)
		return -ENOMEM;
	if (!follow(f, &s, 0)) {
		if (!f->has_tail)
			return -ENOENT;
		s = f->tail;
	}
	cfa = s.sp + 8;
	preserved_are_same(out);
	cul_rules_cfa(out, reference, cfa);
	for (unsigned i = 0; i < CUL_X86_N_REGS; i++) {
		if (s.saved >> i & 1)
			cul_rules_at(out, i, s.slot[i] - cfa);
	}
	return 0;
}

int cul_x86_analyse(
	const struct cul_code *code, const struct cul_code_place *at, struct cul_rules *out)
{
	uint64_t pc = at->pc;
	int ret = -ENOENT;

	if (code->size > CUL_CODE_MOST || pc < code->addr || pc - code->addr >= code->size)
		return -ENOENT;
	if (code->from_entry)
		ret = from_entry(code, pc, out);
	if (ret == -ENOENT)
		ret = to_return(code, pc, CUL_X86_RSP, out);
	if (ret == -ENOENT)
		ret = to_return(code, pc, CUL_X86_RBP, out);
	return ret;
}
