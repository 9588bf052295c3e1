/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between processors, as data and pure functions: every
 * architecture's code is built and tested on every host. No system call, no
 * file, no kernel header of one architecture in here.
 */
#ifndef CUL_ARCH_ARCH_H
#define CUL_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { CUL_MAX_REGS = 40, CUL_INSN_TEXT = 96 };

/* General registers as the kernel's pt_regs of the architecture holds them, in its order. */
struct cul_regs {
	uint64_t r[CUL_MAX_REGS];
};

enum cul_access_kind {
	CUL_ACCESS_NONE,
	CUL_ACCESS_READ,
	CUL_ACCESS_WRITE,
	CUL_ACCESS_READ_WRITE,
	CUL_ACCESS_EXECUTE,
};

/* How sure we are that an instruction is the one that trapped. */
enum cul_certainty {
	CUL_UNKNOWN, /* not found */
	CUL_LIKELY,  /* the code leads to it, but its address cannot be checked */
	CUL_CERTAIN, /* and its operand's address was seen to cover the watched bytes */
};

/* Where the processor goes on after an instruction. */
enum cul_flow {
	CUL_FLOW_NEXT, /* behind it; a call: when it returns */
	CUL_FLOW_JUMP, /* elsewhere, or perhaps */
	CUL_FLOW_RETURN,
	CUL_FLOW_TRAP, /* nowhere, or where a handler says */
};

/* The instruction that made a memory access. */
struct cul_insn {
	uint64_t addr;
	unsigned len;
	enum cul_flow flow;          /* set by decode() alone */
	enum cul_access_kind access; /* what it does to the watched bytes */
	enum cul_certainty certainty;
	unsigned width;       /* bytes it accesses there; 0 when unknown */
	bool value_known;     /* `value`: what a plain store wrote (register or immediate) */
	uint64_t value;       /* low `width` bytes, zero-extended */
	uint64_t access_addr; /* with CUL_CERTAIN: the operand's address */
	/*
	 * AT&T syntax, lower case, one space after each mnemonic, prefix and comma:
	 * "lock decl 8(%rdi)", "movl $1, 0x10(%rip) # 0xffffffff81234567".
	 */
	char text[CUL_INSN_TEXT];
};

/* Machine code around a trap, as it is in memory now (alternatives and static keys applied). */
struct cul_code {
	const uint8_t *bytes;
	size_t size;
	uint64_t addr;   /* of bytes[0] */
	bool from_entry; /* bytes[0] is the first instruction of the function */
};

/* One trap of a debug register. */
struct cul_trap {
	const struct cul_regs *regs; /* as the trap found them */
	uint64_t addr, size;         /* what is watched */
	/*
	 * What the debug register traps on: CUL_ACCESS_WRITE, CUL_ACCESS_READ_WRITE or
	 * CUL_ACCESS_EXECUTE. A load is never named for a write watch.
	 */
	enum cul_access_kind watch;
	/*
	 * Where segments start whose base is in no general register (x86: fs, gs; in the kernel
	 * gs is the CPU's __per_cpu_offset). Without it such an access is CUL_LIKELY at best.
	 */
	bool fs_known, gs_known;
	uint64_t fs_base, gs_base;
};

/* A scalar inside an argument. */
struct cul_arg_leaf {
	uint64_t offset;
	uint32_t size;
	bool is_float;
};

/* An argument as the calling convention sees it: no names, no types. */
struct cul_arg {
	uint64_t size, align;              /* bytes; size 0: not known */
	const struct cul_arg_leaf *leaves; /* of a scalar: itself */
	size_t n_leaves;
};

enum cul_arg_where {
	CUL_ARG_UNKNOWN,
	CUL_ARG_WORDS, /* in words that a probe at the entry can read */
	CUL_ARG_FLOAT, /* at least part of it in a floating point or vector register */
	CUL_ARG_GONE,  /* left out by the compiler */
	CUL_ARG_CONST, /* not passed: always the same number */
};

struct cul_arg_place {
	enum cul_arg_where where;
	unsigned word, n_words; /* registers 0 .. n_arg_regs-1, then words on the stack */
	int64_t number;         /* CONST */
};

/* The kernel's functions of system calls: their one argument are the caller's registers. */
struct cul_arch_syscall {
	const char *prefix;   /* of their names */
	const unsigned *regs; /* what the call is asked for, six, as indices of pt_regs */
	bool narrow;          /* the low halves of them alone */
};

struct cul_arch_unwind; /* arch/unwind.h */
struct cul_arch_core;   /* arch/core.h */

struct cul_arch {
	const char *name; /* "x86_64": uname -m */
	unsigned word;    /* 8 */
	bool big_endian;
	uint16_t elf_machine; /* EM_* of its files */
	bool trap_after;      /* a data watchpoint reports the instruction after the access */
	unsigned watch_slots; /* debug registers a CPU has; 0: read from the machine */
	unsigned watch_max;   /* bytes one register covers at most; powers of two, aligned */
	bool watch_read_only; /* the hardware can trap on loads alone */
	unsigned n_regs;
	const char *const *reg_names; /* n_regs names, in pt_regs order */
	unsigned reg_ip, reg_sp, reg_flags;
	/* The calling convention of C, user space and kernel: */
	const unsigned *arg_regs; /* as indices of pt_regs */
	unsigned n_arg_regs;
	unsigned reg_ret;
	/* The seven of a system call: its number, then its arguments. NULL: not known here. */
	const unsigned *syscall_regs;
	const struct cul_arch_syscall *syscalls; /* ends with a NULL prefix; NULL: none known */
	/*
	 * A thread that is stopped in a system call, which it will make again when it goes on, is
	 * so many bytes in front of where the call returns to. 0: it is moved back as it goes on.
	 */
	unsigned syscall_back;
	/*
	 * Where the arguments are at a function's first instruction. `hidden`: the result is a
	 * struct returned in memory, whose address comes before them.
	 */
	void (*place_args)(
		const struct cul_arg *args, size_t n, bool hidden, struct cul_arg_place *out);
	/* Whether a struct (or scalar) of these leaves is returned in memory that the caller names.
	 */
	bool (*returns_in_memory)(const struct cul_arg *result);
	/*
	 * The one-byte instruction by which a program raises SIGTRAP with TRAP_BRKPT itself (x86:
	 * int1; int3 has another code). Without it before the address, the kernel got a debug trap
	 * that named no cause. 0: TRAP_BRKPT is always the program's own.
	 */
	unsigned char own_trap;
	/*
	 * Whether a hypervisor runs the CPU that asks: it may then be held for milliseconds between
	 * a store and the trap of that store. False also where the CPU does not tell.
	 */
	bool (*in_virtual_machine)(void);

	/*
	 * Names the instruction that made `trap`. `certainty` is CUL_UNKNOWN, and `text` empty,
	 * when `code` does not lead to it. Time is linear in the distance from code->addr to the
	 * reported instruction (about 0.1 us a byte): a caller with many hits keeps the answer for
	 * each reported address. 0 or -ENOMEM; `out` is set only on success.
	 *
	 * Where the access was made by a call or return into the reported instruction, the code
	 * at hand does not hold it: `addr` is then 0 and `text` says "call (pushed the return
	 * address)" or "ret (popped the return address)". The word at the stack pointer (call)
	 * tells the caller where the call is.
	 */
	int (*find_access)(
		const struct cul_code *code, const struct cul_trap *trap, struct cul_insn *out);
	/*
	 * Decodes one instruction at `addr` for printing: addr, len, flow and text are set, the
	 * rest is 0. -EILSEQ when it is none or is not wholly in `code`, -ENOMEM.
	 */
	int (*decode)(const struct cul_code *code, uint64_t addr, struct cul_insn *out);

	/*
	 * Whether a stub of a procedure linkage table begins at `code` (which is at `addr`): where
	 * the word is that holds the function's address, and the bytes the stub takes. NULL: how
	 * such stubs look is not known here.
	 */
	bool (*stub)(
		const uint8_t *code, size_t size, uint64_t addr, uint64_t *slot, unsigned *length);

	const struct cul_arch_unwind *unwind;
	const struct cul_arch_core *core;
};

/*
 * x86_64 has all of it. Of the others there is what unwinding needs: their breakpoint facts and
 * functions are 0.
 */
extern const struct cul_arch cul_arch_x86_64, cul_arch_aarch64, cul_arch_arm;
extern const struct cul_arch cul_arch_mips, cul_arch_mipsel, cul_arch_mips64, cul_arch_mips64el;

/* By `uname -m` name; NULL when there is no such directory under src/arch. */
const struct cul_arch *cul_arch_find(const char *name);
/* By the header of an ELF file; `word`: 4 for ELFCLASS32, 8. NULL as well. */
const struct cul_arch *cul_arch_of_elf(unsigned machine, unsigned word, bool big_endian);
/* That of this machine, NULL as well when only its unwinding is known. */
const struct cul_arch *cul_arch_host(void);

#endif
