/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a thread is: from its registers and memory to the frames of its stack,
 * the innermost first. Each frame says how it was found and how sure that is;
 * each walk says why it ended.
 *
 * The unwinder asks three things only: registers, a struct cul_mem, and a
 * struct cul_code_space that knows which file covers an address. It makes no
 * system call and knows of no process, so that a live process, a core, the
 * kernel and a thread of another architecture are all the same to it. Not here:
 * stopping threads, names of functions (sym/), printing.
 *
 * What it reads is hostile: a stack that loops or has no end costs bounded time
 * (cul_unwind_options) and no memory; struct cul_stack, which keeps frames, folds
 * recursion.
 *
 * unwind/walk.c leads; methods.c has a function a method, deduce.c the one for
 * lost return addresses, by what calls.c finds in all code; cfi.c, EXIDX and the
 * analysis of code (src/arch) make struct cul_rules, which apply.c applies;
 * expression.c evaluates DWARF expressions; memory.c keeps what was read.
 */
#ifndef CUL_UNWIND_UNWIND_H
#define CUL_UNWIND_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/vec.h"
#include "mem/mem.h"
#include "sym/objfile.h"

/* What covers an address. */
struct cul_code_at {
	bool executable;
	struct cul_objfile *file; /* borrowed; NULL: code that no file has (JIT), or data */
};

/* Addresses that code is at. */
struct cul_code_range {
	uint64_t start, end;
	bool has_file; /* false: the kernel made it, or a compiler at run time */
};

struct cul_code_space {
	void *data;
	/* -ENOENT: nothing is mapped there. */
	int (*at)(void *data, uint64_t addr, struct cul_code_at *out);
	/*
	 * The function that covers `addr`: its first instruction. -ENOENT. NULL: the symbols of
	 * the file that `at` names are asked.
	 */
	int (*function)(void *data, uint64_t addr, uint64_t *start);
	/*
	 * All that is executable, from `*cursor` 0 on: false after the last. NULL: it is not told,
	 * and nothing is deduced (CUL_UNWIND_DEDUCED).
	 */
	bool (*next)(void *data, size_t *cursor, struct cul_code_range *out);
};

enum cul_unwind_method {
	CUL_UNWIND_REGS,   /* the innermost frame: the registers themselves */
	CUL_UNWIND_CFI,    /* .eh_frame or .debug_frame */
	CUL_UNWIND_EXIDX,  /* ARM's tables */
	CUL_UNWIND_SIGNAL, /* registers that the kernel stored for a signal handler */
	CUL_UNWIND_CODE,   /* what the function's instructions do to the stack */
	CUL_UNWIND_LR,     /* the link register, of a function that has no frame (yet) */
	CUL_UNWIND_FP,     /* the frame pointer */
	CUL_UNWIND_BAD_PC, /* the pc was no code: who jumped there, by lr or the top of the stack */
	CUL_UNWIND_SCAN,   /* the next word of the stack that looks like a return address */
	CUL_UNWIND_ORC,    /* the tables of an x86 kernel (unwind/kstack.h) */
	/*
	 * The function before has lost its return address: the only caller that fits the stack. If
	 * more than one of its calls does, the frame's pc is its first instruction, and exact.
	 */
	CUL_UNWIND_DEDUCED,
	CUL_UNWIND_METHODS,
};

const char *cul_unwind_method_name(enum cul_unwind_method method); /* "CFI", "frame pointer" */

struct cul_frame {
	uint64_t pc;       /* without mode bits and signatures; of a caller its return address */
	uint64_t sp;       /* at pc */
	bool exact;        /* pc is where it stopped (innermost, interrupted) or is to begin: not a
			      return address */
	bool trampoline;   /* this is the code that a signal handler returns to */
	uint8_t method;    /* how this frame was found: enum cul_unwind_method */
	uint8_t certainty; /* enum cul_certainty, of this frame and all before it */
};

/* Where a name for the frame is looked up: within the call, not after it. */
static inline uint64_t cul_frame_lookup(const struct cul_frame *frame)
{
	return frame->exact || frame->trampoline || !frame->pc ? frame->pc : frame->pc - 1;
}

enum cul_unwind_why {
	CUL_UNWIND_END_OUTERMOST,  /* the code says that nobody called it */
	CUL_UNWIND_END_NO_RULE,    /* nothing tells how to go on from `addr` (a pc) */
	CUL_UNWIND_END_UNREADABLE, /* the memory at `addr` that was needed cannot be read */
	CUL_UNWIND_END_NOT_CODE,   /* the return address `addr` is no code */
	CUL_UNWIND_END_LOOP,  /* frames would repeat: the caller's frame is not above, at `addr` */
	CUL_UNWIND_END_LIMIT, /* as many frames as the options allow */
	CUL_UNWIND_END_STOPPED, /* the visitor wanted no more */
	CUL_UNWIND_END_LATE,    /* it took longer than the options allow */
};

struct cul_unwind_end {
	enum cul_unwind_why why;
	uint64_t addr;
};

/* "outermost frame", "no rule for 0x401234"; returns buf. */
const char *cul_unwind_end_text(const struct cul_unwind_end *end, char *buf, size_t size);

struct cul_thread_regs {
	struct cul_regs regs;
	uint64_t known; /* bits of registers that have a value; ~0 for all */
};

struct cul_unwind_options {
	unsigned methods;  /* bits of enum cul_unwind_method; 0: all */
	size_t max_frames; /* 0: CUL_UNWIND_MAX_FRAMES */
	size_t scan_bytes; /* of stack looked through for one frame; 0: 16 KiB */
	/* Asked by cul_stack_walk() now and then: true ends the walk. NULL: never. */
	bool (*is_over)(void *data);
	void *data;
	uint64_t until; /* user space: the time (base/clock.h) it is to end at; 0: none */
};

enum { CUL_UNWIND_MAX_FRAMES = 4 << 20 };

struct cul_unwinder;

/*
 * `arch`, `mem` and `code` are kept by the caller; what covers which address must stay as it is.
 * -ENOTSUP: the architecture has no facts for unwinding. One unwinder is for one thread of ours.
 */
int cul_unwinder_new(const struct cul_arch *arch, struct cul_mem *mem,
	const struct cul_code_space *code, struct cul_unwinder **out);
void cul_unwinder_free(struct cul_unwinder *u);
/* Bits of a code address that may be a signature of this process' (arm64: NT_ARM_PAC_MASK). */
void cul_unwinder_signature(struct cul_unwinder *u, uint64_t bits);

/*
 * Calls `visit` for each frame, the innermost first; other than 0 ends the walk. `regs` are those
 * of the frame, as far as they are known. Memory is read anew by each walk. `options` may be NULL.
 */
void cul_unwind(struct cul_unwinder *u, const struct cul_thread_regs *regs,
	const struct cul_unwind_options *options,
	int (*visit)(void *data, const struct cul_frame *frame, const struct cul_thread_regs *regs),
	void *data, struct cul_unwind_end *end);

/* Frames kept, with recursion folded. */
struct cul_stack_frame {
	struct cul_frame frame;
	/*
	 * Above 1 for the first of `period` frames that occur `times` in a row; the frame kept is
	 * the innermost occurrence.
	 */
	uint64_t times;
	unsigned period;
};

enum { CUL_STACK_MAX_KEPT = 64 << 10, CUL_STACK_MAX_PERIOD = 16 };

struct cul_stack {
	CUL_VEC(struct cul_stack_frame) frames;
	uint64_t depth; /* frames walked */
	struct cul_unwind_end end;
	/* While walking: 1 + the index of a fold that is open, and what came since it was whole. */
	size_t fold, n_pending, fold_end;
	struct cul_frame pending[CUL_STACK_MAX_PERIOD];
};

/* A walk into `stack` (all zero before). -ENOMEM, -EINTR: what was found until then is in it. */
int cul_stack_walk(struct cul_unwinder *u, const struct cul_thread_regs *regs,
	const struct cul_unwind_options *options, struct cul_stack *stack);
void cul_stack_free(struct cul_stack *stack); /* leaves it all zero */

#endif
