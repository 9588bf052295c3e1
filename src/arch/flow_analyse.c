/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the paths through a function to the rules at a pc, and where its frame begins to be made. */
#include "arch/flow_priv.h"

#include <errno.h>

#include "base/cleanup.h"

enum {
	OPENING = 24, /* instructions in which a frame is made */
	BEFORE_OPENING =
		8,        /* before one that makes room: the others that do, and their constants */
	MAX_OPENINGS = 8, /* whose code is followed to the pc */
};

/* A register that holds the stack pointer of the start, and how far from it. */
static int find_cfa(struct flow *f, struct cul_rules *out)
{
	const struct cul_flow_arch *arch = f->arch;
	const struct flow_value *sp = &f->state.regs[arch->sp];

	if (f->way == ON) { /* the stack pointer that the caller gets */
		cul_rules_cfa(out, sp->reg, sp->off);
		return 0;
	}
	if (sp->kind == INITIAL && sp->reg == arch->sp) {
		cul_rules_cfa(out, arch->sp, -sp->off);
		return 0;
	}
	for (unsigned i = 0; i < arch->n_regs; i++) {
		const struct flow_value *v = &f->state.regs[i];

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
	const struct flow_value *v = &f->state.regs[reg];
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
	const struct flow_slot *slot = cul_flow_slot_of(f, &f->state, reg);
	const struct flow_value had = {INITIAL, (uint8_t)reg, 0};
	struct cul_rule rule = {.kind = CUL_RULE_UNKNOWN};

	if (slot) {
		rule.kind = CUL_RULE_AT;
		rule.off = slot->at.off;
		return rule;
	}
	for (unsigned i = 0; i < f->arch->n_regs; i++) {
		if (!cul_flow_same(&f->state.regs[i], &had))
			continue;
		rule.kind = CUL_RULE_REG;
		rule.reg = (uint8_t)i;
		if (i == reg)
			break;
	}
	return rule;
}

/* -ENODATA: all but that of the return address, which is overwritten. */
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
	if (rules.reg[arch->ip].kind != CUL_RULE_UNKNOWN) {
		*out = rules;
		return 0;
	}
	if (f->way == ON || f->state.regs[arch->lr].kind != BEHIND)
		return -ENOENT;
	*out = rules;
	return -ENODATA;
}

/* Whether the code from `at` on keeps the link register, below `below` from the stack pointer. */
static bool keeps(struct flow *f, uint64_t at, int64_t below)
{
	struct flow_state s;

	cul_flow_first(f, at, &s);
	cul_flow_straight(f, &s, OPENING, 0);
	for (unsigned i = 0; i < s.n_slots; i++) {
		const struct flow_slot *slot = &s.slots[i];

		if (slot->at.reg == f->arch->sp && slot->at.off < below &&
			slot->holds.kind == INITIAL && slot->holds.reg == f->arch->lr)
			return true;
	}
	return false;
}

/*
 * Where the code begins that makes the frame of which the instruction at `pc` makes a part: the
 * stack pointer falls, in more than one step perhaps, or by a constant that is made first.
 */
static bool find_opening(struct flow *f, uint64_t pc, uint64_t *opening)
{
	const struct flow_value *sp;
	struct cul_flow_insn insn;
	struct flow_state s;
	int64_t lowest = 0;

	if (!cul_flow_decode(f, pc, 0, &insn) || insn.conditional ||
		!cul_flow_moves(&insn, f->arch->sp))
		return false;
	for (unsigned i = 0; i <= BEFORE_OPENING && i * f->arch->align <= pc - f->code->addr; i++) {
		cul_flow_first(f, pc - i * f->arch->align, &s);
		cul_flow_straight(f, &s, BEFORE_OPENING, pc);
		if (s.pc != pc)
			continue;
		cul_flow_effects(f, &s, &insn);
		sp = &s.regs[f->arch->sp];
		if (sp->kind == INITIAL && sp->reg == f->arch->sp && sp->off < lowest) {
			lowest = sp->off;
			*opening = pc - i * f->arch->align;
		}
	}
	return lowest < 0 && keeps(f, *opening, 0);
}

/* What is asked for, and what is known of it. */
struct question {
	const struct cul_flow_arch *arch;
	const struct cul_code *code;
	const struct cul_code_place *at;
	bool stale; /* the link register holds what a call of this function left there */
};

/*
 * From the entry, or what does as well: where no frame is made yet. `table`: where no path leads to
 * the pc, but beyond it, by a table of jumps that is met.
 */
static int analyse_from(const struct question *q, uint64_t entry, enum flow_way way, bool table,
	struct cul_rules *out)
{
	cul_cleanup(cul_flow_free) struct flow *f =
		cul_flow_new(q->arch, q->code, q->at, way, entry);
	struct flow_state s;
	int ret;

	if (!f)
		return -ENOMEM;
	if (cul_flow_follow(f)) {
		s = f->state;
		if (!cul_flow_straight(f, &s, OPENING, 0))
			return -ENOENT;
	} else if (table && f->has_jump && f->last > q->at->pc) {
		cul_flow_jump(f);
	} else {
		return -ENOENT;
	}
	ret = rules_of(f, out);
	return ret == 0 && q->stale && out->reg[q->arch->ip].kind == CUL_RULE_REG ? -ENOENT : ret;
}

/* What does as well as an entry keeps the return address: if it is overwritten this is none. */
static int analyse_opening(const struct question *q, uint64_t opening, enum flow_way way,
	bool table, struct cul_rules *out)
{
	struct cul_rules rules;
	int ret = analyse_from(q, opening, way, table, &rules);

	if (ret == 0)
		*out = rules;
	return ret == -ENODATA ? -ENOENT : ret;
}

/*
 * Where the function begins is not known: the nearest code before the pc does that makes a frame
 * and leads here.
 */
static int analyse_back(const struct question *q, struct flow *f, bool table, struct cul_rules *out)
{
	enum flow_way way = q->at->exact ? TO_PC : TO_CALL;
	unsigned most = table ? 1 : MAX_OPENINGS;
	uint64_t opening, pc = q->at->pc;
	int ret = -ENOENT;

	for (unsigned tried = 0; ret == -ENOENT && tried < most; pc -= q->arch->align) {
		if (find_opening(f, pc, &opening)) {
			ret = analyse_opening(q, opening, way, table, out);
			tried++;
		}
		if (pc - q->code->addr < q->arch->align)
			break;
	}
	return ret;
}

/*
 * Whether the code behind the call that the link register tells of leads to the pc: that call was
 * made by this very function.
 */
static bool is_stale(const struct question *q)
{
	cul_cleanup(cul_flow_free) struct flow *f = NULL;
	const struct flow_value *lr;

	if (!q->at->exact || !q->at->lr || q->at->lr - q->code->addr >= q->code->size)
		return false;
	f = cul_flow_new(q->arch, q->code, q->at, TO_PC, q->at->lr);
	if (!f || !cul_flow_follow(f))
		return false;
	lr = &f->state.regs[q->arch->lr];
	return lr->kind == INITIAL && lr->reg == q->arch->lr && lr->off == 0;
}

static int analyse_on(struct question *q, struct cul_rules *out)
{
	cul_cleanup(cul_flow_free) struct flow *f = cul_flow_new(q->arch, q->code, q->at, ON, 0);
	bool opening;
	uint64_t on;
	int ret = -ENOENT;

	if (!f)
		return -ENOMEM;
	cul_flow_leave_slot(f);
	on = f->state.pc;
	q->stale = is_stale(q);
	if (q->stale)
		f->state.regs[q->arch->lr].kind = BEHIND;
	/* Halfway in making a frame the same slot may be known by two registers. */
	opening = q->at->exact && !q->stale && keeps(f, on, INT64_MAX);
	if (opening)
		ret = analyse_back(q, f, false, out);
	if (ret == -ENOENT && cul_flow_follow(f))
		ret = rules_of(f, out);
	if (ret != -ENOENT || q->code->from_entry)
		return ret;
	if (!opening)
		ret = analyse_back(q, f, false, out);
	if (ret == -ENOENT && opening && keeps(f, on, 0))
		ret = analyse_opening(q, on, TO_PC, false, out);
	if (ret == -ENOENT)
		ret = analyse_back(q, f, true, out);
	if (ret != -ENOENT || !f->has_jump)
		return ret;
	f->state = f->jump;
	return rules_of(f, out);
}

/* From the entry. -ENODATA if no way to here has kept the return address. */
static int analyse_entry(const struct question *q, struct cul_rules *out)
{
	bool is_lost = false;
	int ret = -ENOENT;

	for (enum flow_way way = q->at->exact ? TO_PC : TO_CALL; way <= TO_PC; way++) {
		struct cul_rules rules;

		ret = analyse_from(q, q->code->addr, way, false, &rules);
		if (ret == 0 || (ret == -ENODATA && !is_lost))
			*out = rules;
		if (ret != -ENOENT && ret != -ENODATA)
			return ret;
		is_lost |= ret == -ENODATA;
	}
	return is_lost ? -ENODATA : -ENOENT;
}

int cul_flow_analyse(const struct cul_flow_arch *arch, const struct cul_code *code,
	const struct cul_code_place *at, struct cul_rules *out)
{
	struct question q = {arch, code, at, false};
	int ret = -ENOENT, on;

	if (code->size > CUL_CODE_MOST || at->pc < code->addr || at->pc - code->addr >= code->size)
		return -ENOENT;
	if (code->from_entry)
		ret = analyse_entry(&q, out);
	if (ret != -ENOENT && ret != -ENODATA)
		return ret;
	on = analyse_on(&q, out);
	return on == -ENOENT ? ret : on;
}
