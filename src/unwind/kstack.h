/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in the kernel a task is that does not run: from what was saved of it when it was switched
 * away and the bytes of its stack to frames, as in unwind/unwind.h. By ORC on x86_64, by frame
 * records on arm64; where these do not lead on by the frame pointer, and at last by what looks like
 * a return address, which makes that frame and all beyond it CUL_LIKELY.
 *
 * cul_kstack_walk() knows of no kernel: tests and recordings may be asked, too. What the running
 * one answers is behind cul_kstack_open().
 */
#ifndef CUL_UNWIND_KSTACK_H
#define CUL_UNWIND_KSTACK_H

#include "sym/kernel.h"
#include "unwind/orc.h"
#include "unwind/records.h"
#include "unwind/unwind.h"

/* What is asked of the kernel's code. */
struct cul_kstack_code {
	void *data;
	bool (*is_code)(void *data, uint64_t addr);
	bool (*is_return)(void *data, uint64_t ra); /* code behind a call */
	/* -ENOENT: no table tells of that code. NULL: there are no tables. */
	int (*orc)(void *data, uint64_t addr, struct cul_orc_entry *out);
	/*
	 * The return address in whose place the kernel has put `pc` to be called when a function
	 * returns (kretprobes, the function graph tracer); pc itself when it did not. `slot` tells
	 * which: on x86_64 its place on the stack, on arm64 the caller's frame pointer
	 * (arch/arm64/kernel/ftrace.c, probes/kprobes.c).
	 */
	uint64_t (*original)(void *data, uint64_t pc, uint64_t slot);
	/* arm64: whether what this code returns to was interrupted. NULL: never. */
	bool (*is_entry)(void *data, uint64_t pc);
	struct cul_records_rules records;
};

struct cul_kstack_start {
	uint64_t pc, sp, fp;
	bool exact; /* pc is no return address: a task that has not run yet */
};

/*
 * Calls `visit` for each frame, the innermost first; other than 0 ends the walk. Of `options`
 * (NULL: none) the methods ORC, frame pointer and scan count, and max_frames. Bounded by the size
 * of the stack.
 */
void cul_kstack_walk(const struct cul_arch *arch, const struct cul_kstack_code *code,
	const struct cul_kstack_start *start, const struct cul_stack_bytes *stack,
	const struct cul_unwind_options *options,
	int (*visit)(void *data, const struct cul_frame *frame), void *data,
	struct cul_unwind_end *end);

/* The running kernel's tables and code. */
struct cul_kstack;

/*
 * `k` is kept by the caller. -ENOTSUP: nothing is known of the architecture, or the types of the
 * kernel are missing; -EPERM and others: its memory cannot be read.
 */
int cul_kstack_open(struct cul_kernel *k, const struct cul_arch *arch, struct cul_kstack **out,
	struct cul_error *err);
void cul_kstack_free(struct cul_kstack *s); /* accepts NULL */

/* Whether there are tables: without them x86 frames are likely at best. */
bool cul_kstack_has_orc(const struct cul_kstack *s);

/* For the task whose struct task_struct has these bytes; they are kept until the next call. */
const struct cul_kstack_code *cul_kstack_of_task(
	struct cul_kstack *s, const uint8_t *task, size_t size);

#endif
