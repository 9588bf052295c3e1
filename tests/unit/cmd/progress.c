/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands on a terminal while something takes long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/progress.h"

static int terminal = -1, kept = -1;

/* stderr is a terminal of ours. */
static int set_up(void **state)
{
	int slave;

	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0);
	assert_int_equal(grantpt(terminal) | unlockpt(terminal), 0);
	slave = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	setenv("TERM", "xterm", 1);
	kept = dup(STDERR_FILENO);
	dup2(slave, STDERR_FILENO);
	close(slave);
	return 0;
}

static int tear_down(void **state)
{
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(terminal);
	return 0;
}

/* All that is written within so many ms. */
static const char *seen(int ms)
{
	static char text[4096];
	struct pollfd fd = {.fd = terminal, .events = POLLIN};
	size_t len = 0;

	while (len < sizeof(text) - 1 && poll(&fd, 1, ms) > 0) {
		ssize_t n = read(terminal, text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		ms = 100;
	}
	text[len] = '\0';
	return text;
}

static void what_takes_long_is_told(void **state)
{
	struct cul_progress *p = cul_progress_start();

	assert_non_null(p);
	cul_progress_tell(p, "looking", 0, 0);
	assert_string_equal(seen(500), "");
	assert_true(!strncmp(seen(10000), "\rculprit: looking: 2 s\033[K", 25));
	/* Another thing begins anew, in silence. */
	cul_progress_tell(p, "attaching", 0, 40);
	cul_progress_tell(p, "attaching", 3, 40);
	assert_string_equal(seen(500), "\r\033[K");
	assert_true(!strncmp(seen(10000), "\rculprit: attaching: 3 of 40\033[K", 30));
	cul_progress_end(p);
	assert_non_null(strstr(seen(1000), "\r\033[K"));
}

static void what_is_over_is_not(void **state)
{
	struct cul_progress *p = cul_progress_start();

	assert_non_null(p);
	cul_progress_tell(p, "looking", 0, 0);
	cul_progress_tell(p, NULL, 0, 0);
	assert_string_equal(seen(3000), "");
	cul_progress_end(p);
	assert_string_equal(seen(100), "");
}

static void nothing_where_a_line_cannot_be_taken_back(void **state)
{
	setenv("TERM", "dumb", 1);
	assert_null(cul_progress_start());
	unsetenv("TERM");
	assert_null(cul_progress_start());
}

static void nothing_without_a_terminal(void **state)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDERR_FILENO);
	close(null);
	assert_null(cul_progress_start());
	cul_progress_end(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_takes_long_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_over_is_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nothing_where_a_line_cannot_be_taken_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_without_a_terminal, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
