/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report/shorten.h"

static void check(const char *name, size_t max, const char *want)
{
	cul_autostr struct cul_str out = {0};

	cul_str_add(&out, "at ");
	cul_shorten_name(&out, name, max);
	assert_string_equal(cul_str_text(&out) + 3, want);
}

static void test_names(void **state)
{
	const char *push = "std::vector<int, std::allocator<int> >::push_back(int const&)";

	check("main", 4, "main");
	check(push, 61, push);
	check(push, 60, "std::vector<int, std::allocator<int> >::push_back(...)");
	check(push, 40, "std::vector<...>::push_back(...)");
	check(push, 20, "...>::push_back(...)");
	check("f()", 4, "f()");
	check("a_long_name()", 12, "...ng_name()");
	check("ns::f(int, void (*)(int)) const [clone .cold]", 40,
		"ns::f(...) const [clone .cold]");
	check("(anonymous namespace)::f(int, int, int)", 38, "(anonymous namespace)::f(...)");
	check("a<b>::operator()(int, char)", 24, "a<b>::operator()(...)");
	check("a<b, c>::operator<<(int, char)", 26, "a<b, c>::operator<<(...)");
}

static void test_operators(void **state)
{
	check("void ns::operator<< <int>(ns::stream<int>&, int)", 29,
		"... ns::operator<< <...>(...)");
	check("ns::pointer<int, char, long>::operator->() const", 40,
		"ns::pointer<...>::operator->() const");
	check("ns::three<int, char, long>::operator<=>(int) const", 42,
		"ns::three<...>::operator<=>(...) const");
	check("<alloc::vec::Vec<fn(u8) -> u8> as core::ops::Drop>::drop", 30, "<...>::drop");
}

/* Whatever it is, it ends, and is not longer than it was. */
static void test_unbalanced(void **state)
{
	char name[4096];

	check("a<<<<<<<<<<<<", 8, "a<...>");
	check("a((((((((((((", 8, "a(...)");
	check("a>>>>>>>>)))))", 8, "...)))))");
	check("a\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 8, "...\xc3\xa4\xc3\xa4");
	memset(name, '<', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	check(name, 72, "<...>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_unbalanced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
