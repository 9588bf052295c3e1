/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three threads that wait to be told. For each byte on standard input every one of them takes a
 * step; then the first thread writes the byte back: all of them run.
 */
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

enum { THREADS = 3 };

static sem_t go[THREADS], done;

static void *step(void *data)
{
	sem_t *mine = data;

	for (;;) {
		while (sem_wait(mine) != 0)
			;
		sem_post(&done);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;
	char byte;

	sem_init(&done, 0, 0);
	for (int i = 0; i < THREADS; i++) {
		sem_init(&go[i], 0, 0);
		if (pthread_create(&thread, NULL, step, &go[i]))
			return 1;
	}
	while (read(0, &byte, 1) == 1) {
		for (int i = 0; i < THREADS; i++)
			sem_post(&go[i]);
		for (int i = 0; i < THREADS; i++)
			while (sem_wait(&done) != 0)
				;
		if (write(1, &byte, 1) != 1)
			return 1;
	}
	return 0;
}
