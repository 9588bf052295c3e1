/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways from a frame to its caller. Tables, signal frames and the analysis of code make rules,
 * which depend on the pc alone and are kept; the frame pointer, a bad pc and scanning look at the
 * stack.
 */
#include "unwind/priv.h"

#include <errno.h>
#include <string.h>

enum {
	CODE_BEFORE = 8192, /* of a function that is longer its head is not analysed */
	CODE_AFTER = 2048,
	CODE_BACK = 32768, /* of one whose start is not known */
	CODE_ON = 8192,
	CALL_SCAN = 1024, /* bytes of the stack */
	CALLS_TRIED = 16,
	DELAY_SLOT = 4, /* with the instruction that it belongs to */
	SCAN_STEP_MAX = 1 << 20,
};

_Static_assert(
	CODE_BACK + CODE_ON <= CUL_CODE_MOST && CODE_BEFORE + CODE_AFTER <= CUL_CODE_MOST, "");

uint64_t cul_unwind_clean_pc(const struct cul_unwinder *u, uint64_t pc)
{
	return pc & u->mask & ~u->pc_clear;
}

bool cul_unwind_is_code(struct cul_unwinder *u, uint64_t addr)
{
	struct cached_code *c = &u->is_code[addr * 0x9e3779b97f4a7c15ull >> 32 & (CODE_CACHED - 1)];
	struct cul_code_at at;

	if (!addr || c->addr != addr) {
		c->is_code = u->code.at(u->code.data, addr, &at) == 0 && at.executable;
		c->addr = addr;
	}
	return c->is_code;
}

int cul_unwind_function(struct cul_unwinder *u, uint64_t addr, uint64_t *start)
{
	struct cul_elf_symbol symbol;
	struct cul_code_at at;

	if (u->code.function)
		return u->code.function(u->code.data, addr, start);
	if (u->code.at(u->code.data, addr, &at) != 0 || !at.file ||
		cul_objfile_symbol_at(at.file, addr, &symbol) != 0 || !symbol.is_function)
		return -ENOENT;
	*start = symbol.addr & ~u->facts->pc_clear;
	return 0;
}

static bool matches(struct cul_unwinder *u, const struct cul_signal_frame *s, uint64_t start)
{
	uint8_t code[CUL_SIGNAL_CODE_MAX];

	return cul_unwind_read_code(u, start, code, s->len) == 0 && !memcmp(code, s->code, s->len);
}

static bool after_call(struct cul_unwinder *u, uint64_t ra, uint64_t mode, uint64_t *target)
{
	uint8_t bytes[16];
	size_t n = u->facts->call_bytes;

	if (!u->facts->after_call || n > sizeof(bytes))
		return true;
	/* At the start of a mapping fewer bytes are before it. */
	for (; n > 0; n--) {
		if (cul_unwind_read_code(u, ra - n, bytes, n) == 0)
			return u->facts->after_call(bytes, n, ra | mode, target);
	}
	return false;
}

/* The kernel made a signal handler return here: nothing before it was called, or need be there. */
static bool is_trampoline(struct cul_unwinder *u, uint64_t pc)
{
	if (!cul_unwind_is_code(u, pc))
		return false;
	for (unsigned i = 0; i < u->facts->n_signals; i++) {
		if (matches(u, &u->facts->signals[i], pc))
			return true;
	}
	return false;
}

bool cul_unwind_is_behind_code(struct cul_unwinder *u, uint64_t pc)
{
	return cul_unwind_is_code(u, pc - 1) || is_trampoline(u, pc);
}

bool cul_unwind_is_return(struct cul_unwinder *u, uint64_t ra, uint64_t *target)
{
	uint64_t mode = ra & u->facts->pc_mode;

	ra = cul_unwind_clean_pc(u, ra);
	*target = 0;
	if (ra < CUL_SIGNAL_CODE_MAX)
		return false;
	return (cul_unwind_is_code(u, ra - 1) && after_call(u, ra, mode, target)) ||
	       is_trampoline(u, ra);
}

/* The trampoline that a signal handler returns to, known by its instructions. */
static int by_signal(struct cul_unwinder *u, uint64_t pc, struct cul_rules *out)
{
	const struct cul_arch *arch = u->arch;

	for (unsigned i = 0; i < u->facts->n_signals; i++) {
		const struct cul_signal_frame *s = &u->facts->signals[i];

		if (!matches(u, s, pc - s->pc[0]) && !matches(u, s, pc - s->pc[1]))
			continue;
		*out = (struct cul_rules){.signal = true};
		cul_rules_cfa(out, arch->reg_sp, 0);
		for (unsigned r = 0; r < arch->n_regs; r++)
			out->reg[r].kind = CUL_RULE_UNKNOWN;
		for (unsigned r = 0; r < s->n_regs; r++)
			cul_rules_at(out, s->regs[r].reg, s->regs[r].off);
		return 0;
	}
	return -ENOENT;
}

/* By the tables of the file that covers the address. */
static int by_file(struct cul_unwinder *u, uint64_t lookup, struct cul_rules *out,
	int (*find)(struct cul_unwinder *u, struct cul_objfile *file, uint64_t lookup,
		struct cul_rules *out))
{
	struct cul_code_at at;

	if (u->code.at(u->code.data, lookup, &at) != 0 || !at.file)
		return -ENOENT;
	return find(u, at.file, lookup, out);
}

/* As many bytes as can be read: the function may be the last of its mapping. */
static size_t read_around(struct cul_unwinder *u, uint64_t from, uint8_t *buf, size_t size)
{
	size_t have = 0;

	for (size_t n = size; n >= 16 && have < size; n /= 2) {
		while (have + n <= size && cul_unwind_read_code(u, from + have, buf + have, n) == 0)
			have += n;
	}
	return have;
}

/* Loops of its function go back, and what a delay slot belongs to is before it. */
static uint64_t before(struct cul_unwinder *u, uint64_t pc)
{
	uint8_t byte;

	for (uint64_t n = CODE_BACK; n >= DELAY_SLOT; n /= 2) {
		if (n <= pc && cul_unwind_is_code(u, pc - n) &&
			cul_unwind_read_code(u, pc - n, &byte, 1) == 0)
			return pc - n;
	}
	return pc;
}

int cul_unwind_analyse(struct cul_unwinder *u, const struct cul_code_place *place,
	const uint64_t *start, struct cul_rules *out)
{
	uint8_t bytes[CODE_BACK + CODE_ON];
	struct cul_code code = {.bytes = bytes};

	code.from_entry = start && place->pc - *start < CODE_BEFORE;
	code.addr = code.from_entry ? *start : before(u, place->pc);
	code.size = read_around(u, code.addr, bytes,
		place->pc - code.addr + (code.from_entry ? CODE_AFTER : CODE_ON));
	return code.size ? u->facts->analyse(&code, place, out) : -ENOENT;
}

static int by_code(struct walk *w, struct cached_rules *c, struct cul_rules *out)
{
	const struct cul_code_place place = {c->pc, c->flags, c->exact, c->lr};
	uint64_t start;

	if (!(w->methods & 1u << CUL_UNWIND_CODE) || !w->u->facts->analyse)
		return -ENOENT;
	c->no_entry = cul_unwind_function(w->u, c->pc - !c->exact, &start) != 0;
	return cul_unwind_analyse(w->u, &place, c->no_entry ? NULL : &start, out);
}

/*
 * What the code says where tables may be right at calls only; and those of a function that keeps
 * nothing go on to say that the link register has its return address. As make_rules().
 */
static int beside_cfi(struct walk *w, struct cached_rules *c)
{
	const struct cul_rule *rule = &c->rules.reg[w->u->arch->reg_ip];
	unsigned lr = w->u->facts->reg_lr;
	bool in_lr = rule->kind == CUL_RULE_REG && rule->reg == lr;
	int ret;

	if (lr == CUL_NO_REG || c->rules.signal || (!c->exact && !in_lr))
		return 0;
	ret = by_code(w, c, &c->code);
	c->has_code = c->exact && ret == 0;
	if (ret != -ENODATA || !in_lr)
		return 0;
	c->rules = c->code;
	return ret;
}

static int make_rules(struct walk *w, struct cached_rules *c)
{
	struct cul_unwinder *u = w->u;
	uint64_t pc = w->frame.pc, lookup = pc - !w->frame.exact;
	int ret;

	if (w->methods & 1u << CUL_UNWIND_SIGNAL && by_signal(u, pc, &c->rules) == 0) {
		c->method = CUL_UNWIND_SIGNAL;
		return 0;
	}
	if (w->methods & 1u << CUL_UNWIND_CFI &&
		by_file(u, lookup, &c->rules, cul_unwind_cfi) == 0) {
		c->method = CUL_UNWIND_CFI;
		return beside_cfi(w, c);
	}
	/* Tables for exceptions are right where a function calls. */
	if (w->methods & 1u << CUL_UNWIND_EXIDX && !w->frame.exact &&
		by_file(u, lookup, &c->rules, cul_unwind_exidx) == 0) {
		c->method = CUL_UNWIND_EXIDX;
		return 0;
	}
	ret = by_code(w, c, &c->rules);
	if (ret == 0) {
		c->method = CUL_UNWIND_CODE;
		return 0;
	}
	if (w->methods & 1u << CUL_UNWIND_EXIDX && w->frame.exact &&
		by_file(u, lookup, &c->rules, cul_unwind_exidx) == 0) {
		c->method = CUL_UNWIND_EXIDX;
		return 0;
	}
	return ret;
}

/* What the link register holds where it may still be the return address; 0: unknown. */
static uint64_t link_of(const struct walk *w)
{
	unsigned lr = w->u->facts->reg_lr;

	return w->frame.exact && reg_known(&w->regs, lr)
		       ? cul_unwind_clean_pc(w->u, w->regs.regs.r[lr])
		       : 0;
}

/* The entry of this pc, or the one that it takes. */
static struct cached_rules *cached(struct walk *w, uint64_t flags, uint64_t lr)
{
	const struct cul_frame *frame = &w->frame;
	uint64_t spread = frame->pc * 0x9e3779b97f4a7c15ull;
	struct cached_rules *set =
		&w->u->rules[(spread >> 32) % (RULES_CACHED / RULES_WAYS) * RULES_WAYS];

	for (size_t i = 0; i < RULES_WAYS; i++) {
		struct cached_rules *c = &set[i];

		if (!c->valid ||
			(c->pc == frame->pc && c->flags == flags && c->exact == frame->exact &&
				c->methods == w->methods && (!c->no_entry || c->lr == lr)))
			return c;
	}
	/* Whichever: what is wanted often comes back. */
	set += w->u->evicted++ % RULES_WAYS;
	set->valid = false;
	return set;
}

/* A function that others return to without having been called: the bottom of a coroutine. */
static bool is_entered(struct cul_unwinder *u, uint64_t pc)
{
	uint64_t start, target;

	return !u->facts->pc_mode && cul_unwind_function(u, pc, &start) == 0 && start == pc &&
	       cul_unwind_function(u, pc - 1, &start) != 0 && !cul_unwind_is_return(u, pc, &target);
}

const struct cached_rules *cul_unwind_rules(struct walk *w)
{
	const struct cul_frame *frame = &w->frame;
	uint64_t flags = w->regs.regs.r[w->u->arch->reg_flags] & w->u->facts->flags_used;
	uint64_t lr = link_of(w);
	struct cached_rules *c = cached(w, flags, lr);

	if (c->valid)
		return c;
	c->valid = true;
	c->pc = frame->pc;
	c->flags = flags;
	c->lr = lr;
	c->has_code = c->no_entry = false;
	c->exact = frame->exact;
	c->methods = w->methods;
	c->ret = make_rules(w, c);
	c->trampoline = c->ret == 0 && c->rules.signal;
	c->entered = !c->exact && !c->trampoline && is_entered(w->u, c->pc);
	return c;
}

/* The caller's registers, as far as a method knows that reads no rules. */
static void only(struct walk *w, struct cul_thread_regs *next, uint64_t pc, uint64_t sp)
{
	*next = (struct cul_thread_regs){0};
	reg_set(next, w->u->arch->reg_ip, pc);
	reg_set(next, w->u->arch->reg_sp, sp);
}

/* Code that a compiler has made at run time; its calls may be jumps behind a pushed address. */
static bool is_made(struct cul_unwinder *u, uint64_t addr)
{
	struct cul_code_at at;

	return u->code.at(u->code.data, addr, &at) == 0 && at.executable && !at.file;
}

static bool by_layout(
	struct walk *w, const struct cul_fp_layout *layout, struct cul_thread_regs *next)
{
	struct cul_unwinder *u = w->u;
	uint64_t fp = w->regs.regs.r[layout->reg], saved, ra, target;

	if (!reg_known(&w->regs, layout->reg) || fp % u->arch->word ||
		fp + (uint64_t)(int64_t)layout->fp_off < w->frame.sp)
		return false;
	if (cul_unwind_read_word(u, fp + (uint64_t)(int64_t)layout->fp_off, &saved) != 0 ||
		cul_unwind_read_word(u, fp + (uint64_t)(int64_t)layout->ra_off, &ra) != 0)
		return false;
	if (!cul_unwind_is_return(u, ra, &target) &&
		!(is_made(u, w->frame.pc) && is_made(u, ra) && saved > fp))
		return false;
	only(w, next, ra, fp + (uint64_t)(int64_t)layout->sp_off);
	reg_set(next, layout->reg, saved);
	return true;
}

int cul_unwind_by_fp(struct walk *w, struct cul_thread_regs *next)
{
	const struct cul_arch_unwind *facts = w->u->facts;

	for (unsigned i = 0; i < facts->n_fp_layouts; i++) {
		if (by_layout(w, &facts->fp_layouts[i], next))
			return 0;
	}
	return -ENOENT;
}

bool cul_unwind_is_own(struct cul_unwinder *u, uint64_t pc, uint64_t ra)
{
	uint64_t own, other;

	return cul_unwind_function(u, pc, &own) == 0 &&
	       cul_unwind_function(u, cul_unwind_clean_pc(u, ra) - 1, &other) == 0 && own == other;
}

/* Whether the address is behind a call that another function made of this one, for all one can see.
 */
static bool is_of_caller(struct walk *w, uint64_t ra)
{
	struct cul_unwinder *u = w->u;
	uint64_t target, own, other;

	if (!cul_unwind_is_return(u, ra, &target))
		return false;
	if (cul_unwind_function(u, w->frame.pc, &own) != 0)
		return (target && target <= w->frame.pc) || /* of what may be this function */
		       is_trampoline(w->u, cul_unwind_clean_pc(w->u, ra));
	if (target)
		return target == own;
	return cul_unwind_function(u, cul_unwind_clean_pc(u, ra) - 1, &other) != 0 || other != own;
}

/*
 * A function that has made no frame yet, or never does: its return address is in the link register
 * still, and what the frame pointer leads to belongs to its caller. Once it has called somebody the
 * register holds an address of its own; a frame that has the very address is whole.
 */
int cul_unwind_by_lr(struct walk *w, struct cul_thread_regs *next)
{
	const struct cul_arch *arch = w->u->arch;
	unsigned lr = w->u->facts->reg_lr;
	uint64_t ra;

	if (!w->frame.exact || !reg_known(&w->regs, lr))
		return -ENOENT;
	ra = w->regs.regs.r[lr];
	if (!is_of_caller(w, ra) || (cul_unwind_by_fp(w, next) == 0 &&
					    cul_unwind_clean_pc(w->u, next->regs.r[arch->reg_ip]) ==
						    cul_unwind_clean_pc(w->u, ra)))
		return -ENOENT;
	*next = w->regs;
	reg_set(next, arch->reg_ip, ra);
	return 0;
}

/*
 * A call through a bad pointer left the return address where calls leave it, and nothing else has
 * happened since.
 */
int cul_unwind_by_bad_pc(struct walk *w, struct cul_thread_regs *next)
{
	const struct cul_arch *arch = w->u->arch;
	uint64_t ra, target, sp = w->frame.sp;

	if (w->u->facts->reg_lr == CUL_NO_REG) {
		if (cul_unwind_read_word(w->u, sp, &ra) != 0)
			return -ENOENT;
		sp += arch->word;
	} else {
		if (!reg_known(&w->regs, w->u->facts->reg_lr))
			return -ENOENT;
		ra = w->regs.regs.r[w->u->facts->reg_lr];
	}
	if (!cul_unwind_is_return(w->u, ra, &target))
		return -ENOENT;
	*next = w->regs;
	reg_set(next, arch->reg_ip, ra);
	reg_set(next, arch->reg_sp, sp);
	return 0;
}

/* Whether the code of a function at `start` puts its return address where this one was found. */
static bool comes_from(struct walk *w, uint64_t ra, uint64_t start, struct cul_thread_regs *next)
{
	const struct cul_arch *arch = w->u->arch;
	const struct cul_code_place place = {w->frame.pc,
		w->regs.regs.r[arch->reg_flags] & w->u->facts->flags_used, w->frame.exact, 0};
	struct cul_rules rules;
	uint64_t ignored;

	return cul_unwind_analyse(w->u, &place, &start, &rules) == 0 &&
	       cul_unwind_apply(w->u, &rules, &w->regs, next, &ignored) == 0 &&
	       cul_unwind_clean_pc(w->u, next->regs.r[arch->reg_ip]) ==
		       cul_unwind_clean_pc(w->u, ra);
}

/*
 * Without symbols a call tells where the function begins that it calls. That is this one if its
 * code, followed from there to here, has the return address of that very call.
 */
int cul_unwind_by_call(struct walk *w, struct cul_thread_regs *next)
{
	uint64_t ra, target, last = 0, pc = w->frame.pc;
	unsigned lr = w->u->facts->reg_lr, tried = 0;

	if (lr != CUL_NO_REG && w->frame.exact && reg_known(&w->regs, lr) &&
		cul_unwind_is_return(w->u, w->regs.regs.r[lr], &target) &&
		pc - target < CODE_BEFORE && comes_from(w, w->regs.regs.r[lr], target, next))
		return 0;
	for (size_t off = 0; off < CALL_SCAN && tried < CALLS_TRIED; off += w->u->arch->word) {
		if (cul_unwind_read_word(w->u, w->frame.sp + off, &ra) != 0)
			break;
		if (ra == last || !cul_unwind_is_return(w->u, ra, &target) ||
			pc - target >= CODE_BEFORE)
			continue;
		if (comes_from(w, ra, target, next))
			return 0;
		last = ra;
		tried++;
	}
	return -ENOENT;
}

/*
 * The first word that is a return address; one behind a direct call of this very function goes
 * before those that only may be.
 */
int cul_unwind_by_scan(struct walk *w, struct cul_thread_regs *next)
{
	const struct cul_arch *arch = w->u->arch;
	unsigned fp = w->u->facts->reg_fp;
	uint64_t start = 0, found = 0, found_at = 0, from = w->frame.sp;
	struct cul_thread_regs lost;
	size_t limit = w->scan_bytes < SCAN_STEP_MAX ? w->scan_bytes : SCAN_STEP_MAX;

	if (cul_unwind_function(w->u, w->frame.pc - !w->frame.exact, &start) != 0)
		start = 0;
	if (cul_unwind_lost(w, &lost)) /* it is not in its own frame */
		from = lost.regs.r[arch->reg_sp] & w->u->mask;
	for (size_t off = 0; off < limit; off += arch->word) {
		uint64_t ra, target;

		if (cul_unwind_read_word(w->u, from + off, &ra) != 0)
			break;
		if (!cul_unwind_is_return(w->u, ra, &target))
			continue;
		if (!found || (start && target == start)) {
			found = ra;
			found_at = from + off;
		}
		if (!start || target == start)
			break;
	}
	if (!found)
		return -ENOENT;
	only(w, next, found, found_at + arch->word);
	/* Most functions leave the frame pointer of their caller alone until they have saved it. */
	if (reg_known(&w->regs, fp) && w->regs.regs.r[fp] > found_at)
		reg_set(next, fp, w->regs.regs.r[fp]);
	return 0;
}
