/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peers.h"

#include <stdio.h>

void peer_frame(struct peer_answer *answer, uint64_t pc)
{
	if (answer->n < PEER_FRAMES)
		answer->pcs[answer->n++] = pc;
}

void peers_stop(struct peer_score *score, enum verdict ours)
{
	score->stops++;
	score->ours += ours == EXACT;
	score->ours_wrong += ours == WRONG;
}

void peers_judge(struct peer_score *score, unsigned peer, const struct peer_answer *answer,
	const struct shadow *shadow, uint64_t pc)
{
	bool wrong = false;

	for (size_t i = 0; i < answer->n && i <= shadow->len; i++)
		wrong |= answer->pcs[i] != shadow_pc(shadow, i, pc);
	if (answer->n == 0)
		score->silent[peer]++;
	else if (wrong)
		score->wrong[peer]++;
	else if (answer->n > shadow->len)
		score->exact[peer]++;
}

void peers_print(const struct peer_score *score)
{
	printf("peers %u culprit %u %u 0", score->stops, score->ours, score->ours_wrong);
	for (unsigned i = 0; i < PEERS; i++)
		printf(" %s %u %u %u", score->names[i], score->exact[i], score->wrong[i],
			score->silent[i]);
	printf("\n");
}
