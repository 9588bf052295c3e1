/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other unwinders say at the same stops: each frame's pc against the shadow stack. They say
 * of no frame that it may be wrong, and are judged by the pc alone.
 */
#ifndef CUL_TESTS_UNWIND_PEERS_H
#define CUL_TESTS_UNWIND_PEERS_H

#include <sys/types.h>

#include "shadow.h"

enum { PEERS = 2, PEER_FRAMES = SHADOW_MAX + 1 };

/* `n` 0: no answer. */
struct peer_answer {
	uint64_t pcs[PEER_FRAMES];
	size_t n;
};

struct peer_score {
	const char *names[PEERS];
	unsigned stops, ours, ours_wrong;
	unsigned exact[PEERS], wrong[PEERS], silent[PEERS];
};

void peer_frame(struct peer_answer *answer, uint64_t pc);
/* Counts a stop and culprit's verdict on it. */
void peers_stop(struct peer_score *score, enum verdict ours);
void peers_judge(struct peer_score *score, unsigned peer, const struct peer_answer *answer,
	const struct shadow *shadow, uint64_t pc);
/* "peers STOPS", then of each its name and how often it was exact, wrong, and had no answer. */
void peers_print(const struct peer_score *score);

/*
 * eu-stack and gdb, which attach to the process as they would to any: it is let go for them where
 * it cannot leave its place, and taken back. `pid` is traced and stopped; it is again afterwards.
 * Exits on failure.
 */
void peers_attach(pid_t pid, const struct shadow *shadow, uint64_t pc, struct peer_score *score);

#endif
