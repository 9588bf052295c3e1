/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a run is told to stop. A handler and not a blocked mask with a signalfd:
 * handlers end at exec, a mask would be inherited by the command that is
 * watched, and a second Ctrl-C must find the default action.
 */
#include "cmd/command.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t stop_fd = -1; /* a handler has no argument of its own */

static void stop(int signal)
{
	const uint64_t one = 1;
	int saved = errno;

	if (write(stop_fd, &one, sizeof(one)) < 0)
		_exit(128 + signal); /* nobody can be told: end as the default would */
	errno = saved;
}

int cul_stop_install(int *fd, struct cul_error *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction old, action = {.sa_handler = stop, .sa_flags = SA_RESTART | SA_RESETHAND};

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return cul_fail(err, -errno, "an eventfd for signals: %s", cul_strerror(errno));
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* what nohup has asked for stays so */
		if (signals[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 &&
			old.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &action, NULL);
	}
	*fd = stop_fd;
	return 0;
}
