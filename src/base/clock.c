/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"

#include <time.h>

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t cul_clock_now(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

uint64_t cul_clock_worked(void)
{
	return clock_of(CLOCK_THREAD_CPUTIME_ID);
}
