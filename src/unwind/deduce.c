/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who called a function whose return address is gone: compilers do not keep it where a function
 * never returns. Its frame is known, so that its caller's begins above it. Either the kernel called
 * it, and a signal frame is there; or one of those that call it, by the code of all that is mapped
 * with it, did: such a caller keeps its own return address at a place that its code tells, and what
 * is there now must be behind a call of that caller.
 */
#include "unwind/priv.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum {
	LEVELS = 3, /* of functions behind each other that kept nothing */
	STARTS_TRIED = 8,
	FRAME_MOST = 1024, /* of a handler whose start is not known */
	BEFORE = 8192,     /* of code, where its function may begin */
	IN_PAGE = 4095,
};

static bool has_mark(struct cul_unwinder *u, const struct cul_signal_frame *frame, uint64_t sp)
{
	uint64_t word;

	if (!frame->marks[0] || sp % u->facts->stack_align != 0 ||
		cul_unwind_read_number(u, sp + frame->mark_at, 4, &word) != 0)
		return false;
	for (size_t i = 0; i < sizeof(frame->marks) / sizeof(frame->marks[0]); i++)
		if (word && word == frame->marks[i])
			return true;
	return false;
}

bool cul_unwind_signal_at(struct cul_unwinder *u, uint64_t sp, uint64_t *trampoline)
{
	for (unsigned i = 0; i < u->facts->n_signals && u->code.next; i++) {
		if (has_mark(u, &u->facts->signals[i], sp)) {
			*trampoline = cul_unwind_trampoline(u, &u->facts->signals[i]);
			return *trampoline != 0;
		}
	}
	return false;
}

/* By rules without that of the pc. */
static bool before_call(struct walk *w, const struct cul_rules *rules, struct cul_thread_regs *regs)
{
	struct cul_rules all = *rules;
	uint64_t ignored;

	all.reg[w->u->arch->reg_ip] = (struct cul_rule){.kind = CUL_RULE_CFA};
	return cul_unwind_apply(w->u, &all, &w->regs, regs, &ignored) == 0;
}

bool cul_unwind_lost(struct walk *w, struct cul_thread_regs *regs)
{
	const struct cached_rules *c = cul_unwind_rules(w);

	return c->ret == -ENODATA && before_call(w, &c->rules, regs);
}

/*
 * Where the function begins that the frame is in, without symbols: the nearest place before that is
 * called and whose code leads to the pc. False too if it has kept its return address.
 */
static bool find_start(struct walk *w, uint64_t *start, struct cul_thread_regs *regs)
{
	const struct cached_rules *c = cul_unwind_rules(w);
	const struct cul_code_place place = {c->pc, c->flags, c->exact, c->lr};
	/* The same for all of a page: they are asked again for what is near. */
	uint64_t pc = w->frame.pc, low = pc > BEFORE ? (pc - BEFORE) & ~(uint64_t)IN_PAGE : 1;
	const struct found_calls *f = cul_unwind_calls(w->u, pc - !c->exact, low, pc | IN_PAGE);
	struct cul_rules rules;

	if (!f->whole)
		return false;
	for (unsigned tried = 0; tried < STARTS_TRIED; tried++) {
		uint64_t nearest = 0;
		int ret;

		for (size_t i = 0; i < f->calls.len; i++)
			if (f->calls.data[i].target > nearest && f->calls.data[i].target < pc)
				nearest = f->calls.data[i].target;
		if (!nearest)
			return false;
		ret = cul_unwind_analyse(w->u, &place, &nearest, &rules);
		if (ret == 0)
			return false;
		*start = pc = nearest;
		if (ret == -ENODATA)
			return before_call(w, &rules, regs);
	}
	return false;
}

/* The frame's function has lost its return address: where it begins, and what was before it. */
static bool is_lost(struct walk *w, uint64_t *start, struct cul_thread_regs *regs)
{
	const struct cached_rules *c = cul_unwind_rules(w);
	struct cul_thread_regs ignored;

	if (c->ret == -ENODATA)
		return cul_unwind_function(w->u, w->frame.pc - !w->frame.exact, start) == 0 &&
		       before_call(w, &c->rules, regs);
	/* That it is lost is not known then: a frame pointer that leads on goes before. */
	return c->no_entry && c->ret != 0 &&
	       (!(w->methods & 1u << CUL_UNWIND_FP) || cul_unwind_by_fp(w, &ignored) != 0) &&
	       find_start(w, start, regs);
}

/* What the return address of a caller is behind: some call, or one of this caller. */
enum { ANY_CALL, THIS_CALL, KINDS };

/* A call of the function that is asked for. */
struct place {
	uint64_t ra;
	uint64_t function; /* that it is in */
	struct cul_thread_regs
		up; /* as its caller has them; none are known if that one kept nothing */
};

struct deduction {
	struct walk *w;
	bool whole; /* none was left out */
	struct {
		struct place first; /* .ra 0: none fits */
		bool others;        /* of the same function, which has the same caller */
		bool elsewhere;     /* others that are not */
	} found[KINDS];
};

static void fits(struct deduction *d, unsigned kind, const struct place *place)
{
	const struct cul_arch *arch = d->w->u->arch;
	const struct place *first = &d->found[kind].first;

	if (!first->ra)
		d->found[kind].first = *place;
	else if (first->ra == place->ra)
		return;
	else if (first->function == place->function &&
		 first->up.regs.r[arch->reg_ip] == place->up.regs.r[arch->reg_ip] &&
		 first->up.regs.r[arch->reg_sp] == place->up.regs.r[arch->reg_sp])
		d->found[kind].others = true;
	else
		d->found[kind].elsewhere = true;
}

/* Whether the frame's return address is behind a call of its function, as far as that one tells. */
static bool is_called(struct walk *g, struct place *place, unsigned *kind)
{
	struct cul_unwinder *u = g->u;
	const struct cached_rules *c = cul_unwind_rules(g);
	const struct cul_rule *rule = &c->rules.reg[u->arch->reg_ip];
	uint64_t target = 0, ignored;

	if (c->no_entry && cul_unwind_by_call(g, &place->up) == 0) {
		*kind = THIS_CALL;
		return cul_unwind_is_return(u, place->up.regs.r[u->arch->reg_ip], &place->function);
	}
	if (c->ret != 0 || (rule->kind == CUL_RULE_REG && rule->reg == u->facts->reg_lr) ||
		cul_unwind_apply(u, &c->rules, &g->regs, &place->up, &ignored) != 0 ||
		!cul_unwind_is_return(u, place->up.regs.r[u->arch->reg_ip], &target))
		return false;
	if (cul_unwind_function(u, g->frame.pc - 1, &place->function) != 0)
		place->function = g->frame.pc; /* which is unlike all others */
	*kind = target ? THIS_CALL : ANY_CALL;
	return !target || cul_unwind_clean_pc(u, target) == place->function;
}

/* The frame of a caller as it would be if `ra` were the return address. */
static void frame_at(
	const struct walk *w, const struct cul_thread_regs *regs, uint64_t ra, struct walk *out)
{
	const struct cul_arch *arch = w->u->arch;
	const struct cul_arch_unwind *facts = w->u->facts;

	*out = (struct walk){.u = w->u, .methods = w->methods, .regs = *regs};
	out->frame.pc = cul_unwind_clean_pc(w->u, ra);
	out->frame.sp = regs->regs.r[arch->reg_sp];
	reg_set(&out->regs, arch->reg_ip, out->frame.pc);
	if (facts->pc_mode)
		reg_set(&out->regs, arch->reg_flags, ra & facts->pc_mode ? facts->flags_mode : 0);
}

/* `top`: the call of the function that is asked for; NULL: `start` is that one. */
static void try_callers(struct deduction *d, uint64_t start, const struct cul_thread_regs *regs,
	unsigned levels, const struct place *top);

static void try_caller(struct deduction *d, struct walk *g, uint64_t callee, unsigned levels,
	struct place *place, const struct place *top)
{
	struct cul_unwinder *u = g->u;
	struct cul_thread_regs before;
	uint64_t handler;
	unsigned kind;

	if (is_called(g, place, &kind)) {
		fits(d, kind, top ? top : place);
		return;
	}
	place->up = (struct cul_thread_regs){0};
	if (!is_lost(g, &place->function, &before) || place->function == callee)
		return;
	if (cul_unwind_signal_at(u, before.regs.r[u->arch->reg_sp], &handler))
		fits(d, THIS_CALL, top ? top : place);
	else if (levels > 1)
		try_callers(d, place->function, &before, levels - 1, top ? top : place);
}

static void try_callers(struct deduction *d, uint64_t start, const struct cul_thread_regs *regs,
	unsigned levels, const struct place *top)
{
	struct cul_unwinder *u = d->w->u;
	const struct found_calls *f = cul_unwind_calls(u, start, start, start);
	size_t n = f->calls.len;
	cul_autofree uint64_t *calls = cul_calloc(n + 1, sizeof(*calls));

	d->whole &= f->whole && calls;
	for (size_t i = 0; i < n && d->whole; i++)
		calls[i] = f->calls.data[i].ra;
	for (size_t i = 0; i < n && d->whole; i++) {
		struct place place = {.ra = calls[i]};
		struct walk g;

		d->whole = u->places_left != 0;
		u->places_left -= d->whole;
		frame_at(d->w, regs, place.ra, &g);
		if (d->whole)
			try_caller(d, &g, start, levels, &place, top);
	}
}

/*
 * Nobody calls a signal handler: without symbols its frame's size is not known. Whether a signal
 * frame comes before all that could be a return address.
 */
static int next_is_signal(struct walk *w, struct cul_thread_regs *next)
{
	const struct cul_arch *arch = w->u->arch;
	uint64_t ra, target, sp = w->frame.sp;

	for (size_t off = 0; off < FRAME_MOST; off += arch->word, sp += arch->word) {
		if (cul_unwind_signal_at(w->u, sp, &ra)) {
			*next = (struct cul_thread_regs){0};
			reg_set(next, arch->reg_sp, sp);
			reg_set(next, arch->reg_ip, ra);
			return 0;
		}
		if (cul_unwind_read_word(w->u, sp, &ra) != 0 ||
			cul_unwind_is_return(w->u, ra, &target))
			break;
	}
	return -ENOENT;
}

int cul_unwind_by_deduction(struct walk *w, struct cul_thread_regs *next)
{
	const struct cul_arch *arch = w->u->arch;
	struct deduction d = {.w = w, .whole = true};
	unsigned kind = THIS_CALL;
	uint64_t start, ra;

	if (w->u->facts->reg_lr == CUL_NO_REG || !w->u->code.next ||
		!cul_unwind_is_code(w->u, w->frame.pc - !w->frame.exact))
		return -ENOENT;
	if (!is_lost(w, &start, next))
		return cul_unwind_rules(w)->no_entry ? next_is_signal(w, next) : -ENOENT;
	if (cul_unwind_signal_at(w->u, next->regs.r[arch->reg_sp], &ra)) {
		reg_set(next, arch->reg_ip, ra);
		return 0;
	}
	try_callers(&d, start, next, LEVELS, NULL);
	if (!d.found[kind].first.ra)
		kind = ANY_CALL;
	if (!d.whole || !d.found[kind].first.ra || d.found[kind].elsewhere)
		return -ENOENT;
	reg_set(next, arch->reg_ip, d.found[kind].first.ra);
	if (d.found[kind].others)
		w->function = d.found[kind].first.function;
	return 0;
}
