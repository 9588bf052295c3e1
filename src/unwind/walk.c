/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

enum {
	DEFAULT_SCAN = 16 << 10,
	/* Stacks may be changed (a signal's, a coroutine's), but not for ever. */
	MAX_DOWNWARD = 64,
	CALLS_MOST = 4096, /* frames of one walk whose functions are looked for by their calls */
	SCANS_MOST = 1024, /* frames of one walk: looking for more would find anything */
	CLOCK_EVERY = 16,  /* frames */
	EXIT_BEHIND = 8,   /* bytes between a call and the code that ends its thread */
	START_MOST = 64,   /* bytes of the function a program starts with, where it has no symbol */
};

int cul_unwinder_new(const struct cul_arch *arch, struct cul_mem *mem,
	const struct cul_code_space *code, struct cul_unwinder **out)
{
	struct cul_unwinder *u;

	if (!arch->unwind)
		return -ENOTSUP;
	u = cul_calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->arch = arch;
	u->facts = arch->unwind;
	u->mem = mem;
	u->code = *code;
	u->mask = arch->word == 8 ? UINT64_MAX : UINT32_MAX;
	u->pc_clear = arch->unwind->pc_clear;
	u->lines = cul_calloc(MEMORY_LINES, sizeof(*u->lines));
	u->rules = cul_calloc(RULES_CACHED, sizeof(*u->rules));
	u->is_code = cul_calloc(CODE_CACHED, sizeof(*u->is_code));
	if (!u->lines || !u->rules || !u->is_code) {
		cul_unwinder_free(u);
		return -ENOMEM;
	}
	*out = u;
	return 0;
}

void cul_unwinder_free(struct cul_unwinder *u)
{
	if (!u)
		return;
	cul_unwind_calls_free(u);
	free(u->lines);
	free(u->rules);
	free(u->is_code);
	free(u);
}

void cul_unwinder_signature(struct cul_unwinder *u, uint64_t bits)
{
	u->pc_clear |= bits;
}

const char *cul_unwind_method_name(enum cul_unwind_method method)
{
	static const char *const names[CUL_UNWIND_METHODS] = {
		[CUL_UNWIND_REGS] = "registers",
		[CUL_UNWIND_CFI] = "CFI",
		[CUL_UNWIND_EXIDX] = "EXIDX",
		[CUL_UNWIND_SIGNAL] = "signal frame",
		[CUL_UNWIND_CODE] = "code analysis",
		[CUL_UNWIND_LR] = "link register",
		[CUL_UNWIND_FP] = "frame pointer",
		[CUL_UNWIND_BAD_PC] = "bad pc",
		[CUL_UNWIND_SCAN] = "stack scan",
		[CUL_UNWIND_ORC] = "ORC",
		[CUL_UNWIND_DEDUCED] = "deduced",
	};

	return method < CUL_UNWIND_METHODS ? names[method] : "?";
}

const char *cul_unwind_end_text(const struct cul_unwind_end *end, char *buf, size_t size)
{
	static const char *const texts[] = {
		[CUL_UNWIND_END_OUTERMOST] = "outermost frame",
		[CUL_UNWIND_END_NO_RULE] = "nothing tells how to go on from",
		[CUL_UNWIND_END_UNREADABLE] = "unreadable stack at",
		[CUL_UNWIND_END_NOT_CODE] = "the return address is no code:",
		[CUL_UNWIND_END_LOOP] = "the stack loops at",
		[CUL_UNWIND_END_LIMIT] = "more frames than are followed, at",
		[CUL_UNWIND_END_STOPPED] = "stopped at",
		[CUL_UNWIND_END_LATE] = "it took too long to go on from",
	};

	if (end->why == CUL_UNWIND_END_OUTERMOST)
		snprintf(buf, size, "%s", texts[end->why]);
	else
		snprintf(buf, size, "%s 0x%" PRIx64, texts[end->why], end->addr);
	return buf;
}

/* A caller that a method has found, before it is believed. */
struct found {
	struct cul_thread_regs regs;
	struct cul_frame frame;
	uint64_t ra; /* its pc as a call left it */
	bool downward;
	bool doubtful; /* tables say so, but nothing else does */
};

/* 0, or why it ends here. */
static int judge(struct walk *w, enum cul_unwind_method method, bool signal, struct found *f,
	struct cul_unwind_end *end)
{
	const struct cul_arch *arch = w->u->arch;
	const struct cul_arch_unwind *facts = w->u->facts;
	struct cul_frame *frame = &f->frame;
	uint64_t target;

	f->ra = f->regs.regs.r[arch->reg_ip];
	*frame = (struct cul_frame){
		.pc = cul_unwind_clean_pc(w->u, f->ra),
		.sp = f->regs.regs.r[arch->reg_sp] & w->u->mask,
		.exact = signal,
		.method = (uint8_t)(signal ? CUL_UNWIND_SIGNAL : method),
	};
	f->regs.regs.r[arch->reg_ip] = frame->pc;
	if (facts->pc_mode && !signal)
		reg_set(&f->regs, arch->reg_flags, f->ra & facts->pc_mode ? facts->flags_mode : 0);
	*end = (struct cul_unwind_end){CUL_UNWIND_END_NOT_CODE, frame->pc};
	/* 0 ends a stack, if it is known to be the return address. */
	if (!signal && frame->pc == 0 && method != CUL_UNWIND_CODE &&
		!(method == CUL_UNWIND_EXIDX && w->frame.exact)) {
		end->why = CUL_UNWIND_END_OUTERMOST;
		return -ENOENT;
	}
	if (!signal && !cul_unwind_is_behind_code(w->u, frame->pc))
		return -EBADMSG;
	if (method == CUL_UNWIND_CODE && !cul_unwind_is_return(w->u, f->ra, &target))
		return -EBADMSG;
	*end = (struct cul_unwind_end){CUL_UNWIND_END_LOOP, frame->sp};
	f->downward = frame->sp <= w->frame.sp;
	if (signal || !f->downward)
		return 0;
	/* Who keeps nothing may need no stack at all. */
	if (method == CUL_UNWIND_DEDUCED && frame->sp == w->frame.sp && frame->pc != w->frame.pc)
		return 0;
	/* A function that has not touched the stack yet and has its return address in a register:
	 * the link register, or where its tables say (vfork() on x86_64). */
	if (frame->sp == w->frame.sp)
		return (facts->reg_lr != CUL_NO_REG || method == CUL_UNWIND_CFI) &&
				       w->frame.exact && frame->pc != w->frame.pc
			       ? 0
			       : -ELOOP;
	return method == CUL_UNWIND_CFI ? 0 : -ELOOP;
}

/* Whether the code shows that it calls the frame's own function. */
static bool calls_this(struct walk *w, uint64_t ra)
{
	struct cul_elf_symbol symbol;
	struct cul_code_at at;
	uint64_t target, lookup = cul_frame_lookup(&w->frame);

	if (!cul_unwind_is_return(w->u, ra, &target) || !target)
		return false;
	return w->u->code.at(w->u->code.data, lookup, &at) == 0 && at.file &&
	       cul_objfile_symbol_at(at.file, lookup, &symbol) == 0 && symbol.addr == target;
}

static bool is_sure(struct walk *w, enum cul_unwind_method method, const struct found *f)
{
	switch (method) {
	case CUL_UNWIND_SIGNAL:
		return true;
	case CUL_UNWIND_CFI:
		return !f->doubtful;
	case CUL_UNWIND_EXIDX: /* says nothing of prologues */
		return !w->frame.exact;
	case CUL_UNWIND_CODE:
		return f->frame.exact || calls_this(w, f->ra);
	default:
		return false;
	}
}

/*
 * Tables for exceptions describe the body of a function: before its frame is made, and after, they
 * would skip the caller, which the link register names.
 */
static void mend_prologue(struct walk *w, struct found *f, enum cul_unwind_method *method)
{
	unsigned ip = w->u->arch->reg_ip;
	struct cul_thread_regs by_lr;

	if (!(w->methods & 1u << CUL_UNWIND_LR) || cul_unwind_by_lr(w, &by_lr) != 0 ||
		cul_unwind_clean_pc(w->u, by_lr.regs.r[ip]) ==
			cul_unwind_clean_pc(w->u, f->regs.regs.r[ip]))
		return;
	f->regs = by_lr;
	*method = CUL_UNWIND_LR;
}

/*
 * Compilers write tables that are right at calls only (clang before version 15 for arm64, always
 * for ARM): where the thread was stopped elsewhere the code is right if the two differ.
 */
static int mend_stopped(struct walk *w, const struct cul_rules *code, struct found *f,
	enum cul_unwind_method *method, int ret)
{
	const struct cul_arch *arch = w->u->arch;
	struct cul_thread_regs by_code;
	uint64_t target, ignored;

	if (cul_unwind_apply(w->u, code, &w->regs, &by_code, &ignored) != 0 ||
		!cul_unwind_is_return(w->u, by_code.regs.r[arch->reg_ip], &target))
		return ret;
	if (ret == 0 && by_code.regs.r[arch->reg_ip] == f->regs.regs.r[arch->reg_ip] &&
		by_code.regs.r[arch->reg_sp] == f->regs.regs.r[arch->reg_sp])
		return 0;
	f->regs = by_code;
	*method = CUL_UNWIND_CODE;
	return 0;
}

/* By what is known of the code. 0; -ENOENT: the end; another: by other ways perhaps. */
static int by_rules(
	struct walk *w, struct found *f, enum cul_unwind_method *method, struct cul_unwind_end *end)
{
	const struct cached_rules *c = cul_unwind_rules(w);
	const struct cul_rule *rule = &c->rules.reg[w->u->arch->reg_ip];
	uint64_t fail = 0;
	int ret;

	if (c->no_entry && w->n_calls++ < CALLS_MOST &&
		(c->ret != 0 || c->method == CUL_UNWIND_CODE) &&
		cul_unwind_by_call(w, &f->regs) == 0) {
		*method = CUL_UNWIND_CODE;
		return judge(w, *method, false, f, end);
	}
	if (c->ret != 0)
		return -EBADMSG;
	/* Who has called somebody has its return address in the link register no more. */
	if (!w->frame.exact && rule->kind == CUL_RULE_REG && rule->reg == w->u->facts->reg_lr)
		return -EBADMSG;
	*method = c->method;
	ret = cul_unwind_apply(w->u, &c->rules, &w->regs, &f->regs, &fail);
	if (ret == -EFAULT)
		*end = (struct cul_unwind_end){CUL_UNWIND_END_UNREADABLE, fail};
	if (ret == -ENOENT)
		*end = (struct cul_unwind_end){CUL_UNWIND_END_OUTERMOST, w->frame.pc};
	if (c->has_code && ret != -ENOENT)
		ret = mend_stopped(w, &c->code, f, method, ret);
	if (ret != 0)
		return ret;
	/* What a call of its own has left in the link register, of a function that kept nothing? */
	f->doubtful = rule->kind == CUL_RULE_REG && rule->reg == w->u->facts->reg_lr &&
		      cul_unwind_is_own(w->u, w->frame.pc, f->regs.regs.r[w->u->arch->reg_ip]);
	if (c->method == CUL_UNWIND_EXIDX)
		mend_prologue(w, f, method);
	return judge(w, *method, c->rules.signal, f, end);
}

/* By the stack alone. The first failure is what is told. */
static int by_stack(
	struct walk *w, struct found *f, enum cul_unwind_method *method, struct cul_unwind_end *end)
{
	static const struct {
		enum cul_unwind_method method;
		int (*find)(struct walk *w, struct cul_thread_regs *next);
	} ways[] = {
		{CUL_UNWIND_BAD_PC, cul_unwind_by_bad_pc},
		{CUL_UNWIND_DEDUCED, cul_unwind_by_deduction},
		{CUL_UNWIND_LR, cul_unwind_by_lr},
		{CUL_UNWIND_FP, cul_unwind_by_fp},
		{CUL_UNWIND_SCAN, cul_unwind_by_scan},
	};
	bool is_code = cul_unwind_is_code(w->u, w->frame.pc - !w->frame.exact);
	struct cul_unwind_end ignored;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!(w->methods & 1u << ways[i].method) ||
			(ways[i].method == CUL_UNWIND_BAD_PC && (is_code || !w->frame.exact)) ||
			(ways[i].method == CUL_UNWIND_SCAN && w->n_scans++ >= SCANS_MOST) ||
			ways[i].find(w, &f->regs) != 0)
			continue;
		*method = ways[i].method;
		if (judge(w, *method, false, f, &ignored) == 0)
			return 0;
	}
	return -EBADMSG;
}

/* Whether this is the function that the kernel, or the dynamic linker, starts a program with. */
static bool is_start(struct walk *w)
{
	uint64_t entry, lookup = cul_frame_lookup(&w->frame);
	struct cul_elf_symbol symbol;
	struct cul_code_at at;

	if (w->u->code.at(w->u->code.data, lookup, &at) != 0 || !at.file ||
		cul_objfile_entry(at.file, &entry) != 0)
		return false;
	if (cul_objfile_symbol_at(at.file, lookup, &symbol) == 0)
		return symbol.addr == entry;
	return lookup - entry < START_MOST;
}

/* Whether what its callee returns to ends the thread, which has no caller then. */
static bool is_thread_start(struct walk *w)
{
	const struct cul_arch_unwind *facts = w->u->facts;
	uint8_t code[EXIT_BEHIND + CUL_EXIT_CODE_MAX];
	size_t n = sizeof(code);

	if (w->frame.exact)
		return false;
	/* The mapping may end behind it. */
	while (n > 0 && cul_unwind_read_code(w->u, w->frame.pc, code, n) != 0)
		n--;
	for (unsigned i = 0; i < facts->n_exits; i++)
		if (memmem(code, n, facts->exits[i].code, facts->exits[i].len))
			return true;
	return false;
}

static int caller(struct walk *w, struct found *f, struct cul_unwind_end *end)
{
	enum cul_unwind_method method = CUL_UNWIND_REGS;
	int ret = -EBADMSG;

	w->function = 0;
	*end = (struct cul_unwind_end){CUL_UNWIND_END_NO_RULE, w->frame.pc};
	if (w->frame.trampoline || cul_unwind_is_code(w->u, w->frame.pc - !w->frame.exact))
		ret = by_rules(w, f, &method, end);
	if (ret != 0 && ret != -ENOENT && (w->entered || is_start(w) || is_thread_start(w))) {
		*end = (struct cul_unwind_end){CUL_UNWIND_END_OUTERMOST, w->frame.pc};
		return -ENOENT;
	}
	if (ret != 0 && ret != -ENOENT)
		ret = by_stack(w, f, &method, end);
	if (ret != 0)
		return ret;
	if (method != CUL_UNWIND_DEDUCED)
		w->function = 0;
	w->trusted = w->trusted && is_sure(w, method, f);
	f->frame.certainty = w->trusted ? CUL_CERTAIN : CUL_LIKELY;
	return 0;
}

/* Which of a function's calls it was is not known: at none of them. */
static int visit_frame(struct walk *w,
	int (*visit)(void *data, const struct cul_frame *frame, const struct cul_thread_regs *regs),
	void *data)
{
	struct cul_thread_regs regs;
	struct cul_frame frame;

	if (!w->function)
		return visit(data, &w->frame, &w->regs);
	regs = w->regs;
	frame = w->frame;
	frame.pc = w->function;
	frame.exact = true;
	reg_set(&regs, w->u->arch->reg_ip, frame.pc);
	return visit(data, &frame, &regs);
}

void cul_unwind(struct cul_unwinder *u, const struct cul_thread_regs *regs,
	const struct cul_unwind_options *options,
	int (*visit)(void *data, const struct cul_frame *frame, const struct cul_thread_regs *regs),
	void *data, struct cul_unwind_end *end)
{
	struct walk w = {.u = u,
		.regs = *regs,
		.trusted = true,
		.methods = options && options->methods ? options->methods : ~0u,
		.scan_bytes = options && options->scan_bytes ? options->scan_bytes : DEFAULT_SCAN};
	size_t max = options && options->max_frames ? options->max_frames : CUL_UNWIND_MAX_FRAMES;
	uint64_t until = options ? options->until : 0;
	unsigned downward = 0;

	cul_unwind_memory_forget(u);
	u->searches_left = SEARCHES_MOST;
	u->places_left = PLACES_MOST;
	u->until = until;
	w.frame = (struct cul_frame){
		.pc = cul_unwind_clean_pc(u, regs->regs.r[u->arch->reg_ip]),
		.sp = regs->regs.r[u->arch->reg_sp] & u->mask,
		.exact = true,
		.method = CUL_UNWIND_REGS,
		.certainty = CUL_CERTAIN,
	};
	for (size_t n = 1;; n++) {
		struct found f;

		w.entered = false;
		if (cul_unwind_is_code(u, w.frame.pc)) {
			const struct cached_rules *c = cul_unwind_rules(&w);

			w.frame.trampoline = c->trampoline;
			w.entered = c->entered;
			w.frame.exact |= c->entered;
		}
		*end = (struct cul_unwind_end){CUL_UNWIND_END_STOPPED, w.frame.pc};
		if (visit_frame(&w, visit, data) != 0)
			return;
		end->why = CUL_UNWIND_END_LIMIT;
		if (n >= max)
			return;
		if (until && n % CLOCK_EVERY == 0 && cul_clock_now() > until) {
			end->why = CUL_UNWIND_END_LATE;
			return;
		}
		if (caller(&w, &f, end) != 0)
			return;
		downward += f.downward;
		if (downward > MAX_DOWNWARD) {
			*end = (struct cul_unwind_end){CUL_UNWIND_END_LOOP, f.frame.sp};
			return;
		}
		w.regs = f.regs;
		w.frame = f.frame;
	}
}
