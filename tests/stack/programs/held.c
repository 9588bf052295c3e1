// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * held FILE: a process that executes FILE, which nobody lets it read, and a thread of it that
 * pauses. Says its number and "ready"; its parent, which would have to permit it, waits for the end
 * of its standard input and of the process.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long zero;

static __attribute__((noinline)) void *pausing(void *unused)
{
	while (!zero)
		pause();
	return NULL;
}

static void execute(const char *path)
{
	pthread_t one;

	if (pthread_create(&one, NULL, pausing, NULL))
		abort();
	execl(path, path, NULL);
	abort();
}

int main(int argc, char **argv)
{
	int gate = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);
	struct fanotify_event_metadata asked[8];
	char byte;
	pid_t child;

	if (argc < 2 || gate < 0 ||
		fanotify_mark(gate, FAN_MARK_ADD, FAN_ACCESS_PERM, AT_FDCWD, argv[1]))
		return 1;
	child = fork();
	if (child == 0) {
		close(gate);
		execute(argv[1]);
	}
	if (read(gate, asked, sizeof(asked)) <= 0)
		return 1;
	printf("%d ready\n", (int)child);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	close(gate);
	return waitpid(child, NULL, 0) == child ? 0 : 1;
}
