/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sites in live processes, held against what these processes say of themselves. */
#include "fixture.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/alloc.h"
#include "sym/signature.h"
#include "sym/sites.h"

static struct fixture f;
static struct cul_process_syms *p;
static struct cul_sites s;
static struct cul_error err;

static void start(const char *path)
{
	fixture_start(&f, path);
	if (cul_process_open(f.pid, NULL, &p, &err) != 0)
		fail_msg("%s", err.text);
}

static void stop(void)
{
	cul_sites_free(&s);
	cul_process_free(p);
	p = NULL;
	fixture_stop(&f);
}

static int reset(void **state)
{
	cul_alloc_fail_after(-1);
	if (p)
		stop();
	return 0;
}

static void add(const char *spec)
{
	if (cul_sites_process(p, spec, &s, &err) != 0)
		fail_msg("%s: %s", spec, err.text);
}

static const struct cul_site *only(const char *spec)
{
	cul_sites_free(&s);
	add(spec);
	if (s.sites.len != 1)
		fail_msg("%s: %zu sites", spec, s.sites.len);
	return &s.sites.data[0];
}

/* The i-th address that the program told of `name`, 0 past the last. */
static uint64_t told(const char *kind, const char *name, size_t i)
{
	char what[32], whom[64];
	unsigned long addr;

	for (size_t n = 0; n < f.n; n++)
		if (sscanf(f.facts[n], "%31s %63s %lx", what, whom, &addr) == 3 &&
			!strcmp(what, kind) && !strcmp(whom, name) && i-- == 0)
			return addr;
	return 0;
}

/* The file has at the offset what the process has at the address. */
static void check_bytes(const struct cul_site *site)
{
	uint8_t in_file[16], in_memory[16];
	char path[64];
	int fd = open(site->path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, in_file, 16, (off_t)site->file_offset), 16);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)f.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, in_memory, 16, (off_t)site->addr), 16);
	close(fd);
	assert_memory_equal(in_file, in_memory, 16);
}

static void prints(const struct cul_site *site, const char *wanted)
{
	cul_autostr struct cul_str text = {0};
	struct cul_signature sig;

	assert_non_null(site->type);
	assert_int_equal(cul_signature_of(site->type, &cul_arch_x86_64, &sig, NULL), 0);
	cul_signature_print(&text, site->name, &sig);
	assert_string_equal(cul_str_text(&text), wanted);
}

static void check_function(const char *name, const char *declaration)
{
	const struct cul_site *site = only(name);

	assert_int_equal(site->kind, CUL_SITE_FUNCTION);
	assert_int_equal(site->addr, told("function", name, 0));
	assert_string_equal(site->symbol, name);
	check_bytes(site);
	prints(site, declaration);
}

static void each_calls(void (*test)(void))
{
	char names[256], *save = NULL;

	snprintf(names, sizeof(names), "%s", witness("cat %s", fixture_path("calls")));
	for (char *n = strtok_r(names, " ", &save); n; n = strtok_r(NULL, " ", &save)) {
		print_message("  %s\n", n);
		start(fixture_path(n));
		test();
		stop();
	}
}

static void functions_of(void)
{
	check_function("first_caller", "int first_caller(int n)");
	check_function("take_both", "int take_both(struct both *p, struct both b, char *name)");
}

static void functions(void **state)
{
	each_calls(functions_of);
}

static void variadic_of(void)
{
	const struct cul_site *site = only("say");

	prints(site, "int say(char *format, ...)");
}

static void a_variadic_function(void **state)
{
	each_calls(variadic_of);
}

/* clang and gcc -O2 clone it, or not: its parameters are those of the source. */
static void clone_of(void)
{
	const struct cul_site *site = only("scaled");
	bool clone = strstr(site->symbol, "constprop") || strstr(site->symbol, "isra");

	assert_string_equal(site->name, "scaled");
	assert_int_equal(site->kind, clone ? CUL_SITE_CLONE : CUL_SITE_FUNCTION);
	prints(site, "int scaled(int n, int by)");
	check_bytes(site);
}

static void a_clone(void **state)
{
	each_calls(clone_of);
	start(fixture_path("calls-gccO2"));
	assert_int_equal(only("scaled")->kind, CUL_SITE_CLONE);
}

static void an_alias_is_the_same_place(void **state)
{
	start(fixture_path("calls-gccO2"));
	prints(only("other_name"), "int other_name(int n)");
	assert_int_equal(s.sites.data[0].addr, told("function", "first_caller", 0));
	add("first_caller");
	assert_int_equal(s.sites.len, 1);
}

static void what_an_ifunc_has_chosen(void **state)
{
	const struct cul_site *site;

	start(fixture_path("calls-gccO2"));
	site = only("chosen");
	assert_int_equal(site->addr, told("function", "chosen", 0));
	assert_string_equal(site->name, "chosen");
	assert_string_equal(site->symbol, "plain_choice");
	/* Without the debug symbols of the C library the one that was chosen has no name. */
	site = only("libc.so.6:strlen");
	assert_true(!strncmp(site->symbol, "__strlen_", 9) || !strcmp(site->symbol, "strlen"));
	check_bytes(site);
}

static void a_pattern_is_of_the_executable(void **state)
{
	start(fixture_path("calls-gccO2"));
	add("*_caller");
	assert_int_equal(s.sites.len, 2);
	assert_string_equal(s.sites.data[0].name, "first_caller");
	assert_string_equal(s.sites.data[1].name, "second_caller");
	cul_sites_free(&s);
	add("libc.so.6:getpw*");
	assert_true(s.sites.len >= 4);
	assert_string_equal(s.sites.data[0].module, "libc.so.6");
	for (size_t i = 0; i < s.sites.len; i++)
		check_bytes(&s.sites.data[i]);
}

/* The executable has none; libc has it, and the loader a copy of its own. */
static void a_library_s_function(void **state)
{
	struct cul_elf_symbol sym;
	bool found = false;

	start(fixture_path("calls-gccO2"));
	add("getpid");
	assert_int_equal(cul_process_function(p, "libc.so.6:getpid", &sym, NULL), 0);
	for (size_t i = 0; i < s.sites.len; i++)
		found = found || s.sites.data[i].addr == sym.addr;
	assert_true(found);
	assert_int_equal(only("libc.so.6:getpid")->addr, sym.addr);
	assert_string_equal(s.sites.data[0].module, "libc.so.6");
}

/* Copies are found where the program itself says that they are. */
static void inlined_of(void)
{
	const char *const callers[] = {"first_caller", "second_caller"};

	cul_sites_free(&s);
	add("inlined_twice");
	assert_int_equal(s.sites.len, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct cul_site *site = &s.sites.data[i];
		uint64_t mark = told("mark", "inlined_twice", i);

		assert_int_equal(site->kind, CUL_SITE_INLINED);
		assert_string_equal(site->name, "inlined_twice");
		if (strcmp(site->symbol, i ? "" : "other_name") != 0) /* an alias of the first */
			assert_string_equal(site->symbol, callers[i]);
		assert_in_range(mark, site->addr, site->addr + 16);
		assert_int_equal(site->addr - site->offset, told("function", callers[i], 0));
		check_bytes(site);
	}
}

static void inlined_copies(void **state)
{
	each_calls(inlined_of);
}

static void inside_a_function(void **state)
{
	uint64_t addr;
	char text[32];

	start(fixture_path("calls-gccO2"));
	addr = told("function", "first_caller", 0);
	snprintf(text, sizeof(text), "%#" PRIx64, addr + 4);
	assert_int_equal(only(text)->kind, CUL_SITE_INSIDE);
	assert_int_equal(s.sites.data[0].offset, 4);
	assert_int_equal(only("first_caller+4")->addr, addr + 4);
	check_bytes(&s.sites.data[0]);
	snprintf(text, sizeof(text), "%#" PRIx64, addr);
	assert_int_equal(only(text)->kind, CUL_SITE_FUNCTION);
}

static void without_debug_information(void **state)
{
	char text[32];

	start(fixture_path("calls-nodebug"));
	assert_null(only("first_caller")->type);
	stop();
	start(fixture_path("calls-stripped"));
	snprintf(text, sizeof(text), "%#" PRIx64, told("function", "first_caller", 0));
	check_bytes(only(text));
}

/* nm says where it is. */
static void is_overload(const char *spec, const char *symbol, const char *name)
{
	const struct cul_site *site = only(spec);

	assert_int_equal(site->addr, nm_address(fixture_path("overloads"), symbol));
	assert_string_equal(site->name, name);
	assert_string_equal(site->symbol, symbol);
	check_bytes(site);
}

static void names_of_the_source(void **state)
{
	static const char *const put[] = {"bank::Book<long>::put(long)", "bank::Book<long>::put",
		"bank::Book::put", "bank::B*"};
	static const char *const largest[] = {"bank::largest<long>(long, long)",
		"bank::largest<long>(long,long)", "bank::largest<long>", "bank::largest"};

	start(fixture_path("overloads"));
	is_overload("Acc::deposit(int)", "_ZN3Acc7depositEi", "Acc::deposit");
	is_overload("overloads:Acc::deposit(char const*)", "_ZN3Acc7depositEPKc", "Acc::deposit");
	is_overload("_ZN3Acc7depositEi", "_ZN3Acc7depositEi", "Acc::deposit");
	is_overload("Acc::total", "_ZNK3Acc5totalEv", "Acc::total");
	is_overload("Acc::total() const", "_ZNK3Acc5totalEv", "Acc::total");
	is_overload("Acc::operator+", "_ZNK3AccplERKS_", "Acc::operator+");
	is_overload("(anonymous namespace)::hidden", "_ZN12_GLOBAL__N_16hiddenEi",
		"(anonymous namespace)::hidden");
	for (size_t i = 0; i < 4; i++) {
		is_overload(put[i], "_ZN4bank4BookIlE3putEl", "bank::Book<long>::put");
		is_overload(largest[i], "_ZN4bank7largestIlEET_S1_S1_", "bank::largest<long>");
	}
	assert_int_equal(only("Acc::deposit(int)+4")->offset, 4);
	prints(only("Acc::total"), "int Acc::total(struct Acc *this)");
}

static void overloads(void **state)
{
	start(fixture_path("overloads"));
	add("Acc::deposit");
	assert_int_equal(s.sites.len, 2);
	assert_string_equal(s.sites.data[0].name, "Acc::deposit(char const*)");
	assert_string_equal(s.sites.data[1].name, "Acc::deposit(int)");
	cul_sites_free(&s);
	add("bank::*");
	assert_int_equal(s.sites.len, 2);
	assert_int_equal(cul_sites_process(p, "Acc::deposit+4", &s, &err), -ENOTUNIQ);
	assert_int_equal(cul_sites_process(p, "Acc::withdraw", &s, &err), -ENOENT);
	assert_int_equal(cul_sites_process(p, "Acc::deposit(long)", &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "nearest: Acc::deposit(int)"));
	assert_int_equal(cul_sites_process(p, "deposit", &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "Acc::deposit(int)"));
}

static void fails(const char *spec, int code, const char *fmt)
{
	char wanted[512];

	snprintf(wanted, sizeof(wanted), fmt, (int)f.pid);
	assert_int_equal(cul_sites_process(p, spec, &s, &err), code);
	assert_string_equal(err.text, wanted);
	assert_int_equal(s.sites.len, 0);
}

static void what_is_not_there(void **state)
{
	start(fixture_path("calls-gccO2"));
	fails("frist_caller", -ENOENT,
		"process %d: no function is named 'frist_caller'; nearest: first_caller");
	fails("no_such_*", -ENOENT, "process %d: no function matches 'no_such_*'");
	assert_int_equal(cul_sites_process(p, "first_caller+0x4000", &s, &err), -ERANGE);
	assert_int_equal(cul_sites_process(p, "libnone.so:x", &s, &err), -ENXIO);
	assert_int_equal(cul_sites_process(p, "0x10", &s, &err), -ENOENT);
	assert_int_equal(cul_sites_process(p, "seen", &s, &err), -ENOENT); /* data */
}

static void memory_runs_out(void **state)
{
	int r = -ENOMEM;

	start(fixture_path("calls-gccO2"));
	add("*_caller"); /* the files are open */
	cul_sites_free(&s);
	for (long n = 0; r != 0; n++) {
		assert_true(n < 1000);
		cul_alloc_fail_after(n);
		r = cul_sites_process(p, "*_caller", &s, &err);
		cul_alloc_fail_after(-1);
		assert_int_equal(s.sites.len, r ? 0 : 2);
	}
}

#define TEST(t) cmocka_unit_test_teardown(t, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(functions),
		TEST(a_variadic_function),
		TEST(a_clone),
		TEST(an_alias_is_the_same_place),
		TEST(what_an_ifunc_has_chosen),
		TEST(a_pattern_is_of_the_executable),
		TEST(a_library_s_function),
		TEST(inlined_copies),
		TEST(inside_a_function),
		TEST(without_debug_information),
		TEST(names_of_the_source),
		TEST(overloads),
		TEST(what_is_not_there),
		TEST(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
