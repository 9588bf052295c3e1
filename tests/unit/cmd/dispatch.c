/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all commands share: finding them, statuses, messages, output, signals. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cmd/command.h"

static const struct cul_option options[] = {CUL_OPTIONS_TAIL};
static const struct cul_command bake;

/* Ends with the status its first argument says. */
static int run_bake(const struct cul_command *const *all, char **argv)
{
	struct cul_error err = {0};

	if (!argv[0])
		return cul_cmd_usage(&bake, "'%s': what?", "\033[2J");
	if (!strcmp(argv[0], "burn")) {
		cul_fail(&err, -EIO, "bake: 1 +\n        ^\a");
		return cul_cmd_fail(&bake, &err);
	}
	if (!strcmp(argv[0], "silent")) {
		err.code = -ENOENT;
		return cul_cmd_fail(&bake, &err);
	}
	return atoi(argv[0]);
}

static const struct cul_example examples[] = {{"bake bread", "a loaf"}, {0}};
static const struct cul_command bake = {.name = "bake",
	.summary = "heat",
	.synopsis = "[WHAT]",
	.about = "Heats.",
	.options = options,
	.examples = examples,
	.run = run_bake};
static const struct cul_command *const all[] = {&bake, &cul_cmd_help, &cul_cmd_version, NULL};

/* Runs with one of the standard descriptors caught. The caller frees `*text`. */
static int run(int descriptor, char **text, char *a, char *b)
{
	char *argv[] = {"culprit", a, a ? b : NULL, NULL};
	FILE *caught = tmpfile();
	int saved = dup(descriptor), status;
	long n;

	fflush(NULL);
	dup2(fileno(caught), descriptor);
	status = cul_cmd_main(all, argv);
	fflush(NULL);
	dup2(saved, descriptor);
	close(saved);
	n = lseek(fileno(caught), 0, SEEK_END);
	*text = calloc(1, (size_t)n + 1);
	assert_int_equal(pread(fileno(caught), *text, (size_t)n, 0), n);
	fclose(caught);
	return status;
}

static void expect(int descriptor, char *a, char *b, int status, const char *text)
{
	cul_autofree char *got = NULL;

	assert_int_equal(run(descriptor, &got, a, b), status);
	if (!strstr(got, text))
		fail_msg("'%s' is not in:\n%s", text, got);
}

static void test_statuses(void **state)
{
	cul_autofree char *nothing = NULL;

	expect(STDOUT_FILENO, "bake", "0", 0, "");
	expect(STDOUT_FILENO, "bake", "3", 3, "");
	expect(STDERR_FILENO, NULL, NULL, 2, "  culprit bake bread\n      a loaf\n");
	expect(STDOUT_FILENO, "help", NULL, 0, "  bake      heat\n");
	expect(STDOUT_FILENO, "--help", NULL, 0, "  culprit bake bread\n");
	expect(STDOUT_FILENO, "-h", NULL, 0, "  culprit bake bread\n");
	expect(STDOUT_FILENO, "help", "bake", 0,
		"usage: culprit bake [WHAT]\n\nHeats.\n\n  -h, --help");
	expect(STDOUT_FILENO, "--version", NULL, 0, "culprit " CUL_VERSION "\n");
	expect(STDOUT_FILENO, "version", NULL, 0, "culprit " CUL_VERSION "\n");
	assert_int_equal(run(STDERR_FILENO, &nothing, "bake", "0"), 0);
	assert_string_equal(nothing, "");
}

static void test_messages(void **state)
{
	expect(STDERR_FILENO, "bkae", NULL, 2,
		"culprit: unknown command 'bkae'; did you mean bake? (see: culprit help)\n");
	expect(STDERR_FILENO, "help", "versoin", 2, "did you mean version?");
	expect(STDERR_FILENO, "xylophone", NULL, 2,
		"culprit: unknown command 'xylophone' (see: culprit help)\n");
	expect(STDERR_FILENO, "--json", NULL, 2, "a command comes first, not '--json'");
	expect(STDERR_FILENO, "help", "--al", 2, "culprit: help: unknown option '--al'");
	expect(STDERR_FILENO, "version", "x", 2, "culprit: version: 'x' is too much");
	/* foreign bytes are escaped, the name is put once, a caret keeps its place */
	expect(STDERR_FILENO, "bake", NULL, 2,
		"culprit: bake: '\\x1b[2J': what? (see: culprit help bake)\n");
	expect(STDERR_FILENO, "bake", "burn", 1, "culprit: bake: 1 +\n        ^\\x07\n");
	expect(STDERR_FILENO, "bake", "silent", 1, "culprit: bake: No such file or directory\n");
}

static void test_output(void **state)
{
	const struct cul_watch_loss loss = {.command_status = -1};
	char path[] = "/tmp/cul-dispatch-XXXXXX";
	struct cul_output output;
	struct cul_error err = {0};
	struct stat st;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(cul_output_open(&output, true, path, &err), 0);
	assert_int_equal(output.sink->ops->watch_loss(output.sink, &loss), 0);
	cul_output_close(&output, NULL);
	cul_output_close(&output, NULL); /* does no harm */
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_size > 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
	unlink(path);
	assert_int_equal(cul_output_open(&output, false, "/no/such/file", &err), -ENOENT);
	assert_string_equal(err.text, "/no/such/file: No such file or directory");
}

/* What main() does in a child with its standard output closed or limited; the exit status. */
static int version_with(void (*spoil)(void))
{
	static const char *const argv[] = {"culprit", "version", NULL};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		spoil();
		_exit(cul_cmd_main(all, (char **)argv));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void close_output(void)
{
	close(STDOUT_FILENO);
}

static void limit_output(void)
{
	const struct rlimit none = {0};
	FILE *file = tmpfile();

	dup2(fileno(file), STDOUT_FILENO);
	setrlimit(RLIMIT_FSIZE, &none);
}

static void fill_output(void)
{
	int fd = open("/dev/full", O_WRONLY);

	dup2(fd, STDOUT_FILENO);
}

static void test_output_that_takes_nothing(void **state)
{
	static void (*const spoils[])(void) = {close_output, limit_output, fill_output};

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		int status = version_with(spoils[i]);

		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), CUL_EXIT_FAILED);
	}
}

/* Not the next file that is opened is where our words go then. */
static void test_closed_descriptors_stay_closed(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char *argv[] = {"culprit", "bake", "0", NULL};

		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		if (cul_cmd_main(all, argv) || open("/dev/null", O_RDWR) <= STDERR_FILENO)
			_exit(1);
		_exit(write(STDERR_FILENO, "x", 1) != -1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_recording_that_fails_is_named(void **state)
{
	const struct cul_watch_loss loss = {.command_status = -1};
	struct cul_output output;
	struct cul_error err = {0};

	assert_int_equal(cul_output_open(&output, CUL_OUTPUT_JSON, "/dev/full", &err), 0);
	assert_int_equal(output.sink->ops->watch_loss(output.sink, &loss), -ENOSPC);
	cul_fail(&err, -ENOSPC, "it is full");
	cul_output_close(&output, &err);
	assert_string_equal(err.text, "/dev/full: it is full");
	assert_int_equal(cul_output_open(&output, CUL_OUTPUT_JSON, "", &err), -EINVAL);
}

/* In a child: the first signal is told, the second kills. */
static void test_stop(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		int status, fd = -1;
		pid_t pid = fork();

		if (pid == 0) {
			struct pollfd p = {.events = POLLIN};

			signal(signals[i], SIG_DFL);
			if (cul_stop_install(&fd, NULL))
				_exit(1);
			p.fd = fd;
			if (poll(&p, 1, 0) != 0)
				_exit(2);
			raise(signals[i]);
			if (poll(&p, 1, 0) != 1)
				_exit(3);
			raise(signals[i]);
			_exit(4);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
	}
}

static void test_nohup(void **state)
{
	int status, fd;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGHUP, SIG_IGN);
		if (cul_stop_install(&fd, NULL))
			_exit(1);
		raise(SIGHUP);
		raise(SIGHUP);
		_exit(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_output_that_takes_nothing),
		cmocka_unit_test(test_closed_descriptors_stay_closed),
		cmocka_unit_test(test_recording_that_fails_is_named),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_nohup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
