/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum { MAX_INSNS = 6000, MAX_WAITING = 192, MAX_SLOTS = 48, MAX_CODE = 32768 };

/* What a register holds, in words of the values at the start. */
struct value {
	enum { LOST, CONSTANT, INITIAL, MEMORY } kind;
	uint8_t reg; /* INITIAL: that register + off; MEMORY: the word at that + off */
	int64_t off;
};

struct slot {
	struct value at; /* INITIAL: an address */
	struct value holds;
};

struct state {
	uint64_t pc;
	uint8_t it;
	struct value regs[CUL_PATH_REGS];
	struct slot slots[MAX_SLOTS];
	unsigned n_slots;
};

enum way {
	TO_CALL, /* from the entry to the call that returns here */
	TO_PC,   /* from the entry on any path */
	ON,      /* from here to a return */
};

struct flow {
	const struct cul_flow_arch *arch;
	const struct cul_code *code;
	uint64_t until, flags;
	enum way way;
	bool fresh;    /* the flags are those of the start still */
	uint8_t *seen; /* a byte for each two of the code */
	unsigned insns;
	/* Behind a call that does not return other code can begin: `calls` wait for the branches.
	 */
	struct state *branches, *calls;
	unsigned n_branches, n_calls, first_call;
	struct state state, tail;
	bool has_tail;
};

static void flow_free(struct flow **f)
{
	if (!*f)
		return;
	free((*f)->branches);
	free((*f)->calls);
	free((*f)->seen);
	free(*f);
}

static struct flow *flow_new(const struct cul_flow_arch *arch, const struct cul_code *code,
	const struct cul_code_place *at, enum way way)
{
	cul_cleanup(flow_free) struct flow *f = cul_calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->arch = arch;
	f->code = code;
	f->until = at->pc;
	f->flags = at->flags;
	f->way = way;
	f->fresh = way == ON;
	f->seen = cul_calloc(1, code->size / 2 + 1);
	f->branches = cul_realloc_array(NULL, MAX_WAITING, sizeof(*f->branches));
	f->calls = cul_realloc_array(NULL, MAX_WAITING, sizeof(*f->calls));
	if (!f->seen || !f->branches || !f->calls)
		return NULL;
	f->state.pc = way == ON ? at->pc : code->addr;
	for (unsigned i = 0; i < arch->n_regs; i++)
		f->state.regs[i] = (struct value){INITIAL, (uint8_t)i, 0};
	return cul_take(f);
}

static bool same(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->reg == b->reg && a->off == b->off;
}

static struct value get(struct flow *f, const struct state *s, unsigned reg)
{
	if (reg == f->arch->zero)
		return (struct value){CONSTANT, 0, 0};
	return reg < f->arch->n_regs ? s->regs[reg] : (struct value){LOST};
}

static struct value plus(struct value v, int64_t n)
{
	if (v.kind == MEMORY && n != 0)
		return (struct value){LOST};
	v.off = (int64_t)((uint64_t)v.off + (uint64_t)n);
	return v;
}

/* The first to be stored in a slot is what the caller had: compilers do not reuse it. */
static void store(struct flow *f, struct state *s, struct value at, struct value holds)
{
	if (at.kind != INITIAL)
		return;
	for (unsigned i = 0; i < s->n_slots; i++) {
		if (same(&s->slots[i].at, &at)) {
			s->slots[i].holds = holds;
			return;
		}
	}
	if (holds.kind == INITIAL && s->n_slots < MAX_SLOTS)
		s->slots[s->n_slots++] = (struct slot){at, holds};
}

static struct value load(struct flow *f, const struct state *s, struct value at)
{
	if (at.kind != INITIAL)
		return (struct value){LOST};
	for (unsigned i = 0; i < s->n_slots; i++) {
		if (same(&s->slots[i].at, &at))
			return s->slots[i].holds;
	}
	return (struct value){MEMORY, at.reg, at.off};
}

static void apply(struct flow *f, struct state *s, const struct cul_flow_effect *e)
{
	struct value a = get(f, s, e->a), b = get(f, s, e->b), v = {LOST};

	switch (e->kind) {
	case CUL_PATH_STORE:
		store(f, s, plus(a, e->imm), get(f, s, e->dst));
		return;
	case CUL_PATH_LOAD:
		v = load(f, s, plus(a, e->imm));
		break;
	case CUL_PATH_ADD:
		v = plus(a, e->imm);
		break;
	case CUL_PATH_SET:
		v = (struct value){CONSTANT, 0, e->imm};
		break;
	case CUL_PATH_OR:
		if (a.kind == CONSTANT)
			v = (struct value){CONSTANT, 0, a.off | e->imm};
		break;
	case CUL_PATH_SUM:
		if (b.kind == CONSTANT)
			v = plus(a, b.off);
		else if (a.kind == CONSTANT)
			v = plus(b, a.off);
		break;
	case CUL_PATH_DIFF:
		if (b.kind == CONSTANT)
			v = plus(a, (int64_t)(0 - (uint64_t)b.off));
		break;
	}
	if (e->dst < f->arch->n_regs && e->dst != f->arch->zero)
		s->regs[e->dst] = v;
}

static bool decode(struct flow *f, uint64_t pc, uint8_t it, struct cul_flow_insn *insn)
{
	uint64_t at = pc - f->code->addr;

	*insn = (struct cul_flow_insn){.it = it};
	if (at >= f->code->size)
		return false;
	f->arch->decode(f->code->bytes + at, f->code->size - at, pc, insn);
	return insn->len != 0;
}

static void effects(struct flow *f, struct state *s, const struct cul_flow_insn *insn)
{
	for (unsigned i = 0; i < insn->n_effects; i++)
		apply(f, s, &insn->effects[i]);
}

static void later(struct state *list, unsigned *n, const struct state *s, uint64_t pc)
{
	if (*n == MAX_WAITING)
		return;
	list[*n] = *s;
	list[*n].it = 0;
	list[(*n)++].pc = pc;
}

static bool visit(struct flow *f, uint64_t pc)
{
	uint64_t at = pc - f->code->addr;

	if (at >= f->code->size || f->seen[at / 2])
		return false;
	f->seen[at / 2] = 1;
	return true;
}

static void after_call(struct flow *f, struct state *s)
{
	for (unsigned i = 0; i < f->arch->n_regs; i++) {
		if (i != f->arch->sp && !(f->arch->preserved >> i & 1))
			s->regs[i] = (struct value){LOST};
	}
}

/* Whether the path goes on at s->pc. Where else it goes is put on the lists. */
static bool goes_on(
	struct flow *f, struct state *s, const struct cul_flow_insn *insn, uint64_t next)
{
	bool inside = insn->target - f->code->addr < f->code->size;

	s->pc = next;
	switch (insn->end) {
	case CUL_PATH_NEXT:
		return true;
	case CUL_PATH_BRANCH:
		later(f->branches, &f->n_branches, s, insn->target);
		return true;
	case CUL_PATH_CALL:
		after_call(f, s);
		later(f->calls, &f->n_calls, s, next);
		return false;
	case CUL_PATH_JUMP:
		if (inside) {
			s->pc = insn->target;
			return true;
		}
		/* fall through */
	case CUL_PATH_TAIL:
		if (!f->has_tail) {
			f->tail = *s;
			f->has_tail = true;
		}
		return false;
	}
	return false;
}

static bool next_path(struct flow *f)
{
	if (f->n_branches) {
		f->state = f->branches[--f->n_branches];
		return true;
	}
	if (f->first_call < f->n_calls) {
		f->state = f->calls[f->first_call++];
		return true;
	}
	f->first_call = f->n_calls = 0;
	return false;
}

static bool moves(const struct cul_flow_insn *insn, unsigned reg)
{
	for (unsigned i = 0; i < insn->n_effects; i++)
		if (insn->effects[i].kind != CUL_PATH_STORE && insn->effects[i].dst == reg)
			return true;
	return false;
}

/* Whether instructions of one condition lead from behind `insn` to the pc. */
static bool leads_to(struct flow *f, const struct cul_flow_insn *insn)
{
	struct cul_flow_insn i = *insn;
	uint64_t pc = f->state.pc;

	while (i.conditional && i.condition == insn->condition && i.end == CUL_PATH_NEXT) {
		pc += i.len;
		if (pc == f->until)
			return true;
		if (!decode(f, pc, i.it, &i))
			break;
	}
	return false;
}

/*
 * An instruction that is executed or not. The frame is changed under a condition only on the way
 * out: that way was taken if it ends here and the condition holds.
 */
static void may_be(struct flow *f, struct cul_flow_insn *insn)
{
	bool moves_sp = moves(insn, f->arch->sp);
	bool known = f->way == ON ? f->fresh : moves_sp && leads_to(f, insn);
	bool leaves = insn->end == CUL_PATH_RETURN;

	if ((known && f->arch->holds(insn->condition, f->flags)) || insn->end == CUL_PATH_BRANCH ||
		insn->end == CUL_PATH_CALL)
		return;
	insn->end = CUL_PATH_NEXT;
	if (known || leaves || moves_sp)
		insn->n_effects = 0;
	for (unsigned i = 0; i < insn->n_effects; i++) {
		if (insn->effects[i].kind == CUL_PATH_STORE)
			insn->effects[i].dst = CUL_NO_REG;
		insn->effects[i].kind = CUL_PATH_LOST;
	}
}

/* One instruction, with the one in its delay slot. 1: the place that is looked for; -1: no more. */
static int step(struct flow *f)
{
	struct state *s = &f->state;
	struct cul_flow_insn insn, slot;
	uint64_t next;

	if (f->way == TO_PC && s->pc == f->until)
		return 1;
	if (f->insns++ > MAX_INSNS || !decode(f, s->pc, s->it, &insn))
		return -1;
	next = s->pc + insn.len;
	s->it = insn.it;
	if (insn.conditional)
		may_be(f, &insn);
	else
		f->fresh = false;
	effects(f, s, &insn);
	if (insn.delay) {
		if (f->way == TO_PC && next == f->until) {
			if (insn.end == CUL_PATH_CALL) /* it holds the address behind the call */
				s->regs[f->arch->lr].kind = LOST;
			return 1;
		}
		if (!decode(f, next, 0, &slot))
			return -1;
		effects(f, s, &slot);
		next += slot.len;
	}
	if (f->way == ON && insn.end == CUL_PATH_RETURN && s->regs[f->arch->sp].kind == INITIAL)
		return 1;
	if (f->way == TO_CALL && insn.end == CUL_PATH_CALL && next == f->until) {
		after_call(f, s);
		return 1;
	}
	return goes_on(f, s, &insn, next) ? 0 : -1;
}

static bool follow(struct flow *f)
{
	do {
		while (visit(f, f->state.pc)) {
			int ret = step(f);

			if (ret > 0)
				return true;
			if (ret < 0)
				break;
		}
	} while (f->insns < MAX_INSNS && next_path(f));
	if (f->way == ON && f->has_tail && f->tail.regs[f->arch->sp].kind == INITIAL) {
		f->state = f->tail;
		return true;
	}
	return false;
}

/* A register that holds the stack pointer of the start, and how far from it. */
static int find_cfa(struct flow *f, struct cul_rules *out)
{
	const struct cul_flow_arch *arch = f->arch;
	const struct value *sp = &f->state.regs[arch->sp];

	if (f->way == ON) { /* the stack pointer that the caller gets */
		cul_rules_cfa(out, sp->reg, sp->off);
		return 0;
	}
	if (sp->kind == INITIAL && sp->reg == arch->sp) {
		cul_rules_cfa(out, arch->sp, -sp->off);
		return 0;
	}
	for (unsigned i = 0; i < arch->n_regs; i++) {
		const struct value *v = &f->state.regs[i];

		if (v->kind == INITIAL && v->reg == arch->sp && arch->preserved >> i & 1) {
			cul_rules_cfa(out, i, -v->off);
			return 0;
		}
	}
	return -ENOENT;
}

/* Going forward a register's last value is what the caller gets. */
static struct cul_rule rule_forward(struct flow *f, unsigned reg, const struct cul_rules *out)
{
	const struct value *v = &f->state.regs[reg];
	struct cul_rule rule = {.kind = CUL_RULE_UNKNOWN};

	if (v->kind == INITIAL && v->off == 0) {
		rule.kind = CUL_RULE_REG;
		rule.reg = v->reg;
	} else if (v->kind == MEMORY && v->reg == out->cfa.reg) {
		rule.kind = CUL_RULE_AT;
		rule.off = v->off - out->cfa.off;
	}
	return rule;
}

/*
 * From the entry: where the value that the register had then is now. Its slot goes before the
 * register as long as it is part of the stack: on another path to here the register may have been
 * used.
 */
static struct cul_rule rule_back(struct flow *f, unsigned reg)
{
	const struct value *sp = &f->state.regs[f->arch->sp];
	const struct value had = {INITIAL, (uint8_t)reg, 0};
	struct cul_rule rule = {.kind = CUL_RULE_UNKNOWN};

	for (unsigned i = 0; i < f->state.n_slots; i++) {
		const struct slot *slot = &f->state.slots[i];

		if (same(&slot->holds, &had) && slot->at.reg == f->arch->sp &&
			(sp->kind != INITIAL || slot->at.off >= sp->off)) {
			rule.kind = CUL_RULE_AT;
			rule.off = slot->at.off;
			return rule;
		}
	}
	for (unsigned i = 0; i < f->arch->n_regs; i++) {
		if (!same(&f->state.regs[i], &had))
			continue;
		rule.kind = CUL_RULE_REG;
		rule.reg = (uint8_t)i;
		if (i == reg)
			break;
	}
	return rule;
}

static int rules_of(struct flow *f, struct cul_rules *out)
{
	const struct cul_flow_arch *arch = f->arch;
	struct cul_rules rules = {0};

	if (find_cfa(f, &rules) != 0)
		return -ENOENT;
	for (unsigned i = 0; i < CUL_MAX_REGS; i++) {
		rules.reg[i].kind = CUL_RULE_UNKNOWN;
		if (i < arch->n_regs && arch->preserved >> i & 1)
			rules.reg[i] = f->way == ON ? rule_forward(f, i, &rules) : rule_back(f, i);
	}
	rules.reg[arch->sp].kind = CUL_RULE_SAME;
	rules.reg[arch->ip] =
		f->way == ON ? rule_forward(f, arch->lr, &rules) : rule_back(f, arch->lr);
	if (rules.reg[arch->ip].kind == CUL_RULE_UNKNOWN)
		return -ENOENT;
	*out = rules;
	return 0;
}

/* In a delay slot what comes next was said by the instruction before. */
static void leave_slot(struct flow *f)
{
	struct cul_flow_insn before;

	if (f->state.pc - f->code->addr >= 4 && decode(f, f->state.pc - 4, 0, &before) &&
		before.delay && !before.n_effects)
		f->state.pc -= 4;
}

static int analyse(const struct cul_flow_arch *arch, const struct cul_code *code,
	const struct cul_code_place *at, enum way way, struct cul_rules *out)
{
	cul_cleanup(flow_free) struct flow *f = flow_new(arch, code, at, way);

	if (!f)
		return -ENOMEM;
	if (way == ON)
		leave_slot(f);
	return follow(f) ? rules_of(f, out) : -ENOENT;
}

int cul_flow_analyse(const struct cul_flow_arch *arch, const struct cul_code *code,
	const struct cul_code_place *at, struct cul_rules *out)
{
	int ret = -ENOENT;

	if (code->size > MAX_CODE || at->pc < code->addr || at->pc - code->addr >= code->size)
		return -ENOENT;
	if (code->from_entry && !at->exact)
		ret = analyse(arch, code, at, TO_CALL, out);
	if (code->from_entry && ret == -ENOENT)
		ret = analyse(arch, code, at, TO_PC, out);
	return ret == -ENOENT ? analyse(arch, code, at, ON, out) : ret;
}
