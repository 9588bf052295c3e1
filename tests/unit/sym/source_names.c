/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Variables by the names of C++ and Rust, held against what a program says of them, and against
 * gdb.
 */
#include "fixture.h"

#include "base/str.h"
#include "sym/process.h"

static struct cul_process_syms *p;
static struct fixture f;
static struct cul_process_variable v;
static struct cul_error err;

static void start(const char *path)
{
	fixture_start(&f, path);
	if (cul_process_open(f.pid, NULL, &p, &err))
		fail_msg("%s", err.text);
}

static void stop(void)
{
	cul_process_free(p);
	fixture_stop(&f);
}

static bool knows_types(const char *path)
{
	return !strstr(path, "nodebug");
}

static void check_name(
	const char *path, const char *name, uint64_t addr, uint64_t size, const char *type)
{
	cul_autostr struct cul_str text = {0};

	if (cul_process_variable(p, name, &v, &err))
		fail_msg("%s", err.text);
	if (v.addr != addr || v.size != size)
		fail_msg("%s: %llu bytes at %#llx, expected %llu at %#llx", name,
			(unsigned long long)v.size, (unsigned long long)v.addr,
			(unsigned long long)size, (unsigned long long)addr);
	if (!*type || !knows_types(path))
		return;
	assert_non_null(v.type);
	cul_type_print(&text, v.type);
	assert_string_equal(cul_str_text(&text), type);
}

/* gdb has no way to write an unnamed namespace, and without quotes takes one overload for another.
 */
static void ask_gdb(const char *path, const char *name, uint64_t addr)
{
	uint64_t said;

	if (strstr(name, "anonymous") || strstr(name, "hidden") || !knows_types(path))
		return;
	said = strtoull(
		witness("gdb -nx -batch -ex \"output/x (long)&'%s'\" %s 2>/dev/null", name, path),
		NULL, 16);
	if (said != addr)
		fail_msg("gdb: %s is at %#llx, not %#llx", name, (unsigned long long)said,
			(unsigned long long)addr);
}

static void each_fact(const char *path)
{
	unsigned long long addr, size;
	size_t names = 0;

	start(path);
	for (size_t i = 0; i < f.n; i++) {
		char *save, *type = f.facts[i], *name;
		int n;

		assert_int_equal(sscanf(f.facts[i], "%llx %llu %n", &addr, &size, &n), 2);
		type += n;
		name = strchr(type, '|');
		*name++ = '\0';
		for (name = strtok_r(name, "|", &save); name; name = strtok_r(NULL, "|", &save)) {
			check_name(path, name, addr, size, type);
			if (!names++ || !strcmp(name, "Acc::count") || strstr(name, "pay") ||
				strstr(name, "last"))
				ask_gdb(path, name, addr);
		}
	}
	stop();
	assert_true(names > 12);
}

static void by_their_names(void **state)
{
	char names[512];
	char *save;

	snprintf(names, sizeof(names), "%s", witness("cat %s", fixture_path("variables")));
	for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		print_message("  %s\n", name);
		each_fact(fixture_path(name));
	}
}

static void fails(const char *name, int code, const char *text)
{
	memset(&err, 0, sizeof(err));
	assert_int_equal(cul_process_variable(p, name, &v, &err), code);
	if (!strstr(err.text, text))
		fail_msg("%s: %s", name, err.text);
}

static void several_of_a_name(void **state)
{
	static const char *const programs[] = {"variables-gcc5", "variables-nodebug"};

	for (size_t i = 0; i < 2; i++) {
		start(fixture_path(programs[i]));
		fails("bank::pay::paid", -ENOTUNIQ, "bank::pay(int)::paid");
		fails("bank::pay::paid", -ENOTUNIQ, "bank::pay(char const*)::paid");
		fails("Book::last", -ENOTUNIQ, "Book<char>::last");
		stop();
	}
}

static void near_ones(void **state)
{
	start(fixture_path("variables-gcc5"));
	fails("bank::totl", -ENOENT, "did you mean bank::total?");
	fails("totl", -ENOENT, "did you mean bank::total?");
	fails("Acc::cont", -ENOENT, "did you mean Acc::count");
	fails("bank::pay(long)::paid", -ENOENT, "bank::pay(int)::paid");
	fails("bank::", -ENOENT, "bank::");
	fails("::", -ENOENT, "::");
	fails("a<b::c", -ENOENT, "a<b::c");
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_their_names),
		cmocka_unit_test(several_of_a_name),
		cmocka_unit_test(near_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
