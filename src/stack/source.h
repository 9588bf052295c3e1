/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that is needed to walk the stacks of a process, as of one instant: what a stop of the live
 * process gives (stack/live.c), a core file (stack/core.c) or the kernel's memory
 * (stack/kernel.c). stack/run.c walks, names and folds them, and does not know which it was.
 */
#ifndef CUL_STACK_SOURCE_H
#define CUL_STACK_SOURCE_H

#include "base/arena.h"
#include "base/vec.h"
#include "report/model_stack.h"
#include "stack/stack.h"
#include "sym/process.h"
#include "unwind/unwind.h"

/* One frame in the kernel, named already. Strings live as long as the source. */
struct cul_kernel_frame {
	struct cul_where where;
	const char *method; /* "ORC", "frame pointer", "/proc" */
	enum cul_certainty certainty;
};

/* A CUL_VEC. */
struct cul_kernel_frames {
	struct cul_kernel_frame *data;
	size_t len, cap;
};

struct cul_source_thread {
	struct cul_stack_thread about;
	bool has_regs;
	bool moving;                     /* it was not stopped: what is found may be wrong */
	struct cul_thread_regs regs;     /* of user space */
	struct cul_stack *walked;        /* by its maker, while all stood still; NULL */
	const char *user_end;            /* why it ended early, when its maker knows better; NULL */
	const char *cut;                 /* why less of its stack can be read than there is; NULL */
	struct cul_kernel_frames kernel; /* empty: it was in user space, or see missing */
	const char *kernel_end;          /* why the kernel walk ended early; NULL */
	const char *missing;             /* why there are no registers, or no kernel frames; NULL */
};

enum { CUL_STACK_NOTES = 12 };

struct cul_stack_source {
	const struct cul_arch *arch;
	struct cul_stack_about about;
	struct cul_mem *mem;           /* of user space; NULL: kernel frames only */
	struct cul_process_syms *syms; /* NULL likewise */
	uint64_t signature; /* bits of a code address that may sign it, beside those of the arch */
	CUL_VEC(struct cul_source_thread) threads;
	const char *notes[CUL_STACK_NOTES];            /* about.notes */
	struct cul_arena arena;                        /* of strings */
	void *data;                                    /* of its maker */
	void (*free)(struct cul_stack_source *source); /* of `data`, `mem` and `syms` */
};

/*
 * Each fills a source that is all zero. Warnings go into about.notes; what keeps everything from
 * being shown is an error: -ESRCH, -EPERM, -EACCES, -ENOEXEC (no core), -EBADMSG.
 */
int cul_stack_from_process(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err);
int cul_stack_from_core(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err);
int cul_stack_from_kernel(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err);

/* A sentence for about.notes; those beyond CUL_STACK_NOTES are left out. */
void cul_stack_note(struct cul_stack_source *source, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void cul_stack_source_free(struct cul_stack_source *source); /* accepts one all zero */

#endif
