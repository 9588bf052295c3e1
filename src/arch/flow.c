/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/flow_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum { MAX_INSNS = 12000 };
enum { WAITING = 1, VISITED }; /* in `seen` */

void cul_flow_free(struct flow **f)
{
	if (!*f)
		return;
	free((*f)->branches);
	free((*f)->calls);
	free((*f)->seen);
	free(*f);
}

void cul_flow_first(const struct flow *f, uint64_t pc, struct flow_state *s)
{
	*s = (struct flow_state){.pc = pc};
	for (unsigned i = 0; i < f->arch->n_regs; i++)
		s->regs[i] = (struct flow_value){INITIAL, (uint8_t)i, 0};
}

struct flow *cul_flow_new(const struct cul_flow_arch *arch, const struct cul_code *code,
	const struct cul_code_place *at, enum flow_way way, uint64_t from)
{
	cul_cleanup(cul_flow_free) struct flow *f = cul_calloc(1, sizeof(*f));

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
	cul_flow_first(f, way == ON ? at->pc : from, &f->state);
	if (way == ON && !at->exact)
		f->state.regs[arch->lr].kind = BEHIND;
	return cul_take(f);
}

bool cul_flow_same(const struct flow_value *a, const struct flow_value *b)
{
	return a->kind == b->kind && a->reg == b->reg && a->off == b->off;
}

const struct flow_slot *cul_flow_slot_of(
	const struct flow *f, const struct flow_state *s, unsigned reg)
{
	const struct flow_value *sp = &s->regs[f->arch->sp];
	const struct flow_value had = {INITIAL, (uint8_t)reg, 0};

	for (unsigned i = 0; i < s->n_slots; i++) {
		const struct flow_slot *slot = &s->slots[i];

		if (cul_flow_same(&slot->holds, &had) && slot->at.reg == f->arch->sp &&
			(sp->kind != INITIAL || slot->at.off >= sp->off))
			return slot;
	}
	return NULL;
}

static struct flow_value get(struct flow *f, const struct flow_state *s, unsigned reg)
{
	if (reg == f->arch->zero)
		return (struct flow_value){CONSTANT, 0, 0};
	return reg < f->arch->n_regs ? s->regs[reg] : (struct flow_value){LOST};
}

static struct flow_value plus(struct flow_value v, int64_t n)
{
	if (v.kind == MEMORY && n != 0)
		return (struct flow_value){LOST};
	v.off = (int64_t)((uint64_t)v.off + (uint64_t)n);
	return v;
}

/* The first to be stored in a slot is what the caller had: compilers do not reuse it. */
static void store(
	struct flow *f, struct flow_state *s, struct flow_value at, struct flow_value holds)
{
	if (at.kind != INITIAL)
		return;
	for (unsigned i = 0; i < s->n_slots; i++) {
		if (cul_flow_same(&s->slots[i].at, &at)) {
			s->slots[i].holds = holds;
			return;
		}
	}
	if (holds.kind == INITIAL && s->n_slots < MAX_SLOTS)
		s->slots[s->n_slots++] = (struct flow_slot){at, holds};
}

static struct flow_value load(struct flow *f, const struct flow_state *s, struct flow_value at)
{
	if (at.kind != INITIAL)
		return (struct flow_value){LOST};
	for (unsigned i = 0; i < s->n_slots; i++) {
		if (cul_flow_same(&s->slots[i].at, &at))
			return s->slots[i].holds;
	}
	return (struct flow_value){MEMORY, at.reg, at.off};
}

static void apply(struct flow *f, struct flow_state *s, const struct cul_flow_effect *e)
{
	struct flow_value a = get(f, s, e->a), b = get(f, s, e->b), v = {LOST};

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
		v = (struct flow_value){CONSTANT, 0, e->imm};
		break;
	case CUL_PATH_OR:
		if (a.kind == CONSTANT)
			v = (struct flow_value){CONSTANT, 0, a.off | e->imm};
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

bool cul_flow_decode(struct flow *f, uint64_t pc, uint8_t it, struct cul_flow_insn *insn)
{
	uint64_t at = pc - f->code->addr;

	*insn = (struct cul_flow_insn){.it = it};
	if (at >= f->code->size)
		return false;
	f->arch->decode(f->code->bytes + at, f->code->size - at, pc, insn);
	return insn->len != 0;
}

void cul_flow_effects(struct flow *f, struct flow_state *s, const struct cul_flow_insn *insn)
{
	for (unsigned i = 0; i < insn->n_effects; i++)
		apply(f, s, &insn->effects[i]);
}

static bool mark(struct flow *f, uint64_t pc, uint8_t as)
{
	uint64_t at = pc - f->code->addr;

	if (at >= f->code->size || f->seen[at / 2] >= as)
		return false;
	f->seen[at / 2] = as;
	if (pc > f->last)
		f->last = pc;
	return true;
}

static void later(struct flow *f, struct flow_state *list, unsigned *n, uint64_t pc)
{
	struct flow_state *to = &list[*n % MAX_WAITING];

	if (!mark(f, pc, WAITING))
		return;
	*to = f->state;
	to->it = 0;
	to->pc = pc;
	++*n;
}

static void after_call(struct flow *f, struct flow_state *s)
{
	for (unsigned i = 0; i < f->arch->n_regs; i++) {
		if (i != f->arch->sp && !(f->arch->preserved >> i & 1))
			s->regs[i] = (struct flow_value){i == f->arch->lr ? BEHIND : LOST};
	}
}

/* The link register is only stored by who has called nobody: the path has left its function. */
static bool strays(struct flow *f, const struct flow_state *s, const struct cul_flow_insn *insn)
{
	unsigned lr = f->arch->lr;

	for (unsigned i = 0; i < insn->n_effects && s->regs[lr].kind == BEHIND; i++)
		if (insn->effects[i].kind == CUL_PATH_STORE && insn->effects[i].dst == lr)
			return true;
	return false;
}

/* As a function is left: by a return, or for another one. */
static bool may_leave(struct flow *f, const struct flow_state *s)
{
	const struct flow_value *lr = &s->regs[f->arch->lr];

	return s->regs[f->arch->sp].kind == INITIAL && (lr->kind == INITIAL || lr->kind == MEMORY);
}

static void leave(struct flow *f, const struct flow_state *s, enum cul_flow_end end)
{
	bool known = end == CUL_PATH_TAIL || s->regs[f->arch->lr].kind == MEMORY;

	if (known && !f->has_tail)
		f->tail = *s;
	if (!known && !f->has_jump)
		f->jump = *s;
	f->has_tail |= known;
	f->has_jump |= !known;
}

/* Whether the path goes on at s->pc. Where else it goes is put on the lists. */
static bool goes_on(
	struct flow *f, struct flow_state *s, const struct cul_flow_insn *insn, uint64_t next)
{
	bool inside = insn->target - f->code->addr < f->code->size;

	s->pc = next;
	switch (insn->end) {
	case CUL_PATH_NEXT:
		return true;
	case CUL_PATH_BRANCH:
		if (f->n_branches < MAX_WAITING)
			later(f, f->branches, &f->n_branches, insn->target);
		return true;
	case CUL_PATH_CALL:
		after_call(f, s);
		if (f->n_calls - f->first_call < MAX_WAITING)
			later(f, f->calls, &f->n_calls, next);
		return false;
	case CUL_PATH_JUMP:
		if (inside) {
			s->pc = insn->target;
			return true;
		}
		/* fall through */
	case CUL_PATH_TAIL:
	case CUL_PATH_JUMP_REG:
		if (f->way == ON && may_leave(f, s))
			leave(f, s, insn->end);
		else if (f->way != ON && insn->end == CUL_PATH_JUMP_REG && !f->has_jump &&
			 cul_flow_slot_of(f, s, f->arch->lr)) {
			f->jump = *s;
			f->has_jump = true;
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
		f->state = f->calls[f->first_call++ % MAX_WAITING];
		return true;
	}
	return false;
}

bool cul_flow_moves(const struct cul_flow_insn *insn, unsigned reg)
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
		if (!cul_flow_decode(f, pc, i.it, &i))
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
	bool moves_sp = cul_flow_moves(insn, f->arch->sp);
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
	struct flow_state *s = &f->state;
	struct cul_flow_insn insn, slot;
	uint64_t next;

	if (f->way == TO_PC && s->pc == f->until)
		return 1;
	if (f->insns++ > MAX_INSNS || !cul_flow_decode(f, s->pc, s->it, &insn))
		return -1;
	next = s->pc + insn.len;
	s->it = insn.it;
	if (insn.conditional)
		may_be(f, &insn);
	else
		f->fresh = false;
	if (strays(f, s, &insn))
		return -1;
	cul_flow_effects(f, s, &insn);
	if (insn.delay) {
		if (f->way == TO_PC && next == f->until) {
			if (insn.end == CUL_PATH_CALL) /* it holds the address behind the call */
				s->regs[f->arch->lr].kind = LOST;
			return 1;
		}
		if (!cul_flow_decode(f, next, 0, &slot) || strays(f, s, &slot))
			return -1;
		cul_flow_effects(f, s, &slot);
		next += slot.len;
	}
	if (f->way == ON && insn.end == CUL_PATH_RETURN && may_leave(f, s))
		return 1;
	if (f->way == TO_CALL && insn.end == CUL_PATH_CALL && next == f->until) {
		after_call(f, s);
		return 1;
	}
	return goes_on(f, s, &insn, next) ? 0 : -1;
}

bool cul_flow_follow(struct flow *f)
{
	do {
		while (mark(f, f->state.pc, VISITED)) {
			int ret = step(f);

			if (ret > 0)
				return true;
			if (ret < 0)
				break;
		}
	} while (f->insns < MAX_INSNS && next_path(f));
	if (f->has_tail)
		f->state = f->tail;
	return f->has_tail;
}

void cul_flow_jump(struct flow *f)
{
	f->state = f->jump;
	if (f->way == TO_CALL)
		after_call(f, &f->state);
}

bool cul_flow_straight(struct flow *f, struct flow_state *s, unsigned most, uint64_t end)
{
	struct cul_flow_insn insn, slot;

	for (; most && s->pc != end && cul_flow_decode(f, s->pc, s->it, &insn); most--) {
		if (insn.conditional && insn.end != CUL_PATH_BRANCH)
			break;
		if (strays(f, s, &insn))
			return false;
		cul_flow_effects(f, s, &insn);
		s->it = insn.it;
		if (insn.end != CUL_PATH_NEXT && insn.end != CUL_PATH_BRANCH)
			break;
		s->pc += insn.len;
		if (!insn.delay || s->pc == end)
			continue;
		if (!cul_flow_decode(f, s->pc, 0, &slot))
			break;
		if (strays(f, s, &slot))
			return false;
		cul_flow_effects(f, s, &slot);
		s->pc += slot.len;
	}
	return true;
}

void cul_flow_leave_slot(struct flow *f)
{
	struct cul_flow_insn before;

	if (f->state.pc - f->code->addr >= 4 && cul_flow_decode(f, f->state.pc - 4, 0, &before) &&
		before.delay && !before.n_effects)
		f->state.pc -= 4;
}
