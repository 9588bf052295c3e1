/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What flow.c, which follows paths, and flow_analyse.c, which asks for them, share. */
#ifndef CUL_ARCH_FLOW_PRIV_H
#define CUL_ARCH_FLOW_PRIV_H

#include "arch/flow.h"

enum { MAX_WAITING = 192, MAX_SLOTS = 48 };

/* What a register holds, in words of the values at the start. */
struct flow_value {
	enum {
		LOST,
		CONSTANT,
		INITIAL,
		MEMORY,
		BEHIND, /* the link register's after a call: no function keeps it */
	} kind;
	uint8_t reg; /* INITIAL: that register + off; MEMORY: the word at that + off */
	int64_t off;
};

struct flow_slot {
	struct flow_value at; /* INITIAL: an address */
	struct flow_value holds;
};

struct flow_state {
	uint64_t pc;
	uint8_t it;
	struct flow_value regs[CUL_PATH_REGS];
	struct flow_slot slots[MAX_SLOTS];
	unsigned n_slots;
};

enum flow_way {
	TO_CALL, /* from the entry to the call that returns here */
	TO_PC,   /* from the entry on any path */
	ON,      /* from here to a return */
};

struct flow {
	const struct cul_flow_arch *arch;
	const struct cul_code *code;
	uint64_t until, flags;
	enum flow_way way;
	bool fresh;    /* the flags are those of the start still */
	uint8_t *seen; /* a byte for each two of the code */
	unsigned insns;
	uint64_t last; /* of the places it came to */
	/* Behind a call that does not return other code can begin: `calls` wait for the branches.
	 */
	struct flow_state *branches, *calls;
	unsigned n_branches, n_calls, first_call;
	struct flow_state state;
	/* ON: where it left for another function, and where it may have. */
	struct flow_state tail;
	struct flow_state jump; /* from an entry: where it may have gone on by a table */
	bool has_tail, has_jump;
};

/* `from`: the entry; with ON the pc counts. NULL: no memory. */
struct flow *cul_flow_new(const struct cul_flow_arch *arch, const struct cul_code *code,
	const struct cul_code_place *at, enum flow_way way, uint64_t from);
void cul_flow_free(struct flow **f);

/* Whether a path comes to what `way` looks for: `state` is as it is there. */
bool cul_flow_follow(struct flow *f);
/* As if it came by the jump that is not followed (`has_jump`). */
void cul_flow_jump(struct flow *f);
/* In a delay slot what comes next was said by the instruction before: it goes on from there. */
void cul_flow_leave_slot(struct flow *f);

/* As it is at an entry. */
void cul_flow_first(const struct flow *f, uint64_t pc, struct flow_state *s);
bool cul_flow_decode(struct flow *f, uint64_t pc, uint8_t it, struct cul_flow_insn *insn);
void cul_flow_effects(struct flow *f, struct flow_state *s, const struct cul_flow_insn *insn);
/*
 * Straight on from s->pc to `end`, past branches, for so many instructions at most. False: it comes
 * to another function.
 */
bool cul_flow_straight(struct flow *f, struct flow_state *s, unsigned most, uint64_t end);
bool cul_flow_moves(const struct cul_flow_insn *insn, unsigned reg);
/* Where on the stack the value is that the register had at the start. NULL: nowhere. */
const struct flow_slot *cul_flow_slot_of(
	const struct flow *f, const struct flow_state *s, unsigned reg);
bool cul_flow_same(const struct flow_value *a, const struct flow_value *b);

#endif
