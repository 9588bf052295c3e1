/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which symbol an address belongs to: MiniDebugInfo, labels, aliases, stubs. */
#include "fixture.h"

#include <sys/resource.h>

#include "sym/objfile.h"

static struct cul_objfile *open_file(const char *path)
{
	struct cul_objfile *o = NULL;
	struct cul_error err = {0};

	if (cul_objfile_open(path, path, NULL, &o, &err) != 0)
		fail_msg("%s", err.text);
	return o;
}

/* All functions that nm finds in `witness_path` are found in `path`; returns how many. */
static unsigned check_functions(const char *path, const char *witness_path)
{
	struct cul_objfile *o = open_file(path);
	char command[600], line[512], name[400];
	unsigned long long addr, size;
	unsigned n = 0;
	FILE *nm;

	snprintf(command, sizeof(command), "nm -S --defined-only %s | grep ' [Tt] '", witness_path);
	nm = popen(command, "r");
	assert_non_null(nm);
	while (fgets(line, sizeof(line), nm)) {
		struct cul_elf_symbol sym;

		if (sscanf(line, "%llx %llx %*c %399s", &addr, &size, name) != 3)
			continue;
		if (cul_objfile_symbol_at(o, addr + size / 2, &sym) != 0)
			fail_msg("%s: nothing at %s", path, name);
		assert_string_equal(sym.name, name);
		assert_int_equal(sym.addr, addr);
		assert_int_equal(sym.size, size);
		n++;
	}
	pclose(nm);
	cul_objfile_free(o);
	return n;
}

/* What cannot be unpacked adds nothing, and takes nothing away. */
static void check_refused(const char *name)
{
	struct cul_objfile *with = open_file(fixture_path(name));
	struct cul_objfile *without = open_file(fixture_path("mini/stripped"));
	struct cul_elf_symbol a, b;
	size_t i = 0, j = 0;

	while (cul_objfile_next_symbol(without, &i, &a)) {
		assert_true(cul_objfile_next_symbol(with, &j, &b));
		assert_string_equal(a.name, b.name);
	}
	assert_false(cul_objfile_next_symbol(with, &j, &b));
	assert_int_equal(cul_objfile_symbol(with, "main", &a, NULL), -ENOENT);
	cul_objfile_free(with);
	cul_objfile_free(without);
}

static void test_minidebug(void **state)
{
	assert_true(check_functions(fixture_path("mini/with"), fixture_path("mini/whole")) > 5);
	/* Without it there are few: the test is one. */
	check_refused("mini/stripped");
}

static void test_minidebug_refused(void **state)
{
	struct rusage before, after;

	check_refused("mini/with-cut");
	getrusage(RUSAGE_SELF, &before);
	check_refused("mini/with-bomb");
	getrusage(RUSAGE_SELF, &after);
	/* KiB: it would be 300 MB. */
	assert_true(after.ru_maxrss - before.ru_maxrss < 160 << 10);
}

static void check_at(struct cul_objfile *o, uint64_t addr, const char *name, uint64_t offset)
{
	struct cul_elf_symbol sym;
	int ret = cul_objfile_symbol_at(o, addr, &sym);

	if (!name && ret == 0)
		fail_msg("%#llx: is nobody's, but called %s", (unsigned long long)addr, sym.name);
	if (!name)
		return;
	if (ret != 0)
		fail_msg("%#llx: is in %s, but called nothing", (unsigned long long)addr, name);
	assert_string_equal(sym.name, name);
	assert_int_equal(addr - sym.addr, offset);
}

static void test_labels(void **state)
{
	const char *path = fixture_path("labels");
	struct cul_objfile *o = open_file(path);
	uint64_t sized = nm_address(path, "sized"), label = nm_address(path, "label");
	uint64_t call = nm_address(path, "call"), outer = nm_address(path, "outer");

	assert_true(sized && label && call && outer);
	check_at(o, sized - 1, NULL, 0);
	check_at(o, sized, "sized", 0);
	check_at(o, sized + 31, "sized", 31);
	check_at(o, sized + 32, NULL, 0);
	check_at(o, label - 1, NULL, 0);
	check_at(o, label, "label", 0);
	check_at(o, label + 15, "label", 15);
	check_at(o, label + 16, "typed", 0);
	check_at(o, label + 31, "typed", 15);
	check_at(o, call, "call", 0);
	check_at(o, call + 15, "call", 15);
	check_at(o, outer + 15, "outer", 15);
	check_at(o, outer + 16, "inner", 0);
	check_at(o, outer + 32, "outer", 32);
	check_at(o, outer + 48, NULL, 0);
	cul_objfile_free(o);
}

/* Each stub that objdump names. */
static unsigned check_stubs(const char *objdump, const char *path)
{
	struct cul_objfile *o = open_file(path);
	char command[600], line[512], name[400];
	unsigned long long addr;
	unsigned n = 0;
	FILE *dump;

	snprintf(command, sizeof(command), "%s -d %s | grep '@plt>:'", objdump, path);
	dump = popen(command, "r");
	assert_non_null(dump);
	while (fgets(line, sizeof(line), dump)) {
		assert_int_equal(sscanf(line, "%llx <%399[^>]", &addr, name), 2);
		/* By resolver: objdump has no name, and a stripped file neither. */
		if (strncmp(name, "*ABS*", 5) == 0 && strstr(path, "stripped"))
			continue;
		if (strncmp(name, "*ABS*", 5) == 0)
			snprintf(name, sizeof(name), "chosen@plt");
		check_at(o, addr, name, 0);
		check_at(o, addr + 7, name, 7);
		n++;
	}
	pclose(dump);
	/* They are for addresses only: no call is called so. */
	assert_int_equal(
		cul_objfile_symbol(o, "puts@plt", &(struct cul_elf_symbol){0}, NULL), -ENOENT);
	cul_objfile_free(o);
	return n;
}

static void test_stubs(void **state)
{
	char names[1024];
	char *save = NULL;

	snprintf(names, sizeof(names), "%s", witness("cat %s", fixture_path("stubs")));
	for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		print_message("  %s\n", name);
		assert_true(check_stubs("objdump", fixture_path(name)) >= 6);
	}
}

static void test_arm_stubs(void **state)
{
	char near[64], far[64];

	if (sscanf(witness("cat %s", fixture_path("stubs-arm")), "%63s %63s", near, far) != 2) {
		print_message("no compiler for arm\n");
		skip();
	}
	assert_true(check_stubs("arm-linux-gnueabihf-objdump", fixture_path(near)) >= 6);
	assert_true(check_stubs("arm-linux-gnueabihf-objdump", fixture_path(far)) >= 6);
}

/* A stub of MIPS hands the number of its symbol to the dynamic linker, in t8 by its last word. */
static void check_mips_stubs(const char *name, const char *machine)
{
	struct cul_objfile *o = open_file(fixture_path(name));
	char command[700];
	unsigned long long addr;
	unsigned number, n = 0;
	FILE *dump;

	snprintf(command, sizeof(command),
		"%s-objdump -d -j .MIPS.stubs %s | tr , ' ' | "
		"awk '$3 ~ /^(li|d?addiu)$/ && $4 == \"t8\" && $NF > 0 { print $1, $NF }'",
		machine, fixture_path(name));
	dump = popen(command, "r");
	assert_non_null(dump);
	while (fscanf(dump, "%llx: %u", &addr, &number) == 2) {
		char symbol[128];

		snprintf(symbol, sizeof(symbol), "%s@plt",
			strtok((char *)witness("%s-readelf --dyn-syms -W %s | "
					       "awk '$1 == \"%u:\" { print $8 }'",
				       machine, fixture_path(name), number),
				"@\n"));
		check_at(o, addr - 12, symbol, 0);
		check_at(o, addr, symbol, 12);
		n++;
	}
	pclose(dump);
	assert_true(n >= 6);
	cul_objfile_free(o);
}

static void test_mips_stubs(void **state)
{
	char names[512], *save = NULL;

	snprintf(names, sizeof(names), "%s", witness("cat %s", fixture_path("stubs-mips")));
	if (!names[0]) {
		print_message("no compiler for mips\n");
		skip();
	}
	for (char *name = strtok_r(names, " \n", &save); name;
		name = strtok_r(NULL, " \n", &save)) {
		char *machine = strtok_r(NULL, " \n", &save);

		assert_non_null(machine);
		print_message("  %s\n", name);
		check_mips_stubs(name, machine);
	}
}

/* In a static program every stub is filled by a resolver. */
static void test_static_stubs(void **state)
{
	const char *path = fixture_path("stubs-static");
	struct cul_objfile *o = open_file(path);
	struct cul_elf_symbol sym;
	unsigned long long start, size;
	unsigned n = 0;

	assert_int_equal(sscanf(witness("readelf -SW %s | sed 's/\\[ *[0-9]*\\]//' | "
					"awk '$1 == \".plt\" { print $3, $5 }'",
					path),
				 "%llx %llx", &start, &size),
		2);
	for (uint64_t addr = start; addr < start + size; addr += 8)
		n += cul_objfile_symbol_at(o, addr, &sym) == 0 && strstr(sym.name, "@plt");
	assert_int_equal(n, size / 8);
	cul_objfile_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minidebug),
		cmocka_unit_test(test_minidebug_refused),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_stubs),
		cmocka_unit_test(test_static_stubs),
		cmocka_unit_test(test_arm_stubs),
		cmocka_unit_test(test_mips_stubs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
