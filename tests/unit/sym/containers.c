/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes whose files are in another root, and in another mount namespace: names and lines come
 * from the files that they have mapped and from the debug files of their own system.
 */
#include "fixture.h"

#include <sys/stat.h>

#include "sym/process.h"

/* The program says where its functions are; what it has lies in shapes.c, the library's in lib.c.
 */
static bool check_fact(struct cul_process_syms *p, const char *fact, unsigned *seen)
{
	struct cul_where where[CUL_MAX_CALLS];
	unsigned long long addr;
	bool library;
	char name[64];

	if (sscanf(fact, "function %63s %llx", name, &addr) == 2)
		library = false;
	else if (sscanf(fact, "libfunction %63s %llx", name, &addr) == 2)
		library = true;
	else
		return true;
	if (cul_process_frames(p, addr, where, CUL_MAX_CALLS) != 1 || !where->function ||
		strcmp(where->function, name) != 0 || !where->file ||
		strcmp(where->file, library ? "lib.c" : "shapes.c") != 0 || where->line <= 0) {
		print_message(
			"%s: is %s at %s:%d\n", fact, where->function, where->file, where->line);
		return false;
	}
	*seen |= library ? 2 : 1;
	return true;
}

static bool names_are_right(const struct fixture *f)
{
	struct cul_process_syms *p = NULL;
	struct cul_error err = {0};
	unsigned seen = 0;
	bool right = true;

	if (cul_process_open(f->pid, NULL, &p, &err) != 0) {
		print_message("%s\n", err.text);
		return false;
	}
	for (size_t i = 0; i < f->n; i++)
		right &= check_fact(p, f->facts[i], &seen);
	cul_process_free(p);
	return right && seen == 3;
}

/* As a user who may not follow /proc/PID/map_files. */
static bool names_are_right_as_nobody(const struct fixture *f)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(2);
		_exit(names_are_right(f) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void start(struct fixture *f, const char *root, const char *words)
{
	char wrapper[600];
	FILE *script;

	snprintf(wrapper, sizeof(wrapper), "%s/../start", root);
	script = fopen(wrapper, "w");
	assert_non_null(script);
	fprintf(script,
		"#!/bin/sh\nexec '%s/tests/unit/sym/fixtures/contained.sh' '%s' '%s' '%s'\n",
		SOURCE_ROOT, FIXTURES, root, words);
	fclose(script);
	chmod(wrapper, 0755);
	fixture_start(f, wrapper);
}

static void make_root(char *dir, char *root, size_t size)
{
	if (geteuid() != 0) {
		print_message("only root may change the root\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	chmod(dir, 0755);
	snprintf(root, size, "%s/root", dir);
	assert_int_equal(mkdir(root, 0755), 0);
}

static void check(const char *words)
{
	char dir[] = "/tmp/culprit-test-XXXXXX", root[64];
	struct fixture f;
	bool right;

	make_root(dir, root, sizeof(root));
	print_message("  %s\n", words);
	start(&f, root, words);
	right = names_are_right(&f);
	if (right && strstr(words, "nobody"))
		right = names_are_right_as_nobody(&f);
	/* The files of a namespace of its own are nowhere here. */
	if (strstr(words, "ns"))
		assert_int_equal(rmdir(root), 0);
	fixture_stop(&f);
	witness("rm -r %s", dir);
	assert_true(right);
}

static void test_namespaces(void **state)
{
	check("ns id");
	check("ns beside");
	check("ns dot");
	check("ns tree");
}

static void test_roots(void **state)
{
	check("id");
	check("beside");
	check("dot");
	check("tree");
}

static void test_unprivileged(void **state)
{
	check("ns id nobody");
	check("ns tree nobody");
	check("id nobody");
	check("tree nobody");
}

/* Removed after the start: as root it is read all the same. */
static void test_removed(void **state)
{
	char dir[] = "/tmp/culprit-test-XXXXXX", root[64];
	struct fixture f;
	bool right;

	make_root(dir, root, sizeof(root));
	start(&f, root, "id");
	witness("rm -r %s/opt", root);
	right = names_are_right(&f);
	fixture_stop(&f);
	witness("rm -r %s", dir);
	assert_true(right);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
