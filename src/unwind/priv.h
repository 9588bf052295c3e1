/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this directory share. */
#ifndef CUL_UNWIND_PRIV_H
#define CUL_UNWIND_PRIV_H

#include <elfutils/libdw.h>

#include "arch/unwind.h"
#include "unwind/unwind.h"

enum {
	MEMORY_LINE = 4096,
	MEMORY_LINES = 16,
	RULES_CACHED = 1024,
	RULES_WAYS = 4,
	CODE_CACHED = 1024,
	CALLS_KEPT = 4,
	TRAMPOLINES_KEPT = 4,
	SEARCHES_MOST = 16, /* for calls, by one walk */
	PLACES_MOST = 512   /* such calls that one walk looks at */
};

struct memory_line {
	uint64_t addr; /* of the line */
	bool valid, unreadable;
	uint8_t bytes[MEMORY_LINE];
};

/* The rules at one pc, whichever method made them. */
struct cached_rules {
	uint64_t pc, flags, lr;
	bool valid, exact;
	unsigned methods; /* that were allowed */
	int ret;          /* 0, -ENOENT: no method has any, -ENODATA: as from `analyse` */
	uint8_t method;
	bool trampoline;
	bool entered; /* the return address was put there: nothing has called */
	struct cul_rules rules;
	/* What the code says where `rules` are tables that may be right at calls only. */
	bool has_code;
	struct cul_rules code;
	bool no_entry; /* the code was analysed without knowing where its function begins, by lr */
};

/* Whether there is code at an address. */
struct cached_code {
	uint64_t addr; /* 0: nothing is known */
	bool is_code;
};

struct found_call {
	uint64_t ra;     /* as the call leaves it */
	uint64_t target; /* without a mode bit */
};

/* The direct calls to `low` <= target <= `high` from one mapping of a file. */
struct found_calls {
	uint64_t low, high; /* 0: none were looked for */
	bool whole;         /* there are no others */
	CUL_VEC(struct found_call) calls;
};

/* Where handlers return to whose signal frame has such registers. */
struct found_trampoline {
	const struct cul_signal_reg *regs; /* NULL: not looked for */
	uint64_t pc;                       /* 0: it is not known */
};

struct cul_unwinder {
	const struct cul_arch *arch;
	const struct cul_arch_unwind *facts;
	struct cul_mem *mem;
	struct cul_code_space code;
	struct memory_line *lines;
	struct cached_rules *rules;
	unsigned evicted;
	struct cached_code *is_code;
	uint64_t mask;     /* of an address */
	uint64_t pc_clear; /* of a return address: no part of it */
	struct found_calls found[CALLS_KEPT];
	struct found_trampoline trampolines[TRAMPOLINES_KEPT];
	unsigned n_found;                    /* counts on */
	unsigned searches_left, places_left; /* for this walk */
	uint64_t until;                      /* which is to end at this time; 0: none */
};

/* One step of a walk. */
struct walk {
	struct cul_unwinder *u;
	unsigned methods;
	size_t scan_bytes;
	struct cul_thread_regs regs;
	struct cul_frame frame;
	bool trusted;      /* the frame is CUL_CERTAIN */
	bool entered;      /* nothing has called its function */
	uint64_t function; /* deduced: the caller is in it, but which call is not known; else 0 */
	uint64_t fail;     /* the address that could not be read, or was no code */
	unsigned n_scans, n_calls;
};

static inline bool reg_known(const struct cul_thread_regs *regs, unsigned reg)
{
	return reg < CUL_MAX_REGS && regs->known >> reg & 1;
}

static inline void reg_set(struct cul_thread_regs *regs, unsigned reg, uint64_t value)
{
	regs->regs.r[reg] = value;
	regs->known |= 1ull << reg;
}

/* memory.c: through lines that are kept until the next walk. */
int cul_unwind_read(struct cul_unwinder *u, uint64_t addr, void *buf, size_t size);
int cul_unwind_read_word(struct cul_unwinder *u, uint64_t addr, uint64_t *value);
/* An unsigned number of 1, 2, 4 or 8 bytes in the byte order of the architecture. */
int cul_unwind_read_number(struct cul_unwinder *u, uint64_t addr, unsigned size, uint64_t *value);
void cul_unwind_memory_forget(struct cul_unwinder *u);
/* Bytes of code: as they are in memory, else as the file has them (a core without code). */
int cul_unwind_read_code(struct cul_unwinder *u, uint64_t addr, void *buf, size_t size);

/*
 * expression.c: what the operations leave on top of the stack; registers are DWARF numbers. `cfa`
 * may be NULL where there is none yet. -EFAULT with the address in `*fail`; -EBADMSG: malformed,
 * endless or of unknown registers.
 */
int cul_unwind_expression(struct cul_unwinder *u, const Dwarf_Op *ops, size_t n,
	const struct cul_thread_regs *regs, const uint64_t *cfa, uint64_t *value, uint64_t *fail);

/* cfi.c: -ENOENT: no table covers the address. */
int cul_unwind_cfi(
	struct cul_unwinder *u, struct cul_objfile *file, uint64_t lookup, struct cul_rules *out);

/* exidx.c: -ENOENT: they do not tell. */
int cul_unwind_exidx(
	struct cul_unwinder *u, struct cul_objfile *file, uint64_t lookup, struct cul_rules *out);

/*
 * apply.c: the registers of the caller. -ENOENT: the rules say that there is none. -EFAULT with
 * the address in `*fail`; -EBADMSG: they need what is not known.
 */
int cul_unwind_apply(struct cul_unwinder *u, const struct cul_rules *rules,
	const struct cul_thread_regs *regs, struct cul_thread_regs *out, uint64_t *fail);

/* methods.c */
const struct cached_rules *cul_unwind_rules(struct walk *w);
/* The function that covers `addr`: -ENOENT. */
int cul_unwind_function(struct cul_unwinder *u, uint64_t addr, uint64_t *start);
/* `start`: of the function; NULL: not known. As `analyse` of struct cul_arch_unwind. */
int cul_unwind_analyse(struct cul_unwinder *u, const struct cul_code_place *place,
	const uint64_t *start, struct cul_rules *out);
/* Whether code may be executed at `addr`. */
bool cul_unwind_is_code(struct cul_unwinder *u, uint64_t addr);
/* Whether a call can return to `pc`, for all that is mapped. */
bool cul_unwind_is_behind_code(struct cul_unwinder *u, uint64_t pc);
/* Whether a call that returns to `ra` is in the function of `pc`. */
bool cul_unwind_is_own(struct cul_unwinder *u, uint64_t pc, uint64_t ra);
/* Whether `ra`, as a call leaves it, is code behind a call; of what, if the code names it. */
bool cul_unwind_is_return(struct cul_unwinder *u, uint64_t ra, uint64_t *target);
uint64_t cul_unwind_clean_pc(const struct cul_unwinder *u, uint64_t pc);
/* Each: 0 with the caller in `next`, its pc as a call left it; -ENOENT: not this way. */
int cul_unwind_by_call(struct walk *w, struct cul_thread_regs *next);
int cul_unwind_by_lr(struct walk *w, struct cul_thread_regs *next);
int cul_unwind_by_fp(struct walk *w, struct cul_thread_regs *next);
int cul_unwind_by_bad_pc(struct walk *w, struct cul_thread_regs *next);
int cul_unwind_by_scan(struct walk *w, struct cul_thread_regs *next);

/* calls.c: from the mapping of `from`; what is lent is kept for CALLS_KEPT - 1 more questions. */
const struct found_calls *cul_unwind_calls(
	struct cul_unwinder *u, uint64_t from, uint64_t low, uint64_t high);
void cul_unwind_calls_free(struct cul_unwinder *u);
/* Where the kernel lets handlers return to with `frame` on the stack; 0: it is not known. */
uint64_t cul_unwind_trampoline(struct cul_unwinder *u, const struct cul_signal_frame *frame);

/* deduce.c */
int cul_unwind_by_deduction(struct walk *w, struct cul_thread_regs *next);
/* Whether a signal frame begins at `sp`; where its handler returns to. */
bool cul_unwind_signal_at(struct cul_unwinder *u, uint64_t sp, uint64_t *trampoline);
/* The registers as they were at the call of this function, but the pc. False: not known. */
bool cul_unwind_lost(struct walk *w, struct cul_thread_regs *regs);

#endif
