/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "victims.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void victim_start(struct victim *v, const char *how)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		abort();
	v->pid = fork();
	if (!v->pid) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		execl(STACK_VICTIM, STACK_VICTIM, how, NULL);
		_exit(1);
	}
	close(to[0]);
	close(from[1]);
	v->to = to[1];
	v->from = from[0];
}

bool victim_says(const struct victim *v)
{
	struct pollfd fd = {.fd = v->from, .events = POLLIN};
	char byte;

	return poll(&fd, 1, PATIENCE_MS) == 1 && read(v->from, &byte, 1) == 1;
}

bool victim_goes_on(const struct victim *v)
{
	return write(v->to, "x", 1) == 1 && victim_says(v);
}

bool victim_ends(const struct victim *v)
{
	int status;

	close(v->to);
	close(v->from);
	return waitpid(v->pid, &status, 0) == v->pid && WIFEXITED(status);
}
