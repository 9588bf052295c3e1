/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all code is looked through for: the direct calls of a function, and the code that signal
 * handlers return to.
 */
#include "unwind/priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
	CHUNK = 4096,
	OVERLAP = 16, /* the most that a look at one place wants */
	CODE_SOUGHT = 4 << 20,
	TEXT_SOUGHT = 32 << 20, /* for a few bytes */
	CALLS_MOST = 4096,
};

_Static_assert((int)CUL_SIGNAL_CODE_MAX <= (int)OVERLAP, "");

/* The bytes from `addr` on, and up to OVERLAP before them. */
struct chunk {
	uint64_t addr;
	size_t before, size;
	uint8_t bytes[OVERLAP + CHUNK];
};

static bool read_chunk(
	struct cul_unwinder *u, const struct cul_code_range *range, uint64_t addr, struct chunk *c)
{
	c->addr = addr;
	c->before = addr - range->start < OVERLAP ? (size_t)(addr - range->start) : OVERLAP;
	c->size = range->end - addr < CHUNK ? (size_t)(range->end - addr) : CHUNK;
	return cul_unwind_read_code(u, addr - c->before, c->bytes, c->before + c->size) == 0;
}

static bool range_of(struct cul_unwinder *u, uint64_t addr, struct cul_code_range *out)
{
	size_t cursor = 0;

	while (u->code.next(u->code.data, &cursor, out))
		if (addr - out->start < out->end - out->start)
			return true;
	return false;
}

static bool add_call(struct found_calls *f, uint64_t ra, uint64_t target)
{
	struct found_call *call = f->calls.len < CALLS_MOST ? cul_vec_push(&f->calls) : NULL;

	if (call)
		*call = (struct found_call){ra, target};
	return call != NULL;
}

/* The calls that end in the chunk. False: more than are kept. */
static bool calls_in(struct cul_unwinder *u, const struct chunk *c, struct found_calls *f)
{
	const struct cul_arch_unwind *facts = u->facts;
	unsigned step = facts->insn_align;
	uint64_t target;

	for (size_t i = 0; i < c->size; i += step) {
		const uint8_t *end = c->bytes + c->before + i;
		size_t n = c->before + i < facts->call_bytes ? c->before + i : facts->call_bytes;

		for (unsigned mode = 0; mode <= (facts->pc_mode ? 1 : 0); mode++) {
			uint64_t ra = (c->addr + i) | (mode ? facts->pc_mode : 0);

			if (!facts->after_call(end - n, n, ra, &target))
				continue;
			target = cul_unwind_clean_pc(u, target);
			if (target >= f->low && target <= f->high && !add_call(f, ra, target))
				return false;
		}
	}
	return true;
}

static void find_calls(struct cul_unwinder *u, uint64_t from, struct found_calls *f)
{
	struct cul_code_range range;
	struct chunk c;

	if (!range_of(u, from, &range) || !range.has_file || range.end - range.start > CODE_SOUGHT)
		return;
	for (uint64_t at = range.start; at < range.end; at += CHUNK) {
		if (u->until && cul_clock_now() > u->until) {
			f->low = f->high = 0; /* to be looked for again */
			return;
		}
		/* What cannot be read is nobody's code. */
		if (read_chunk(u, &range, at, &c) && !calls_in(u, &c, f))
			return;
	}
	f->whole = true;
}

const struct found_calls *cul_unwind_calls(
	struct cul_unwinder *u, uint64_t from, uint64_t low, uint64_t high)
{
	struct found_calls *f;

	for (size_t i = 0; i < CALLS_KEPT; i++)
		if (u->found[i].high == high && u->found[i].low == low)
			return &u->found[i];
	f = &u->found[u->n_found++ % CALLS_KEPT];
	f->calls.len = 0;
	f->low = f->high = 0;
	f->whole = false;
	if (u->searches_left) {
		u->searches_left--;
		f->low = low;
		f->high = high;
		find_calls(u, from, f);
	}
	return f;
}

void cul_unwind_calls_free(struct cul_unwinder *u)
{
	for (size_t i = 0; i < CALLS_KEPT; i++)
		free(u->found[i].calls.data);
}

struct sought {
	const struct cul_signal_reg *regs;
	uint64_t pc;
	unsigned rank; /* of that one's place */
	unsigned n;    /* of that rank */
};

static void found(struct sought *s, uint64_t pc, unsigned rank)
{
	if (s->n && rank < s->rank)
		return;
	if (s->n && rank == s->rank) {
		s->n++;
		return;
	}
	*s = (struct sought){s->regs, pc, rank, 1};
}

/*
 * A C library that brings code for it has the kernel use that, which goes before the kernel's own.
 * The dynamic linker of glibc has it too, for nobody: handlers are set by who has sigaction().
 */
static unsigned rank_of(struct cul_unwinder *u, const struct cul_code_range *range)
{
	struct cul_elf_symbol symbol;
	struct cul_code_at at;
	bool is_setter;

	if (!range->has_file)
		return 0;
	is_setter = u->code.at(u->code.data, range->start, &at) == 0 && at.file &&
		    cul_objfile_symbol(at.file, "sigaction", &symbol, NULL) == 0;
	return is_setter ? 2 : 1;
}

static void trampolines_in(struct cul_unwinder *u, const struct cul_code_range *range,
	const struct chunk *c, struct sought *s)
{
	const uint8_t *from = c->bytes, *end = c->bytes + c->before + c->size;

	for (unsigned k = 0; k < u->facts->n_signals; k++) {
		const struct cul_signal_frame *frame = &u->facts->signals[k];
		const uint8_t *at = from;

		if (frame->regs != s->regs)
			continue;
		while ((at = memmem(at, (size_t)(end - at), frame->code, frame->len))) {
			uint64_t pc = c->addr - c->before + (uint64_t)(at - from);

			/* One that ends before the chunk was in the last one. */
			if (at + frame->len > from + c->before && pc % u->facts->insn_align == 0)
				found(s, pc, rank_of(u, range));
			at++;
		}
	}
}

static uint64_t find_trampoline(struct cul_unwinder *u, const struct cul_signal_reg *regs)
{
	struct sought s = {.regs = regs};
	struct cul_code_range range;
	uint64_t total = 0;
	size_t cursor = 0;
	struct chunk c;

	while (u->code.next(u->code.data, &cursor, &range)) {
		total += range.end - range.start;
		if (total > TEXT_SOUGHT)
			return 0;
		for (uint64_t at = range.start; at < range.end; at += CHUNK)
			if (read_chunk(u, &range, at, &c))
				trampolines_in(u, &range, &c, &s);
	}
	return s.n == 1 ? s.pc : 0;
}

uint64_t cul_unwind_trampoline(struct cul_unwinder *u, const struct cul_signal_frame *frame)
{
	for (size_t i = 0; i < TRAMPOLINES_KEPT; i++) {
		struct found_trampoline *t = &u->trampolines[i];

		if (!t->regs) {
			t->pc = find_trampoline(u, frame->regs);
			t->regs = frame->regs;
		}
		if (t->regs == frame->regs)
			return t->pc;
	}
	return 0;
}
