/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ORC: the tables by which x86 kernels unwind their own stacks. For each address of code one entry
 * says where the caller's stack is and what lies there. The meaning of entries is that of
 * arch/x86/kernel/unwind_orc.c, their layout what the kernel's types tell (it changed with 6.3 and
 * 6.4: arch/x86/include/asm/orc_types.h).
 *
 * Everything read is hostile. One step is a pure function of an entry, the bytes of the stack and
 * the frame before.
 */
#ifndef CUL_UNWIND_ORC_H
#define CUL_UNWIND_ORC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "mem/mem.h"
#include "sym/type.h"

enum cul_orc_type {
	CUL_ORC_UNDEFINED,    /* nothing is known of the stack there */
	CUL_ORC_END,          /* the outermost frame */
	CUL_ORC_CALL,         /* a return address is below the caller's stack */
	CUL_ORC_REGS,         /* a whole struct pt_regs is there */
	CUL_ORC_REGS_PARTIAL, /* only what the processor pushed at an interrupt */
};

enum cul_orc_reg {
	CUL_ORC_REG_UNDEFINED,
	CUL_ORC_REG_PREV_SP,
	CUL_ORC_REG_DX,
	CUL_ORC_REG_DI,
	CUL_ORC_REG_BP,
	CUL_ORC_REG_SP,
	CUL_ORC_REG_R10,
	CUL_ORC_REG_R13,
	CUL_ORC_REG_BP_INDIRECT,
	CUL_ORC_REG_SP_INDIRECT,
};

struct cul_orc_entry {
	int16_t sp_offset, bp_offset;
	uint8_t sp_reg, bp_reg; /* enum cul_orc_reg */
	uint8_t type;           /* enum cul_orc_type */
	bool signal;            /* the caller was interrupted: its pc is no return address */
};

/* Where in the bytes of an entry which bits are. `bits` 0: this kernel has no such field. */
struct cul_orc_field {
	uint8_t at, bits;
};

struct cul_orc_layout {
	unsigned size; /* of an entry, at most 8 */
	struct cul_orc_field sp_offset, bp_offset, sp_reg, bp_reg, type, signal, end;
};

/* From the kernel's struct orc_entry. -EBADMSG: it is not one that is understood. */
int cul_orc_layout(
	const struct cul_type *orc_entry, struct cul_orc_layout *out, struct cul_error *err);

void cul_orc_decode(
	const struct cul_orc_layout *layout, const uint8_t *bytes, struct cul_orc_entry *out);

/* The table of the kernel or of a module, in its memory; parts of it are kept once read. */
struct cul_orc_table {
	uint64_t ips;     /* n words of 32 bits, sorted: address minus the word's own address */
	uint64_t entries; /* n entries */
	size_t n;
	int32_t *kept; /* the words that were read */
	uint8_t *have; /* which */
};

enum { CUL_ORC_MAX_ENTRIES = 16 << 20 };

/* -EBADMSG: more entries than any kernel has. The table is freed with cul_orc_table_free. */
int cul_orc_table_init(struct cul_orc_table *t, uint64_t ips, uint64_t entries, size_t n);
void cul_orc_table_free(struct cul_orc_table *t);

/* What covers `addr`. -ENOENT: it is before the first; -ENOMEM; or what reading failed with. */
int cul_orc_find(struct cul_orc_table *t, const struct cul_orc_layout *layout, struct cul_mem *mem,
	uint64_t addr, struct cul_orc_entry *out);

/* The bytes of a stack from `addr` on. */
struct cul_stack_bytes {
	uint64_t addr;
	size_t size;
	const uint8_t *bytes;
};

/* False when it is not there. */
bool cul_stack_word(const struct cul_stack_bytes *stack, uint64_t addr, uint64_t *value);

struct cul_orc_frame {
	uint64_t pc, sp, bp;
	bool bp_known;
	bool exact;    /* pc is where it was interrupted */
	bool user;     /* pc and sp are of user space: the kernel's frames have ended */
	uint64_t slot; /* where pc was read as a return address; 0: from registers */
	/* Registers that an interrupt left on the stack, as far as they still hold; addresses. */
	uint64_t regs, regs_before;
	bool regs_whole;
};

/*
 * From a frame to its caller, in place. -ENOENT: there is none. -EBADMSG: the entry does not lead
 * to one. -EFAULT with `*fail` the address that is not on the stack. -ELOOP with the caller's place
 * in `*fail`: it is not above the frame.
 */
int cul_orc_step(const struct cul_orc_entry *entry, const struct cul_stack_bytes *stack,
	struct cul_orc_frame *frame, uint64_t *fail);

/* Code that keeps a frame pointer, which no table tells of: the programs of BPF. */
extern const struct cul_orc_entry cul_orc_frame_pointer;

#endif
