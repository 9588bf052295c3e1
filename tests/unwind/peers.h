/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other unwinders say at the same stops: eu-stack and gdb, which attach to the process as they
 * would to any. It is let go for them, where it cannot leave its place, and taken back.
 */
#ifndef CUL_TESTS_UNWIND_PEERS_H
#define CUL_TESTS_UNWIND_PEERS_H

#include <sys/types.h>

#include "shadow.h"

enum { PEERS = 2 };

struct peer_score {
	unsigned stops, exact[PEERS], ours;
};

/* `pid` is traced and stopped; it is again afterwards. Exits on failure. */
void peers_ask(
	pid_t pid, const struct shadow *shadow, uint64_t pc, bool ours, struct peer_score *score);
void peers_print(const struct peer_score *score);

#endif
