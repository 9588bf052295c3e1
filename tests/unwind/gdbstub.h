/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few words of gdb's remote protocol (gdb manual, appendix E) by which a program under
 * qemu-user is run one instruction at a time.
 */
#ifndef CUL_TESTS_UNWIND_GDBSTUB_H
#define CUL_TESTS_UNWIND_GDBSTUB_H

#include <sys/types.h>

#include "mem/mem.h"

struct gdbstub {
	struct cul_mem mem;   /* first: the program's memory */
	struct cul_mem *qemu; /* that of qemu, where it lies from `base` on */
	uint64_t base;
	int fd;
	pid_t pid;
	char reply[16384];
};

/* Starts `qemu -g SOCKET program` and connects. Exits on failure, as all of these. */
/* `narrow`: its addresses have 32 bits. */
void gdbstub_start(struct gdbstub *g, const char *qemu, const char *program, bool narrow);
/* The answer to a packet, in g->reply. */
const char *gdbstub_ask(struct gdbstub *g, const char *packet);
/* Bytes of the register packet. */
size_t gdbstub_regs(struct gdbstub *g, uint8_t *bytes, size_t size);
/* False: the program has ended. `*signal`: what it was stopped by (gdb's number), 0 for the step.
 */
bool gdbstub_step(struct gdbstub *g, int *signal);
void gdbstub_run_to(struct gdbstub *g, uint64_t addr);
/*
 * Lets the program have the signal that it was stopped by, and stops at the first instruction of
 * the handler, which is one of these. A step would stop at the second.
 */
void gdbstub_deliver(struct gdbstub *g, int signal, const uint64_t *handlers, size_t n);
void gdbstub_end(struct gdbstub *g);

#endif
