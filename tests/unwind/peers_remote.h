/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdwfl and gdb-multiarch at a stop of a program under qemu-user. qemu talks to one debugger at a
 * time, which is us: libdwfl gets registers and memory by callbacks, gdb is connected to us and its
 * questions are passed on. It goes from stop to stop by "continue" and sees nothing in between.
 */
#ifndef CUL_TESTS_UNWIND_PEERS_REMOTE_H
#define CUL_TESTS_UNWIND_PEERS_REMOTE_H

#include "gdbstub.h"
#include "peers.h"

struct peers_remote;

/* `stub` and `program` are kept by the caller. Exits on failure, as all of these. */
struct peers_remote *peers_remote_new(
	struct gdbstub *stub, const struct cul_arch *arch, const char *program);
void peers_remote_ask(struct peers_remote *p, const struct cul_thread_regs *regs,
	const struct shadow *shadow, uint64_t pc, struct peer_score *score);
void peers_remote_free(struct peers_remote *p); /* accepts NULL */

#endif
