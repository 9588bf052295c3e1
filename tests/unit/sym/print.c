/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of every kind. Bytes lie at the end of a block of their size, so that a sanitizer sees a
 * read beyond them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sym/print.h"

static const struct cul_type *word, *s8;

static struct cul_ctypes *basic;

static int setup(void **state)
{
	if (cul_ctypes_new(8, &basic))
		return -1;
	word = cul_ctypes_find(basic, "int");
	s8 = cul_ctypes_find(basic, "s8");
	return 0;
}

static int teardown(void **state)
{
	cul_ctypes_free(basic);
	return 0;
}

static bool name_of(void *data, uint64_t addr, struct cul_where *out)
{
	*out = (struct cul_where){.function = "init_task", .offset = addr & 0xff};
	return addr >> 32 == 0xffffffff;
}

static void shows_bits(const struct cul_type *type, const void *bytes, size_t size, uint32_t offset,
	uint32_t bits, const char *expected)
{
	const struct cul_print_names names = {.name = name_of};
	uint8_t *copy = malloc(size ? size : 1);
	const struct cul_print_value v = {.type = type,
		.bytes = size ? copy : copy + 1,
		.size = size,
		.bit_offset = offset,
		.bit_size = bits};
	struct cul_str s = {0};

	assert_non_null(copy);
	if (size)
		memcpy(copy, bytes, size);
	cul_print_value(&s, &v, &names);
	free(copy);
	if (strcmp(cul_str_text(&s), expected) != 0)
		fail_msg("\"%s\" instead of \"%s\"", cul_str_text(&s), expected);
	cul_str_free(&s);
}

static void shows(const struct cul_type *type, const void *bytes, size_t size, const char *expected)
{
	shows_bits(type, bytes, size, 0, 0, expected);
}

/* A number of a basic type by its name in C. */
static void number(const char *name, uint64_t value, const char *expected)
{
	const struct cul_type *t = cul_ctypes_find(basic, name);

	assert_non_null(t);
	shows(t, &value, t->size, expected);
}

static void numbers(void **state)
{
	number("int", 12, "12");
	number("int", UINT64_MAX, "-1");
	number("int", 1u << 31, "-2147483648");
	number("unsigned int", UINT64_MAX, "4294967295");
	number("s8", 0x80, "-128");
	number("u8", 0x80, "128");
	number("short", 0x8000, "-32768");
	number("u64", UINT64_MAX, "18446744073709551615");
	number("s64", UINT64_MAX, "-1");
	number("bool", 0, "false");
	number("bool", 1, "true");
	number("bool", 2, "true");
	number("char", 'a', "'a'");
	number("char", '\'', "'\\''");
	number("char", '\\', "'\\\\'");
	number("char", '\n', "'\\x0a'");
	number("char", 0xff, "'\\xff'");
}

static void bytes_without_a_type(void **state)
{
	static const struct cul_type none = {.kind = CUL_KIND_VOID};
	uint8_t bytes[80];

	memset(bytes, 0xab, sizeof(bytes));
	shows(NULL, bytes, 1, "171");
	shows(&none, bytes, 2, "43947");
	shows(NULL, bytes, 3, "ab ab ab");
	shows(NULL, bytes, 8, "12370169555311111083");
	shows(NULL, bytes, 0, "");
	bytes[64] = 0x11;
	shows(NULL, bytes, 64,
		"ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab "
		"ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab "
		"ab ab ab ab ab ab ab ab ab ab");
	shows(NULL, bytes, 65,
		"ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab "
		"ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab "
		"ab ab ab ab ab ab ab ab ab ab ...");
}

static void floats(void **state)
{
	static const struct cul_type f4 = {.kind = CUL_KIND_FLOAT, .size = 4};
	static const struct cul_type f8 = {.kind = CUL_KIND_FLOAT, .size = 8};
	static const struct cul_type f16 = {.kind = CUL_KIND_FLOAT, .size = sizeof(long double)};
	const float f = 1.5f;
	const double d = -0.1;
	long double ld = 2.25L;

	shows(&f4, &f, 4, "1.5");
	shows(&f8, &d, 8, "-0.10000000000000001");
	shows(&f16, &ld, sizeof(ld), "2.25");
	shows(&f8, &d, 3, "9a 99 99"); /* cut short */
	shows(&f8, &d, 0, "?");
}

static void enumerators(void **state)
{
	static struct cul_enumerator names[] = {{"IDLE", 0}, {"RUNNING", 1}, {"DEAD", -1}};
	static const struct cul_type t = {.kind = CUL_KIND_ENUM,
		.is_signed = true,
		.size = 4,
		.filled_members = true,
		.enumerators = names,
		.n_members = 3};
	const int32_t values[] = {1, -1, 7};

	shows(&t, &values[0], 4, "RUNNING");
	shows(&t, &values[1], 4, "DEAD");
	shows(&t, &values[2], 4, "7");
	shows_bits(&t, "\x08", 1, 3, 2, "RUNNING");
	shows_bits(&t, "\x18", 1, 3, 2, "DEAD"); /* two bits, signed */
	shows(&t, values, 0, "?");
}

static void flags(void **state)
{
	struct cul_enumerator bits[] = {{"NONE", 0}, {"READ", 1}, {"WRITE", 2}, {"RUN", 4},
		{"ALL", 7}},
			      counted[] = {{"A", 1}, {"B", 2}, {"C", 3}, {"D", 4}},
			      few[] = {{"A", 0}, {"B", 1}, {"C", 2}};
	struct cul_type t = {.kind = CUL_KIND_ENUM,
		.size = 4,
		.filled_members = true,
		.enumerators = bits,
		.n_members = 5};
	const uint32_t values[] = {0, 5, 6, 7, 9, 3};

	shows(&t, &values[0], 4, "NONE");
	shows(&t, &values[1], 4, "READ|RUN");
	shows(&t, &values[2], 4, "WRITE|RUN");
	shows(&t, &values[3], 4, "ALL");
	shows(&t, &values[4], 4, "9"); /* not all of it is known */
	t.enumerators = counted;
	t.n_members = 4;
	shows(&t, &values[1], 4, "5");
	t.enumerators = few;
	t.n_members = 3;
	shows(&t, &values[5], 4, "3");
}

/* Of a long struct what is not zero. */
static void brief(void **state)
{
	enum { N = 60 };
	struct cul_member members[N];
	const struct cul_print_names names = {.brief = true};
	struct cul_type t = {.kind = CUL_KIND_STRUCT,
		.size = N * 4,
		.filled_members = true,
		.members = members,
		.n_members = N};
	int32_t bytes[N] = {0};
	const struct cul_print_value v = {.type = &t, .bytes = (uint8_t *)bytes, .size = t.size};
	struct cul_str s = {0};

	for (size_t i = 0; i < N; i++)
		members[i] =
			(struct cul_member){.name = "member", .type = word, .bit_offset = i * 32};
	cul_print_value(&s, &v, &names);
	assert_string_equal(cul_str_text(&s), "{...}");
	cul_str_free(&s);
	s = (struct cul_str){0};
	bytes[50] = 7;
	cul_print_value(&s, &v, &names);
	assert_string_equal(cul_str_text(&s), "{member = 7, ...}");
	cul_str_free(&s);
	s = (struct cul_str){0};
	memset(bytes, 0xff, sizeof(bytes));
	cul_print_value(&s, &v, &names);
	assert_in_range(s.len, CUL_PRINT_BRIEF, CUL_PRINT_BRIEF + 40);
	cul_str_free(&s);
}

static void pointers(void **state)
{
	const struct cul_type *p = cul_ctypes_pointer(basic, word);
	const uint64_t values[] = {
		0, 0xffffffff81000000, 0xffffffff81000008, 0x7fff00001000, 0x81000008};

	shows(p, &values[0], 8, "NULL");
	shows(p, &values[1], 8, "0xffffffff81000000 (init_task)");
	shows(p, &values[2], 8, "0xffffffff81000008 (init_task+0x8)");
	shows(p, &values[3], 8, "0x7fff00001000");
	shows(p, &values[4], 4, "0x81000008");
	shows(p, values, 0, "?");
}

static void bit_fields(void **state)
{
	const struct cul_type *u = cul_ctypes_find(basic, "unsigned int");
	const struct cul_type *c = cul_ctypes_find(basic, "char");
	const struct cul_type *u64 = cul_ctypes_find(basic, "u64");

	shows_bits(u, "\xd4\x00\x00\x00", 4, 2, 3, "5");
	shows_bits(word, "\xd4\x00\x00\x00", 4, 2, 3, "-3");
	shows_bits(word, "\xd4\x00\x00\x00", 4, 2, 1, "-1");
	shows_bits(c, "\xd4", 1, 2, 3, "-3");
	shows_bits(cul_ctypes_find(basic, "bool"), "\x10", 1, 4, 1, "true");
	shows_bits(u64, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 0, 64, "18446744073709551615");
	shows_bits(u64, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 1, 63, "9223372036854775807");
	/* of more bytes than there are, and what no compiler makes */
	shows_bits(u, "\xff", 1, 4, 8, "15");
	shows_bits(u, "\xff", 1, 60, 60, "255");
	shows_bits(u, "\xff", 1, UINT32_MAX, UINT32_MAX, "255");
}

static void arrays_and_strings(void **state)
{
	const struct cul_type *c = cul_ctypes_find(basic, "char");
	const struct cul_type *text = cul_ctypes_array(basic, c, 100);
	const struct cul_type *octets = cul_ctypes_array(basic, cul_ctypes_find(basic, "u8"), 4);
	const struct cul_type *row = cul_ctypes_array(basic, word, 2);
	const struct cul_type *grid = cul_ctypes_array(basic, row, 2);
	const int32_t numbers[20] = {1, -2, 3, 4};
	char letters[100];

	shows(text, "ab\0cd", 5, "\"ab\"");
	shows(text, "a\"\\\n\xff", 5, "\"a\\\"\\\\\\x0a\\xff\"");
	shows(text, "", 0, "\"\"");
	memset(letters, 'x', sizeof(letters));
	shows(text, letters, 100,
		"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"...");
	shows(octets, "\1\2\3\xff", 4, "{1, 2, 3, 255}");
	shows(row, numbers, 8, "{1, -2}");
	shows(grid, numbers, 16, "{{1, -2}, {3, 4}}");
	shows(cul_ctypes_array(basic, word, 20), numbers, 80,
		"{1, -2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...}");
	shows(row, numbers, 7, "{1}");      /* cut short */
	shows(row, numbers, 3, "01 00 00"); /* within the first */
	shows(row, numbers, 0, "{}");       /* flexible */
}

static void structs(void **state)
{
	static struct cul_member inner[2], outer[6];
	static struct cul_type in = {.kind = CUL_KIND_STRUCT,
		.size = 8,
		.filled_members = true,
		.members = inner,
		.n_members = 2};
	static struct cul_type out = {.kind = CUL_KIND_STRUCT,
		.size = 20,
		.filled_members = true,
		.members = outer,
		.n_members = 6};
	static struct cul_type both = {.kind = CUL_KIND_UNION,
		.size = 4,
		.filled_members = true,
		.members = inner,
		.n_members = 1};
	uint8_t bytes[20] = {1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 7, 0, 0, 0, 0xd4, 0xfd};

	inner[0] = (struct cul_member){"a", word, 0, 0};
	inner[1] = (struct cul_member){"b", word, 32, 0};
	outer[0] = (struct cul_member){"in", &in, 0, 0};
	outer[1] = (struct cul_member){"", &both, 64, 0};
	outer[2] = (struct cul_member){"low", word, 98, 3};
	outer[3] = (struct cul_member){"high", cul_ctypes_find(basic, "u32"), 101, 3};
	outer[4] = (struct cul_member){"tiny", s8, 104, 0};
	outer[5] = (struct cul_member){"last", word, 128, 0};
	shows(&out, bytes, 20,
		"{in = {a = 1, b = -2}, {a = 7}, low = -3, high = 6, tiny = -3, last = 0}");
	/* Fewer bytes than the type has: what is there. */
	shows(&out, bytes, 19,
		"{in = {a = 1, b = -2}, {a = 7}, low = -3, high = 6, tiny = -3, ...}");
	shows(&out, bytes, 12, "{in = {a = 1, b = -2}, {a = 7}, ...}");
	shows(&out, bytes, 3, "{...}");
	shows(&out, bytes, 0, "{...}");
	/* Hostile: far away, of a width that overflows, of no describable type. */
	outer[0].bit_offset = UINT64_MAX;
	shows(&out, bytes, 20, "{...}");
	outer[0] = (struct cul_member){"wide", word, 7, UINT32_MAX};
	shows(&out, bytes, 20, "{...}");
	outer[0] = (struct cul_member){"nine", word, 1, 64};
	shows(&out, bytes, 20, "{...}");
	outer[0] = (struct cul_member){"none", NULL, 0, 0};
	shows(&out, bytes, 20, "{...}");
}

/* A struct that has itself sixteen times at no cost: bounded in depth and in length. */
static void endless_types_end(void **state)
{
	static struct cul_member members[16];
	static struct cul_type t = {.kind = CUL_KIND_STRUCT,
		.filled_members = true,
		.members = members,
		.n_members = 16};
	struct cul_print_value v = {.type = &t, .bytes = (const uint8_t *)"", .size = 0};
	struct cul_str s = {0};

	for (int i = 0; i < 16; i++)
		members[i] = (struct cul_member){"itself", &t, 0, 0};
	cul_str_add(&s, "before ");
	cul_print_value(&s, &v, NULL);
	assert_true(s.len > 1000 && s.len < 4096);
	assert_non_null(strstr(s.s, "..."));
	assert_memory_equal(s.s, "before {itself = {", 18);
	assert_string_equal(s.s + s.len - 4, "...}");
	cul_str_free(&s);
}

static int refuse(struct cul_type_provider *p, struct cul_type *t, struct cul_error *err)
{
	return -EBADMSG;
}

static void types_that_cannot_be_read(void **state)
{
	static const struct cul_type_ops ops = {.fill_to = refuse, .fill_members = refuse};
	static struct cul_type_provider provider = {.ops = &ops};
	struct cul_type t = {.kind = CUL_KIND_STRUCT, .size = 3, .provider = &provider};

	shows(&t, "abc", 3, "61 62 63");
	t.kind = CUL_KIND_ARRAY;
	shows(&t, "abc", 3, "61 62 63");
	t.kind = CUL_KIND_ENUM;
	shows(&t, "ab", 2, "25185");
	t.kind = CUL_KIND_FUNC;
	shows(&t, "a", 1, "97");
	t.kind = CUL_KIND_INT;
	shows(&t, "0123456789abcdef", 16, "30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66");
	shows(&t, "", 0, "?");
}

static void what_is_a_number(void **state)
{
	const struct cul_type *p = cul_ctypes_pointer(basic, word);

	assert_true(cul_print_is_number(word, 4));
	assert_true(cul_print_is_number(cul_ctypes_find(basic, "u8"), 1));
	assert_false(cul_print_is_number(cul_ctypes_find(basic, "char"), 1));
	assert_false(cul_print_is_number(cul_ctypes_find(basic, "bool"), 1));
	assert_false(cul_print_is_number(p, 8));
	assert_false(cul_print_is_number(word, 16));
	assert_true(cul_print_is_number(NULL, 8));
	assert_false(cul_print_is_number(NULL, 3));
}

static void address(const char *type, const char *called, uint64_t value, const char *expected)
{
	const struct cul_print_names names = {.addresses = true}, without = {0};
	const struct cul_print_value v = {.type = cul_ctypes_find(basic, type),
		.bytes = (const uint8_t *)&value,
		.size = 8,
		.called = called};
	cul_autostr struct cul_str s = {0}, other = {0};

	assert_non_null(v.type);
	cul_print_value(&s, &v, &names);
	if (strcmp(cul_str_text(&s), expected) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", called ? called : "-", cul_str_text(&s),
			expected);
	assert_int_equal(cul_print_is_address(&v), !strncmp(expected, "0x", 2));
	cul_print_value(&other, &v, &without);
	assert_null(strstr(cul_str_text(&other), "0x"));
}

static void numbers_that_are_addresses(void **state)
{
	static const char plain[] = "unsigned long";

	address(plain, "addr", 4096, "0x1000");
	address(plain, "vma->vm_start", 4096, "0x1000");
	address(plain, "regs->ip", 0, "0x0");
	address(plain, "(*vma).vm_end", 4096, "0x1000");
	address(plain, "len", 4096, "4096");
	address(plain, "strip", 4096, "4096");
	address(plain, "start_pfn", 4096, "4096");
	address(plain, "end - start", 4096, "4096");
	address(plain, "end-start", 4096, "4096");
	address(plain, "", 4096, "4096");
	address(plain, NULL, 4096, "4096");
	address(plain, NULL, 0xffff888100000000, "0xffff888100000000");
	address(plain, "len", 0xff11000012345678, "0xff11000012345678");
	address(plain, "len", UINT64_MAX, "18446744073709551615");
	address(plain, "len", (uint64_t)-4095, "18446744073709547521");
	address("long", "addr", 4096, "4096");
	address("u64", "start", 4096, "4096");
	address("size_t", "end", 4096, "4096");
	address("unsigned long long", "start", 0xffff888100000000, "18446612686364999680");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(bytes_without_a_type),
		cmocka_unit_test(floats),
		cmocka_unit_test(enumerators),
		cmocka_unit_test(flags),
		cmocka_unit_test(brief),
		cmocka_unit_test(pointers),
		cmocka_unit_test(bit_fields),
		cmocka_unit_test(arrays_and_strings),
		cmocka_unit_test(structs),
		cmocka_unit_test(endless_types_end),
		cmocka_unit_test(types_that_cannot_be_read),
		cmocka_unit_test(what_is_a_number),
		cmocka_unit_test(numbers_that_are_addresses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
