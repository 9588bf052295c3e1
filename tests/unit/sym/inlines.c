/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inlined calls, against binutils' and LLVM's word on thousands of addresses of real programs. */
#include "fixture.h"

#include <limits.h>

#include "base/alloc.h"
#include "sym/objfile.h"

enum { MAX_ADDRS = 2000, MAX_LEVELS = 40, TEXT = 4096 };

struct level {
	char function[TEXT], file[TEXT];
	int line;
};

static struct cul_objfile *open_file(const char *path)
{
	struct cul_objfile *o = NULL;
	struct cul_error err = {0};

	if (cul_objfile_open(path, path, NULL, &o, &err) != 0)
		fail_msg("%s", err.text);
	return o;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Addresses within functions of known size, spread over the whole file. */
static size_t pick(struct cul_objfile *o, uint64_t *addrs)
{
	struct cul_elf_symbol sym;
	uint64_t total = 0, seen = 0, step;
	size_t cursor = 0, n = 0;

	while (cul_objfile_next_symbol(o, &cursor, &sym))
		total += sym.is_function ? sym.size : 0;
	step = total / MAX_ADDRS + 1;
	for (cursor = 0; n < MAX_ADDRS && cul_objfile_next_symbol(o, &cursor, &sym);) {
		if (!sym.is_function)
			continue;
		for (; seen < sym.size && n < MAX_ADDRS; seen += step)
			addrs[n++] = sym.addr + seen;
		seen -= sym.size;
	}
	return n;
}

/* "FUNCTION\nFILE:LINE[ (discriminator N)]\n"; false: the next address comes. */
static bool read_level(FILE *f, struct level *out)
{
	char line[8192];
	long before = ftell(f);
	char *colon;

	if (!fgets(line, sizeof(line), f))
		return false;
	if (strncmp(line, "0x", 2) == 0) {
		fseek(f, before, SEEK_SET);
		return false;
	}
	line[strcspn(line, "\n")] = '\0';
	snprintf(out->function, sizeof(out->function), "%.*s", TEXT - 1, line);
	assert_non_null(fgets(line, sizeof(line), f));
	line[strcspn(line, "\n ")] = '\0';
	colon = strrchr(line, ':');
	assert_non_null(colon);
	*colon = '\0';
	snprintf(out->file, sizeof(out->file), "%.*s", TEXT - 1, base_of(line));
	out->line = atoi(colon + 1);
	return true;
}

static bool same(const struct cul_call *calls, size_t n, const struct level *levels,
	size_t n_levels, bool names)
{
	if (n != n_levels)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (calls[i].line != levels[i].line ||
			(calls[i].line && strcmp(base_of(calls[i].file), levels[i].file) != 0))
			return false;
		/* The last one's is its symbol's, for them. */
		if (names && i + 1 < n && strcmp(calls[i].function, levels[i].function) != 0)
			return false;
	}
	return true;
}

static void show(uint64_t addr, const struct cul_call *calls, size_t n, const struct level *levels,
	size_t n_levels)
{
	print_message("    0x%llx\n", (unsigned long long)addr);
	for (size_t i = 0; i < n; i++)
		print_message(
			"      here %s %s:%d\n", calls[i].function, calls[i].file, calls[i].line);
	for (size_t i = 0; i < n_levels; i++)
		print_message("      them %s %s:%d\n", levels[i].function, levels[i].file,
			levels[i].line);
}

/* How many addresses differ, and in `asked` how many there were with inlined calls. */
static size_t compare(struct cul_objfile *o, FILE *f, bool names, size_t *asked)
{
	static struct level levels[MAX_LEVELS];
	struct cul_call calls[CUL_MAX_CALLS];
	size_t differ = 0;
	char line[64];

	*asked = 0;
	while (fgets(line, sizeof(line), f)) {
		uint64_t addr = strtoull(line, NULL, 16);
		size_t n = 0, n_levels = 0;

		while (n_levels < MAX_LEVELS && read_level(f, &levels[n_levels]))
			n_levels++;
		*asked += n_levels > 1;
		if (cul_objfile_calls(o, addr, calls, &n) != 0) {
			/* Assembly. */
			assert_true(n_levels == 1);
			continue;
		}
		if (same(calls, n, levels, n_levels, names))
			continue;
		if (differ++ < 5)
			show(addr, calls, n, levels, n_levels);
	}
	return differ;
}

/* `per_mille` of the addresses may differ. */
static void check_file(const char *path, const char *debug, const char *tool, bool names,
	size_t min_inlined, unsigned per_mille)
{
	char addrs_path[] = "/tmp/culprit-test-XXXXXX", answers_path[64], command[PATH_MAX * 2];
	struct cul_objfile *o = open_file(path);
	static uint64_t addrs[MAX_ADDRS];
	size_t n = pick(o, addrs), differ, asked;
	int fd = mkstemp(addrs_path);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "0x%llx\n", (unsigned long long)addrs[i]);
	fclose(f);
	snprintf(answers_path, sizeof(answers_path), "%s.out", addrs_path);
	snprintf(command, sizeof(command), "%s -a -i -f -C -e %s < %s > %s", tool, debug,
		addrs_path, answers_path);
	assert_int_equal(system(command), 0);
	f = fopen(answers_path, "r");
	assert_non_null(f);
	differ = compare(o, f, names, &asked);
	print_message("  %s, %s: %zu of %zu addresses differ, %zu are in inlined calls\n",
		base_of(path), tool, differ, n, asked);
	fclose(f);
	unlink(addrs_path);
	unlink(answers_path);
	cul_objfile_free(o);
	assert_true(asked >= min_inlined);
	assert_true(differ * 1000 <= n * per_mille);
}

static const char *self(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(n > 0);
	path[n] = '\0';
	return path;
}

static bool have(const char *tool)
{
	return *witness("command -v %s", tool) != '\0';
}

static void test_self(void **state)
{
	check_file(self(), self(), "addr2line", true, 0, 5);
	if (have("llvm-addr2line-14"))
		check_file(self(), self(), "llvm-addr2line-14", true, 0, 5);
}

static void test_programs(void **state)
{
	check_file(
		fixture_path("inlined-gcc"), fixture_path("inlined-gcc"), "addr2line", true, 5, 0);
	check_file(fixture_path("inlined-gcc4"), fixture_path("inlined-gcc4"), "addr2line", true, 5,
		0);
	if (have("llvm-addr2line-14"))
		check_file(fixture_path("inlined-clang"), fixture_path("inlined-clang"),
			"llvm-addr2line-14", true, 5, 0);
}

/*
 * The C library has a good deal of it: its debug package is among what the tests want. Not
 * binutils: 2.40 has another file for some (s_ldexp.c, whose lines 20 to 30 are in
 * s_ldexp_template.c).
 */
static void test_libc(void **state)
{
	const char *libc = witness("ldd /bin/sh | sed -n 's/.*=> \\(.*libc.so.6\\) .*/\\1/p'");
	char path[PATH_MAX], debug[PATH_MAX];
	struct cul_objfile *o;

	snprintf(path, sizeof(path), "%s", libc);
	o = open_file(path);
	if (!cul_objfile_has_dwarf(o) || !have("llvm-addr2line-14")) {
		cul_objfile_free(o);
		print_message("no debug package of libc, or no llvm-addr2line-14\n");
		skip();
	}
	snprintf(debug, sizeof(debug), "%s", cul_objfile_debug_path(o));
	cul_objfile_free(o);
	check_file(path, debug, "llvm-addr2line-14", true, 200, 5);
}

/* An address of `program` that is in an inlined call of the second level. */
static uint64_t find_deep(const char *program)
{
	struct cul_objfile *o = open_file(fixture_path(program));
	struct cul_where where[8];
	struct cul_elf_symbol sym;
	uint64_t addr;

	assert_int_equal(cul_objfile_symbol(o, "_ZN4deep5outerEi", &sym, NULL), 0);
	for (addr = sym.addr; cul_objfile_frames(o, addr, where, 8) != 3; addr++)
		assert_true(addr < sym.addr + sym.size);
	cul_objfile_free(o);
	return addr;
}

/* What the fixture says of itself: each line that takes part bears its function's name. */
static void check_planted(const char *program)
{
	static const struct {
		const char *function, *mark;
	} want[] = {{"deep::box<int>::give(int const&) const", "// give"},
		{"deep::through(deep::box<int> const&)", "// through"},
		{"deep::outer(int)", "// outer"}};
	struct cul_objfile *o = open_file(fixture_path(program));
	struct cul_where where[8];
	struct cul_elf_symbol sym;

	assert_int_equal(cul_objfile_symbol(o, "_ZN4deep5outerEi", &sym, NULL), 0);
	assert_int_equal(cul_objfile_frames(o, find_deep(program), where, 8), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(where[i].function, want[i].function);
		assert_string_equal(base_of(where[i].file), "inlined.cc");
		assert_int_equal(where[i].line,
			atoi(witness("grep -n '%s' %s/inlined.cc", want[i].mark, FIXTURES)));
		assert_string_equal(where[i].module, program);
	}
	assert_int_equal(where[2].offset, where[2].addr - sym.addr);
	/* No room for all: the outer ones. */
	assert_int_equal(cul_objfile_frames(o, where[0].addr, where, 2), 2);
	assert_string_equal(where[0].function, want[1].function);
	assert_string_equal(where[1].function, want[2].function);
	cul_objfile_free(o);
}

static void test_planted(void **state)
{
	check_planted("inlined-gcc");
	check_planted("inlined-gcc4");
	if (access(fixture_path("inlined-clang"), F_OK) == 0)
		check_planted("inlined-clang");
}

/* Without DWARF there is the symbol, and beyond it nothing. */
static void test_stripped(void **state)
{
	struct cul_objfile *o = open_file(fixture_path("inlined-nodebug"));
	struct cul_call calls[CUL_MAX_CALLS];
	struct cul_where where[4];
	struct cul_elf_symbol sym;
	size_t n;

	assert_int_equal(cul_objfile_symbol(o, "_ZN4deep5outerEi", &sym, NULL), 0);
	assert_int_equal(cul_objfile_calls(o, sym.addr, calls, &n), -ENODATA);
	assert_int_equal(cul_objfile_frames(o, sym.addr + 1, where, 4), 1);
	assert_string_equal(where[0].function, "deep::outer(int)");
	assert_int_equal(where[0].offset, 1);
	assert_null(where[0].file);
	assert_int_equal(cul_objfile_frames(o, 1, where, 4), 0);
	assert_int_equal(cul_objfile_frames(o, sym.addr, where, 0), 0);
	cul_objfile_free(o);
}

static void test_out_of_memory(void **state)
{
	uint64_t addr = find_deep("inlined-gcc");
	bool done = false;

	for (long after = 0; !done; after++) {
		struct cul_where where[8];
		struct cul_objfile *o;

		assert_true(after < 20000);
		cul_alloc_fail_after(after);
		if (cul_objfile_open(fixture_path("inlined-gcc"), "x", NULL, &o, NULL) == 0) {
			size_t n = cul_objfile_frames(o, addr, where, 8);

			done = n == 3 && strcmp(where[2].function, "deep::outer(int)") == 0;
			cul_objfile_free(o);
		}
		cul_alloc_fail_after(-1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_planted),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
