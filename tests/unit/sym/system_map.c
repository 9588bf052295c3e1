/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels that are made up: what they list of themselves, and a map of where they were linked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sym/system_map.h"
#include "sys/fault.h"

enum { FUNCTIONS = 200 };

static const uint64_t linked = 0xffffffff81000000, shift = 0x1a600000;

static char dir[64];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/culprit-test-map-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	cul_alloc_fail_after(-1);
	cul_sys_fail_none();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static const char *put(const char *name, const char *text)
{
	static char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

/* The functions of a kernel at `base`; those from `moved` on lie 16 bytes further. */
static void functions(struct cul_str *s, uint64_t base, int moved)
{
	cul_str_addf(s, "%016" PRIx64 " T _text\n", base);
	for (int i = 0; i < FUNCTIONS; i++)
		cul_str_addf(s, "%016" PRIx64 " %c func_%d\n",
			base + 0x100 + (uint64_t)i * 64 + (i >= moved ? 16 : 0), i % 2 ? 't' : 'T',
			i);
	cul_str_addf(s, "%016" PRIx64 " D __start_rodata\n", base + 0x800000);
}

static void data(struct cul_str *s, uint64_t base, uint64_t percpu)
{
	cul_str_addf(s, "%016" PRIx64 " D __per_cpu_start\n", percpu);
	cul_str_addf(s, "%016" PRIx64 " D runqueues\n", percpu + 0x36040);
	cul_str_addf(s, "%016" PRIx64 " D __per_cpu_end\n", percpu + 0x39000);
	cul_str_addf(s, "%016" PRIx64 " A absolute\n", (uint64_t)0x1234);
	cul_str_addf(s, "%016" PRIx64 " D pid_max\n", base + 0x900000);
	cul_str_addf(s, "%016" PRIx64 " d state\n", base + 0x900004);
	cul_str_addf(s, "%016" PRIx64 " d state\n", base + 0x900040);
	cul_str_addf(s, "%016" PRIx64 " B _end\n", base + 0x900080);
}

static struct cul_kallsyms *running(const char *more)
{
	struct cul_str s = {0};
	struct cul_kallsyms *k = NULL;
	struct cul_error err = {0};

	functions(&s, linked + shift, FUNCTIONS);
	cul_str_add(&s, more);
	if (cul_kallsyms_open(put("kallsyms", s.s), "/dev/null", &k, &err))
		fail_msg("%s", err.text);
	cul_str_free(&s);
	return k;
}

static const char *put_map(const char *name, uint64_t percpu, int moved)
{
	struct cul_str s = {0};
	const char *path;

	functions(&s, linked, moved);
	data(&s, linked, percpu);
	path = put(name, s.s);
	cul_str_free(&s);
	return path;
}

static struct cul_system_map *open_map(const char *path, struct cul_kallsyms *k)
{
	struct cul_system_map *m = NULL;
	struct cul_error err = {0};

	if (cul_system_map_open(path, k, &m, &err))
		fail_msg("%s", err.text);
	return m;
}

static struct cul_ksym find(struct cul_system_map *m, const char *name)
{
	struct cul_ksym s = {0};
	struct cul_error err = {0};

	if (cul_system_map_find(m, name, &s, NULL, &err))
		fail_msg("%s", err.text);
	assert_string_equal(s.name, name);
	assert_string_equal(s.module, "vmlinux");
	return s;
}

static void data_is_where_the_kernel_is(void **state)
{
	struct cul_kallsyms *k = running("ffffffffc0000000 t init\t[victim]\n");
	struct cul_system_map *m = open_map(put_map("System.map", 0, FUNCTIONS), k);
	struct cul_ksym s = find(m, "pid_max");
	size_t n;

	assert_int_equal(s.addr, linked + shift + 0x900000);
	assert_int_equal(s.size, 4);
	assert_false(s.percpu);
	assert_int_equal(find(m, "absolute").addr, 0x1234);
	assert_int_equal(find(m, "func_7").addr, linked + shift + 0x100 + 7 * 64);
	assert_int_equal(cul_system_map_find(m, "state", &s, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(cul_system_map_find_nth(m, "state", 1, &s), 0);
	assert_int_equal(s.addr, linked + shift + 0x900040);
	assert_int_equal(cul_system_map_find_nth(m, "state", 2, &s), -ENOENT);
	assert_int_equal(cul_system_map_at(m, linked + shift + 0x900045, &s), 0);
	assert_string_equal(s.name, "state");
	assert_int_equal(s.addr, linked + shift + 0x900040);
	assert_int_equal(cul_system_map_at(m, linked + 0x900045, &s), -ENOENT);
	cul_system_map_free(m);
	cul_kallsyms_free(k);
}

static void percpu_offsets_are_not_shifted(void **state)
{
	struct cul_kallsyms *k = running("");
	struct cul_system_map *m = open_map(put_map("System.map", 0, FUNCTIONS), k);
	struct cul_ksym s = find(m, "runqueues");

	assert_true(s.percpu);
	assert_int_equal(s.addr, 0x36040);
	cul_system_map_free(m);
	m = open_map(put_map("System.map", linked + 0xa00000, FUNCTIONS), k);
	s = find(m, "runqueues");
	assert_true(s.percpu);
	assert_int_equal(s.addr, linked + shift + 0xa36040);
	cul_system_map_free(m);
	cul_kallsyms_free(k);
}

static void refused(struct cul_kallsyms *k, const char *path, int code, const char *text)
{
	struct cul_system_map *m = NULL;
	struct cul_error err = {0};

	assert_int_equal(cul_system_map_open(path, k, &m, &err), code);
	assert_null(m);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, text) || !strstr(err.text, path))
		fail_msg("%s", err.text);
}

static void other_builds_are_refused(void **state)
{
	struct cul_kallsyms *k = running("");

	refused(k, put_map("System.map", 0, 5), -ESTALE, "of 202 symbols compared 7 are where");
	refused(k, put_map("System.map", 0, FUNCTIONS - 5), -ESTALE, "of another build");
	refused(k, put("System.map", "ffffffff81000000 T _text\n"), -ESTALE, "of another build");
	refused(k,
		put("System.map", "ffffffffffffffff B The real System.map is in the "
				  "linux-image-<version>-dbg package\n"),
		-EBADMSG, "-dbg package");
	refused(k, put("System.map", ""), -EBADMSG, "lists no symbols");
	refused(k, "/nonexistent/System.map", -ENOENT, "cannot open");
	refused(k, dir, -EISDIR, "Is a directory");
	/* The test itself is an ELF file, and no kernel. */
	refused(k, "/proc/self/exe", -EBADMSG, "no map of a kernel");
	cul_kallsyms_free(k);
}

static void places_are_searched(void **state)
{
	struct cul_kallsyms *k = running("");
	const char *const in_dir[] = {"/nonexistent", "/proc/self/exe", dir, NULL};
	struct cul_system_map *m = NULL;
	struct cul_error err = {0};

	assert_int_equal(cul_system_map_locate(in_dir, "9.9-none", k, &m, &err), -ENOENT);
	assert_string_equal(err.text,
		"there is no System.map-9.9-none in /boot or /usr/lib/debug/boot, no System.map in "
		"/lib/modules/9.9-none or its build/, and no vmlinux; install "
		"linux-image-9.9-none-dbg (Debian), or give one with --debug FILE");
	put_map("vmlinux-9.9-none", 0, 9);
	assert_int_equal(cul_system_map_locate(in_dir, "9.9-none", k, &m, &err), -ENOENT);
	assert_non_null(strstr(err.text, "vmlinux-9.9-none: is of another build"));
	assert_non_null(strstr(err.text, "; install linux-image-9.9-none-dbg"));
	assert_null(m);
	put_map("System.map", 0, FUNCTIONS);
	assert_int_equal(cul_system_map_locate(in_dir, "9.9-none", k, &m, &err), 0);
	assert_non_null(strstr(cul_system_map_path(m), "/System.map"));
	assert_int_equal(find(m, "pid_max").addr, linked + shift + 0x900000);
	cul_system_map_free(m);
	cul_kallsyms_free(k);
}

/* The symbol table of an ELF file: assembled, linked where a kernel is, and found at a shift. */
static void a_vmlinux_does_as_well(void **state)
{
	struct cul_str s = {0}, command = {0};
	struct cul_kallsyms *k = running("");
	struct cul_system_map *m;
	struct cul_ksym sym;
	char path[128];

	cul_str_add(&s, ".text\n.globl _text\n_text:\n.skip 0x100\n");
	for (int i = 0; i < FUNCTIONS; i++)
		cul_str_addf(&s, ".type func_%d,@function\nfunc_%d: .skip 64\n", i, i);
	cul_str_add(&s, ".data\n.globl __start_rodata\n__start_rodata: .skip 0x100000\n"
			".globl pid_max\n.type pid_max,@object\n.size pid_max,4\n"
			"pid_max: .long 1\nnext: .long 2\n");
	put("kernel.s", s.s);
	cul_str_addf(&command,
		"cd %s && as -o kernel.o kernel.s && ld -e _text -Ttext=0xffffffff81000000 "
		"-Tdata=0xffffffff81800000 -o vmlinux kernel.o",
		dir);
	assert_int_equal(system(command.s), 0);
	snprintf(path, sizeof(path), "%s/vmlinux", dir);
	m = open_map(path, k);
	sym = find(m, "pid_max");
	assert_int_equal(sym.addr, linked + shift + 0x900000);
	assert_int_equal(sym.size, 4);
	assert_int_equal(sym.kind, 'D');
	assert_int_equal(find(m, "func_3").kind, 't');
	cul_system_map_free(m);
	cul_kallsyms_free(k);
	cul_str_free(&command);
	cul_str_free(&s);
}

static void failing_calls_are_passed_on(void **state)
{
	struct cul_kallsyms *k = running("");
	char path[256];
	struct cul_system_map *m = NULL;
	int ret;

	strcpy(path, put_map("System.map", 0, FUNCTIONS));
	assert_true(cul_kallsyms_has(k, "func_1", linked + shift + 0x140)); /* sorted */
	for (int n = 0;; n++) {
		assert_true(n < 100);
		cul_alloc_fail_after(n);
		ret = cul_system_map_open(path, k, &m, NULL);
		cul_alloc_fail_after(-1);
		if (!ret)
			break;
		/* Without memory to sort the map nothing in it agrees. */
		assert_true(ret == -ENOMEM || ret == -ESTALE);
		assert_null(m);
	}
	cul_system_map_free(m);
	cul_sys_fail(CUL_SYS_READ, 0, EIO);
	assert_int_equal(cul_system_map_open(path, k, &m, NULL), -EIO);
	cul_kallsyms_free(k);
}

/* The list of the running kernel itself, moved: each symbol is found where it is. */
static void the_running_kernel_agrees_with_itself(void **state)
{
	struct cul_kallsyms *k = NULL;
	struct cul_system_map *m;
	struct cul_str s = {0};
	struct cul_ksym sym;
	size_t cursor = 0, n = 0;

	if (cul_kallsyms_open(NULL, NULL, &k, NULL))
		skip();
	while (cul_kallsyms_next(k, &cursor, &sym)) {
		bool stays = sym.percpu && sym.addr < 0x10000000;

		if (strcmp(sym.module, "vmlinux") != 0)
			continue;
		stays |= sym.kind == 'A' || sym.kind == 'a';
		cul_str_addf(&s, "%016" PRIx64 " %c %s\n", sym.addr - (stays ? 0 : 0x200000),
			sym.kind, sym.name);
	}
	m = open_map(put("System.map", s.s), k);
	cul_str_free(&s);
	cursor = 0;
	while (cul_kallsyms_next(k, &cursor, &sym)) {
		struct cul_ksym found;

		if (strcmp(sym.module, "vmlinux") != 0 || n++ % 9973)
			continue;
		assert_int_equal(cul_system_map_find(m, sym.name, &found, NULL, NULL), 0);
		for (size_t i = 0; found.addr != sym.addr; i++)
			assert_int_equal(cul_system_map_find_nth(m, sym.name, i, &found), 0);
		assert_int_equal(found.percpu, sym.percpu);
	}
	cul_system_map_free(m);
	cul_kallsyms_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(data_is_where_the_kernel_is, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			percpu_offsets_are_not_shifted, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(other_builds_are_refused, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(places_are_searched, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_vmlinux_does_as_well, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(failing_calls_are_passed_on, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			the_running_kernel_agrees_with_itself, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
