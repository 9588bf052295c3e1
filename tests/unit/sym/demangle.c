/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Demangled names: as c++filt has them, and in bounded time whatever the name. */
#include "fixture.h"

#include "base/str.h"
#include "sym/demangle.h"

static void check(const char *name, const char *want)
{
	cul_autostr struct cul_str text = {0}, all = {0};

	cul_str_addf(&all, "before %s", want ? want : "");
	cul_str_add(&text, "before ");
	if (cul_demangle(name, &text) != (want != NULL))
		fail_msg("%s: should be %s, is %s", name, want, cul_str_text(&text));
	assert_string_equal(cul_str_text(&text), cul_str_text(&all));
}

static void test_forms(void **state)
{
	check("_ZNSt6vectorIiSaIiEE9push_backERKi",
		"std::vector<int, std::allocator<int> >::push_back(int const&)");
	check("_Z1fi@plt", "f(int)@plt");
	check("_Z1fi.isra.0", "f(int) [clone .isra.0]");
	/* Rust: legacy and v0; the examples of its RFC 2603 */
	check("_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE",
		"core::fmt::Formatter::write_str");
	check("_RNvCs1234_7mycrate3foo", "mycrate::foo");
	check("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar");
	check("main", NULL);
	check("_start", NULL);
	check("_Z", NULL);
	check("_Zfoo", NULL);
	check("_Ready", NULL);
	check("_RNvB_B_", NULL);
	check("", NULL);
}

/* Each name of the C++ library, in one run of c++filt. */
static void test_library(void **state)
{
	const char *path = witness("ldconfig -p | sed -n 's/.*libstdc++.so.6 .*x86-64.*=> //p'");
	char names[] = "/tmp/culprit-test-XXXXXX", command[1024], line[20000];
	unsigned n = 0;
	FILE *p;

	if (!*path) {
		print_message("no libstdc++\n");
		skip();
	}
	close(mkstemp(names));
	snprintf(command, sizeof(command),
		"nm -D --format=posix %s | sed -n 's/^\\(_Z[^ @]*\\).*/\\1/p' >%s; "
		"c++filt -i <%s | paste -d ' ' %s -",
		path, names, names, names);
	p = popen(command, "r");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		char *want = strchr(line, ' ');

		assert_non_null(want);
		*want++ = '\0';
		want[strcspn(want, "\n")] = '\0';
		check(line, strcmp(line, want) == 0 ? NULL : want);
		n++;
	}
	pclose(p);
	unlink(names);
	assert_true(n > 1000);
}

static void add_reference(struct cul_str *s, unsigned i)
{
	const char *digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (i == 0)
		cul_str_add(s, "S_");
	else if (i <= 36)
		cul_str_addf(s, "S%c_", digits[i - 1]);
	else
		cul_str_addf(s, "S%c%c_", digits[(i - 1) / 36], digits[(i - 1) % 36]);
}

/*
 * A type that is twice the one before it, `levels` times: "a member of A that is of type A" and so
 * on. Within a pack expansion nothing is written while the demangler goes through it.
 */
static void check_doubling(const char *start, unsigned first, unsigned levels)
{
	cul_autostr struct cul_str name = {0}, text = {0};

	cul_str_add(&name, start);
	for (unsigned i = 0; i < levels; i++)
		cul_str_add(&name, "M");
	cul_str_add(&name, "1A");
	for (unsigned i = 0; i < levels; i++)
		add_reference(&name, first + i);
	assert_int_equal(cul_demangle(cul_str_text(&name), &text), levels < 12);
	assert_true(text.len < 16 << 10);
}

/* Each of them would take longer than the test may. */
static void test_hostile(void **state)
{
	char name[5000];

	for (unsigned levels = 4; levels < 300; levels *= 2) {
		check_doubling("_Z1f", 0, levels);
		check_doubling("_Z1fDp", 0, levels);
		check_doubling("_Z1fIJiEEvDp", 1, levels);
	}
	memset(name, 'P', sizeof(name) - 1);
	memcpy(name, "_Z1f", 4);
	name[sizeof(name) - 2] = 'i';
	name[sizeof(name) - 1] = '\0';
	check(name, NULL);
	name[1023] = 'i';
	name[1024] = '\0';
	check(name, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
