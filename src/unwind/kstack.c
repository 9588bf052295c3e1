/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/kstack.h"

#include <elf.h>
#include <errno.h>

struct walk {
	const struct cul_kstack_code *code;
	const struct cul_stack_bytes *stack;
	unsigned methods;
	struct cul_orc_frame frame;
	bool trusted;
	struct cul_unwind_end end;
};

static bool may(const struct walk *w, enum cul_unwind_method method)
{
	return w->methods >> method & 1;
}

/* Why a step has failed, when nothing else leads on. */
static void note_end(struct walk *w, int ret, uint64_t fail)
{
	w->end = (struct cul_unwind_end){CUL_UNWIND_END_NO_RULE, w->frame.pc};
	if (ret == -EFAULT)
		w->end = (struct cul_unwind_end){CUL_UNWIND_END_UNREADABLE, fail};
	if (ret == -ELOOP)
		w->end = (struct cul_unwind_end){CUL_UNWIND_END_LOOP, fail};
}

/* -ENOENT: the outermost frame. */
static int arrive(struct walk *w, const struct cul_orc_frame *next)
{
	struct cul_orc_frame f = *next;

	if (f.user)
		return -ENOENT;
	if (f.slot)
		f.pc = w->code->original(w->code->data, f.pc, f.slot);
	if (!w->code->is_code(w->code->data, f.exact ? f.pc : f.pc - 1)) {
		w->end = (struct cul_unwind_end){CUL_UNWIND_END_NOT_CODE, f.pc};
		return -EBADMSG;
	}
	w->frame = f;
	return 0;
}

static int by_entry(struct walk *w, const struct cul_orc_entry *entry)
{
	struct cul_orc_frame next = w->frame;
	uint64_t fail = 0;
	int ret = cul_orc_step(entry, w->stack, &next, &fail);

	if (ret == -ENOENT)
		return ret;
	if (ret != 0) {
		note_end(w, ret, fail);
		return -EBADMSG;
	}
	return arrive(w, &next);
}

/* Only what looks right is believed. */
static int by_frame_pointer(struct walk *w)
{
	struct cul_orc_frame next = w->frame;
	uint64_t fail = 0;

	if (!may(w, CUL_UNWIND_FP) || !w->frame.bp_known ||
		cul_orc_step(&cul_orc_frame_pointer, w->stack, &next, &fail) != 0)
		return -EBADMSG;
	next.pc = w->code->original(w->code->data, next.pc, next.slot);
	if (!w->code->is_return(w->code->data, next.pc))
		return -EBADMSG;
	w->frame = next;
	return 0;
}

static int by_scan(struct walk *w)
{
	uint64_t slot = (w->frame.sp + 7) & ~7ull, word;

	if (!may(w, CUL_UNWIND_SCAN))
		return -EBADMSG;
	for (; cul_stack_word(w->stack, slot, &word); slot += 8) {
		uint64_t pc = w->code->original(w->code->data, word, slot);

		if (!w->code->is_return(w->code->data, pc))
			continue;
		w->frame = (struct cul_orc_frame){.pc = pc, .sp = slot + 8, .slot = slot};
		return 0;
	}
	return -EBADMSG;
}

/* 0 with the method in `*method`; -ENOENT: the outermost frame; another: `w->end` says why. */
static int to_caller(struct walk *w, enum cul_unwind_method *method)
{
	struct cul_orc_entry entry;
	int ret = -ENOENT;

	note_end(w, 0, 0);
	*method = CUL_UNWIND_ORC;
	if (w->code->orc && may(w, CUL_UNWIND_ORC)) {
		ret = w->code->orc(
			w->code->data, w->frame.exact ? w->frame.pc : w->frame.pc - 1, &entry);
		if (ret == 0) {
			ret = by_entry(w, &entry);
			if (ret == 0 || ret == -ENOENT)
				return ret;
		}
	}
	w->trusted = false;
	*method = CUL_UNWIND_FP;
	if (ret == -ENOENT && by_frame_pointer(w) == 0)
		return 0;
	*method = CUL_UNWIND_SCAN;
	return by_scan(w) == 0 ? 0 : -EBADMSG;
}

/* The same by frame records: `frame.bp` is the place of the record. */
static int to_caller_by_record(struct walk *w, enum cul_unwind_method *method)
{
	struct cul_records_frame f = {.pc = w->frame.pc, .fp = w->frame.bp};
	uint64_t fail = 0, record = w->frame.bp;
	int ret;

	note_end(w, 0, 0);
	*method = CUL_UNWIND_FP;
	if (!may(w, CUL_UNWIND_FP))
		return -EBADMSG;
	ret = cul_records_step(&w->code->records, w->stack, &f, &fail);
	if (ret == -ENOENT)
		return ret;
	if (ret != 0) {
		note_end(w, ret, fail);
		return -EBADMSG;
	}
	/* What was interrupted may not have had a record yet: its caller would be missing. */
	w->trusted = w->trusted && !w->frame.exact;
	f.exact = f.exact || (w->code->is_entry && w->code->is_entry(w->code->data, w->frame.pc));
	return arrive(w, &(struct cul_orc_frame){.pc = f.pc,
				 .sp = record + 16,
				 .bp = f.fp,
				 .slot = f.exact ? 0 : f.fp,
				 .exact = f.exact});
}

void cul_kstack_walk(const struct cul_arch *arch, const struct cul_kstack_code *code,
	const struct cul_kstack_start *start, const struct cul_stack_bytes *stack,
	const struct cul_unwind_options *options,
	int (*visit)(void *data, const struct cul_frame *frame), void *data,
	struct cul_unwind_end *end)
{
	struct walk w = {.code = code,
		.stack = stack,
		.methods = options && options->methods ? options->methods : ~0u,
		.frame = {.pc = start->pc,
			.sp = start->sp,
			.bp = start->fp,
			.bp_known = true,
			.exact = start->exact},
		.trusted = true};
	size_t max = options && options->max_frames ? options->max_frames : CUL_UNWIND_MAX_FRAMES;
	enum cul_unwind_method method = CUL_UNWIND_REGS;

	for (size_t n = 1;; n++) {
		const struct cul_frame frame = {.pc = w.frame.pc,
			.sp = w.frame.sp,
			.exact = w.frame.exact,
			.method = (uint8_t)method,
			.certainty = w.trusted ? CUL_CERTAIN : CUL_LIKELY};
		int ret;

		*end = (struct cul_unwind_end){CUL_UNWIND_END_STOPPED, w.frame.pc};
		if (visit(data, &frame) != 0)
			return;
		end->why = CUL_UNWIND_END_LIMIT;
		if (n >= max)
			return;
		ret = arch->elf_machine == EM_AARCH64 ? to_caller_by_record(&w, &method)
						      : to_caller(&w, &method);
		if (ret == -ENOENT)
			w.end = (struct cul_unwind_end){CUL_UNWIND_END_OUTERMOST, w.frame.pc};
		*end = w.end;
		if (ret != 0)
			return;
	}
}
