/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { SILENT_MS = 2000, EACH_MS = 200 };

struct cul_progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool end, shown; /* a line stands there */
	const char *what;
	size_t done, of;
	uint64_t since; /* ms: when it began */
};

static uint64_t now_ms(void)
{
	return cul_clock_now() / 1000000;
}

static void clear(struct cul_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

static void show(struct cul_progress *p)
{
	uint64_t ms = now_ms() - p->since;

	if (!p->what || ms < SILENT_MS)
		return;
	if (p->of)
		fprintf(stderr, "\rculprit: %s: %zu of %zu\033[K", p->what, p->done, p->of);
	else
		fprintf(stderr, "\rculprit: %s: %u s\033[K", p->what, (unsigned)(ms / 1000));
	p->shown = true;
}

static void *run(void *data)
{
	struct cul_progress *p = data;

	pthread_mutex_lock(&p->lock);
	while (!p->end) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += EACH_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		/* With nothing to tell it sleeps. */
		if (p->what)
			pthread_cond_timedwait(&p->changed, &p->lock, &until);
		else
			pthread_cond_wait(&p->changed, &p->lock);
		show(p);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void free_progress(struct cul_progress *p)
{
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* A line can be taken back there. */
static bool is_screen(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

struct cul_progress *cul_progress_start(void)
{
	struct cul_progress *p = is_screen() ? cul_calloc(1, sizeof(*p)) : NULL;
	pthread_condattr_t attr;
	sigset_t all, before;
	int r;

	if (!p)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&p->lock, NULL);
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&p->thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!r)
		return p;
	free_progress(p);
	return NULL;
}

void cul_progress_end(struct cul_progress *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->end = true;
	p->what = NULL;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	clear(p);
	free_progress(p);
}

void cul_progress_tell(void *progress, const char *what, size_t done, size_t of)
{
	struct cul_progress *p = progress;
	bool same;

	pthread_mutex_lock(&p->lock);
	same = what && p->what && !strcmp(what, p->what);
	if (!same) {
		p->since = now_ms();
		clear(p);
	}
	p->what = what;
	p->done = done;
	p->of = of;
	if (!same)
		pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}
