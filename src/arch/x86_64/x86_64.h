/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this directory share. Who wants an x86 instruction goes
 * through `cul_arch_x86_64`.
 */
#ifndef CUL_ARCH_X86_64_X86_64_H
#define CUL_ARCH_X86_64_X86_64_H

#include <capstone/capstone.h>

#include "arch/arch.h"
#include "arch/unwind.h"

/* Indices into struct cul_regs. */
enum {
	CUL_X86_R15,
	CUL_X86_R14,
	CUL_X86_R13,
	CUL_X86_R12,
	CUL_X86_RBP,
	CUL_X86_RBX,
	CUL_X86_R11,
	CUL_X86_R10,
	CUL_X86_R9,
	CUL_X86_R8,
	CUL_X86_RAX,
	CUL_X86_RCX,
	CUL_X86_RDX,
	CUL_X86_RSI,
	CUL_X86_RDI,
	CUL_X86_ORIG_RAX,
	CUL_X86_RIP,
	CUL_X86_CS,
	CUL_X86_EFLAGS,
	CUL_X86_RSP,
	CUL_X86_SS,
	CUL_X86_N_REGS,
};

enum { CUL_X86_INSN_MAX = 15 };

/* Where the opcode is and which prefixes stand before it: what capstone does not keep. */
struct cul_x86_shape {
	enum { CUL_X86_LEGACY, CUL_X86_0F, CUL_X86_0F38, CUL_X86_0F3A, CUL_X86_VEX } map;
	uint8_t opcode;
	bool rep, repne, operand16, addr32, rex_w;
};

/* vector.c: an instruction of the later opcode maps. */
struct cul_x86_vector {
	unsigned len, map, pp; /* map 0: some of 0F, which store nothing; pp: 1 66, 2 F3, 3 F2 */
	bool evex, legacy, w;  /* legacy: 0F38 and 0F3A */
	uint8_t length;        /* EVEX: 0, 1, 2 for 16, 32, 64 bytes */
	uint8_t opcode, modrm; /* without operands as with those in registers: C0 */
};

/* False: it is of another map, or goes beyond the `n` bytes. True says nothing of its being valid.
 */
bool cul_x86_vector(const uint8_t *bytes, unsigned n, struct cul_x86_vector *out);
/* Whether it writes its operand in memory. */
bool cul_x86_vector_stores(const struct cul_x86_vector *v);
/* Bytes that vpmovqb and its like write; 0: it is another. */
unsigned cul_x86_vector_narrowed(const struct cul_x86_vector *v);

/* A capstone handle for one instruction at a time. All zero is closed. */
struct cul_x86_decoder {
	csh handle;
	cs_insn *insn; /* the last one decoded */
};

int cul_x86_decoder_open(struct cul_x86_decoder *dec); /* 0 or -ENOMEM */
void cul_x86_decoder_close(struct cul_x86_decoder *dec);

/* Length only: 0 when there is no instruction at `addr` or it leaves `code`. */
unsigned cul_x86_length(struct cul_x86_decoder *dec, const struct cul_code *code, uint64_t addr);
/*
 * Where an instruction is known to begin: also the length of one that capstone does not know,
 * which is left in `*unknown` (len 0: it does).
 */
unsigned cul_x86_step(struct cul_x86_decoder *dec, const struct cul_code *code, uint64_t addr,
	struct cul_x86_vector *unknown);
/* The whole of it, into dec->insn. */
bool cul_x86_insn(struct cul_x86_decoder *dec, const struct cul_code *code, uint64_t addr);
void cul_x86_text(const cs_insn *insn, char *text, size_t size);
struct cul_x86_shape cul_x86_shape(const cs_insn *insn);
bool cul_x86_is_string(const struct cul_x86_shape *shape);
/* The string instructions that end when rcx is 0 and not before: all but cmps and scas. */
bool cul_x86_is_counted(const struct cul_x86_shape *shape);

/* Index into struct cul_regs of a general register or a part of it; -1 for any other. */
int cul_x86_reg_index(unsigned reg);
/* Its value out of `regs`, zero-extended. False when it is no part of pt_regs. */
bool cul_x86_reg_value(const struct cul_regs *regs, unsigned reg, uint64_t *value);
bool cul_x86_writes_reg(const cs_insn *insn, int index);

/* One range of memory that an instruction accesses. */
struct cul_x86_touch {
	enum cul_access_kind kind;
	bool known; /* `addr` follows from the registers after the instruction */
	uint64_t addr;
	unsigned width;
	/* Bytes below and above that range that it may have accessed too, for all one can tell. */
	uint64_t before, after;
	bool value_known;
	uint64_t value;
};

enum { CUL_X86_TOUCHES = 4 };

/*
 * The memory that `insn` accessed, given the registers after it. Returns how
 * many of `out` are set.
 */
unsigned cul_x86_touches(const cs_insn *insn, const struct cul_trap *trap,
	struct cul_x86_touch out[CUL_X86_TOUCHES]);
/* What it does to the memory of operand `i`. */
enum cul_access_kind cul_x86_operand_access(const cs_insn *insn, unsigned i);
/* What a plain store of `width` bytes wrote. */
bool cul_x86_stored_value(
	const cs_insn *insn, const struct cul_trap *trap, unsigned width, uint64_t *value);

int cul_x86_find_access(
	const struct cul_code *code, const struct cul_trap *trap, struct cul_insn *out);
int cul_x86_decode(const struct cul_code *code, uint64_t addr, struct cul_insn *out);

/* The calling convention: struct cul_arch says what each is. */
enum { CUL_X86_N_ARG_REGS = 6 };
extern const unsigned cul_x86_arg_regs[CUL_X86_N_ARG_REGS];
void cul_x86_place_args(
	const struct cul_arg *args, size_t n, bool hidden, struct cul_arg_place *out);
bool cul_x86_returns_in_memory(const struct cul_arg *result);

/* stub.c: `stub` of struct cul_arch. */
bool cul_x86_stub(
	const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length);

/* unwind.c */
extern const struct cul_arch_unwind cul_x86_unwind;
/* flow.c: `analyse` of struct cul_arch_unwind. */
int cul_x86_analyse(
	const struct cul_code *code, const struct cul_code_place *at, struct cul_rules *out);

#endif
