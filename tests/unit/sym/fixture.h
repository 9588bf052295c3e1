/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs of tests/unit/sym/fixtures, running, and other tools' word on them.
 * FIXTURES is the directory they were built into.
 */
#ifndef TESTS_SYM_FIXTURE_H
#define TESTS_SYM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	pid_t pid;
	int input; /* closing it ends the program */
	size_t n;
	char facts[128][128];
};

static inline const char *fixture_path(const char *name)
{
	static char path[4][512];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", FIXTURES, name);
	return p;
}

/* Starts the program and takes down what it says until it is ready. */
static inline void fixture_start(struct fixture *f, const char *path)
{
	int in[2], out[2];
	FILE *lines;

	memset(f, 0, sizeof(*f));
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	f->input = in[1];
	lines = fdopen(out[0], "r");
	assert_non_null(lines);
	while (f->n < 128 && fgets(f->facts[f->n], sizeof(f->facts[0]), lines)) {
		f->facts[f->n][strcspn(f->facts[f->n], "\n")] = '\0';
		if (strcmp(f->facts[f->n], "ready") == 0)
			break;
		f->n++;
	}
	fclose(lines);
	assert_true(f->n > 0 && f->n < 128);
}

static inline void fixture_stop(struct fixture *f)
{
	close(f->input);
	waitpid(f->pid, NULL, 0);
}

/* The first line that a command prints; "" when none. */
static inline const char *witness(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline const char *witness(const char *fmt, ...)
{
	static char line[4096];
	char command[8192];
	va_list ap;
	FILE *p;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	line[0] = '\0';
	p = popen(command, "r");
	assert_non_null(p);
	if (!fgets(line, sizeof(line), p))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	while (getc(p) != EOF)
		;
	pclose(p);
	return line;
}

/* nm's address of a symbol. */
static inline uint64_t nm_address(const char *path, const char *symbol)
{
	return strtoull(witness("nm %s | awk '$3 == \"%s\" { print $1 }'", path, symbol), NULL, 16);
}

/* Calls `test` with the path of each program that the compilers at hand have built. */
static inline void each_program(void (*test)(const char *path))
{
	char names[1024];
	char *save = NULL;

	snprintf(names, sizeof(names), "%s", witness("cat %s", fixture_path("programs")));
	for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		print_message("  %s\n", name);
		test(fixture_path(name));
	}
}

#endif
