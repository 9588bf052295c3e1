/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expressions of a run as BPF functions: one that runs when a call is
 * entered, one when it returns. Each part of a condition and each value belongs
 * to the first of the two that knows what it speaks of.
 */
#ifndef CUL_PROBE_GENERATE_H
#define CUL_PROBE_GENERATE_H

#include "expr/bpf.h"
#include "probe/plan.h"
#include "probe/probe.h"

enum {
	CUL_GENERATED_VALUES = CUL_PROBE_VALUES,
	CUL_GATE_REFUSED = 15, /* instructions that a gate has room for */
};

/* A value that an expression gives, and where. */
struct cul_generated_value {
	char *text; /* owned */
	const struct cul_type *type;
	const struct cul_type *object; /* the value is the address of such a thing */
	unsigned at, n;                /* among CUL_PROBE_VALUES */
	unsigned text_room; /* of --by: there lies a string, of as many bytes with its end; 0: none
			     */
	bool at_return;
};

/* All that is made for one function. */
struct cul_generated {
	struct cul_bpf_code entry, back; /* empty: go on always */
	/*
	 * What of the condition asks for arguments alone, for the start of a program at fentry: R1
	 * is its context, also in what stands behind it, where all calls go that are let in. The
	 * others go to `gate_refused`, where there is room for CUL_GATE_REFUSED instructions, which
	 * do not come back. It does the work of the first `gated` instructions of `entry` behind
	 * the very first. Empty: there is nothing like it.
	 */
	struct cul_bpf_code gate;
	size_t gate_refused, gated;
	bool gate_returns; /* it asks for numbers alone, which are the same when the call returns */
	struct cul_generated_value values[CUL_GENERATED_VALUES];
	size_t n_values;
	size_t n_args;     /* the first of `values` are --args; then --hist, if any */
	size_t n_by;       /* the last ones are --by */
	unsigned by_words; /* that those have */
	unsigned words;    /* of the arguments, that they use */
	bool uses_caller, uses_comm;
	bool has_texts; /* among --by */
	bool uses_task; /* pid, tid, cpu */
	bool uses_late; /* what only the return knows */
	bool keeps;     /* the return needs what the entry had */
};

/*
 * What --by and --hist are has the same places in all functions of a run, whatever their types are
 * there. `returns`: the call is told when it returns. Errors carry the option and a caret. -ENOENT:
 * such a call has no such thing, another function may.
 */
int cul_generate(const struct cul_probe_options *options, const struct cul_plan *plan, bool returns,
	struct cul_scope *scope, struct cul_generated *out, struct cul_error *err);
void cul_generated_free(struct cul_generated *g);

/* The argument words that a fentry program's context has to read, as bits. */
uint32_t cul_generate_direct_words(const struct cul_plan *plan);

#endif
