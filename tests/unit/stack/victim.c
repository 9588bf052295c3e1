/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three threads that wait to be told. For each byte on standard input every one of them takes a
 * step; then the first thread writes the byte back: all of them run.
 *
 *     victim exec     its second thread says so and makes the same program of it, for ever
 */
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
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

static void *become_itself(void *data)
{
	if (write(1, "x", 1) == 1)
		execl("/proc/self/exe", "victim", "exec", NULL);
	_exit(1);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char byte;

	if (argc > 1 && !strcmp(argv[1], "exec")) {
		if (pthread_create(&thread, NULL, become_itself, NULL))
			return 1;
		for (;;)
			pause();
	}

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
