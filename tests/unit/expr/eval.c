/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "expr/tree.h"
#include "fake.h"

static struct fake fake;

static int setup(void **state)
{
	return fake_new(&fake);
}

static int teardown(void **state)
{
	fake_free(&fake);
	return 0;
}

static int eval(const char *text, struct cul_value *out, struct cul_error *err)
{
	struct cul_expr *e = NULL;
	int r = cul_expr_parse(text, &fake.env, &e, err);

	if (r)
		fail_msg("%s: %s", text, err->text);
	r = cul_expr_eval(e, &fake.run, out, err);
	cul_expr_free(e);
	return r;
}

static void same(const char *text, uint64_t bits, size_t size, bool is_signed, bool pointer)
{
	struct cul_error err = {0};
	struct cul_value v = {0};

	if (eval(text, &v, &err))
		fail_msg("%s: %s", text, err.text);
	if (v.bits != bits)
		fail_msg("%s: 0x%" PRIx64 ", and in C 0x%" PRIx64, text, v.bits, bits);
	if (v.type->size != size)
		fail_msg("%s: %u bytes, and in C %zu", text, (unsigned)v.type->size, size);
	if (pointer)
		assert_int_equal(v.type->kind, CUL_KIND_PTR);
	else if (v.type->is_signed != is_signed)
		fail_msg("%s: sign differs from C", text);
}

/* The witness is the C compiler: the same words are evaluated by it, value, size and sign. */
#define SAME(e)         same(#e, (uint64_t)(e), sizeof(e), (__typeof__(e))-1 < (__typeof__(e))1, false)
#define SAME_POINTER(e) same(#e, (uintptr_t)(e), sizeof(void *), false, true)
/* For what has no size or sign of its own in C (bit fields) or in ours (bool + 0 is int). */
#define SAME_VALUE(e)                                                                              \
	do {                                                                                       \
		struct cul_error err_ = {0};                                                       \
		struct cul_value v_ = {0};                                                         \
		assert_int_equal(eval(#e, &v_, &err_), 0);                                         \
		assert_int_equal(v_.bits, (uint64_t)(e));                                          \
	} while (0)

#define acct    (fake.image->acct)
#define other   (fake.image->other)
#define p       (fake.image->p)
#define tight   (fake.image->tight)
#define counter (fake.image->counter)
#define table   (fake.image->table)
#define i       (fake.in.i)
#define u       (fake.in.u)
#define l       (fake.in.l)
#define ul      (fake.in.ul)
#define c8      (fake.in.c8)
#define uc      (fake.in.uc)
#define us      (fake.in.us)
#define q       (fake.in.q)

#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wint-to-pointer-cast"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wconstant-logical-operand"
#pragma GCC diagnostic ignored "-Wbool-operation"
#pragma GCC diagnostic ignored "-Wtautological-compare"
#pragma GCC diagnostic ignored "-Wlogical-not-parentheses"
#pragma GCC diagnostic ignored "-Wbitwise-op-parentheses"
#pragma GCC diagnostic ignored "-Wlogical-op-parentheses"
#pragma GCC diagnostic ignored "-Wshift-op-parentheses"
#else
#pragma GCC diagnostic ignored "-Wbool-compare"
#pragma GCC diagnostic ignored "-Wlogical-not-parentheses"
#endif

static void numbers_as_in_c(void **state)
{
	SAME(0);
	SAME(2147483647);
	SAME(2147483648);
	SAME(0x7fffffff);
	SAME(0x80000000);
	SAME(0xffffffffff);
	SAME(0xffffffffffffffff);
	SAME(0777);
	SAME(0b1011);
	SAME(1u);
	SAME(1L);
	SAME(1ul);
	SAME(1llU);
	SAME('a');
	SAME('\n');
	SAME('\0');
	SAME('\x41');
	SAME('\377');
	SAME('\'');
}

static void arithmetic_as_in_c(void **state)
{
	SAME(1 + 2 * 3 - 4 / 3 % 2);
	SAME((1 + 2) * 3);
	SAME(10 - 4 - 3);
	SAME(-7 / 2);
	SAME(-7 % 2);
	SAME(7 / -2);
	SAME(7 % -2);
	SAME(i / 2);
	SAME(i % 3);
	SAME(u / 7);
	SAME(i + u);
	SAME(i / u);
	SAME(i * u);
	SAME(l * i);
	SAME(l / i);
	SAME(l % i);
	SAME(l + u);
	SAME(ul / 3);
	SAME(ul % 1000);
	SAME(l / ul);
	SAME(c8 + uc);
	SAME(c8 * us);
	SAME(uc << 20 >> 3);
	SAME(u << 3);
	SAME(u >> 3);
	SAME(i >> 1);
	SAME(l >> 7);
	SAME(ul >> 63);
	SAME(1ul << 40);
	SAME(-i);
	SAME(-u);
	SAME(-uc);
	SAME(~uc);
	SAME(~u);
	SAME(~l);
	SAME(+c8);
	SAME(!u);
	SAME(!0);
	SAME(!!l);
	SAME(- -i);
	SAME(i & 0xff);
	SAME(i & u);
	SAME(i | 1);
	SAME(us ^ l);
	SAME(i ^ -1);
	SAME(i & 1 == 1);
	SAME(1 | 2 ^ 3 & 6);
	SAME(1 << 2 + 1);
	SAME(5 > 3 > 1);
}

static void conditions_as_in_c(void **state)
{
	SAME(i < u);
	SAME(i < 0);
	SAME(i < 0u);
	SAME(i < l);
	SAME(l < u);
	SAME(l < ul);
	SAME(c8 < uc);
	SAME(c8 == -2);
	SAME(uc == -2);
	SAME(us >= 65000);
	SAME(i <= -5);
	SAME(i >= -5);
	SAME(i != -5);
	SAME(u > 3000000000);
	SAME(1 && 0 || 1);
	SAME(0 && 1 / 0);
	SAME(1 || 1 / 0);
	SAME(i && u);
	SAME(i < 0 ? u : l);
	SAME(i < 0 ? c8 : us);
	SAME(0 ? 1 : 0 ? 2 : 3);
	SAME(i ? 1 : 2u);
	SAME(1 ? i : u);
	SAME(i == -5 && u > 7 || !l);
}

static void casts_as_in_c(void **state)
{
	SAME((unsigned char)i);
	SAME((signed char)us);
	SAME((short)u);
	SAME((unsigned short)l);
	SAME((unsigned)i);
	SAME((int)u);
	SAME((long)u);
	SAME((unsigned long)i);
	SAME((long)(int)ul);
	SAME((uint8_t)-1);
	SAME((int16_t)40000);
	SAME((size_t)-1);
	SAME_VALUE((_Bool)256);
	SAME_VALUE((_Bool)0);
	SAME((unsigned char)i + 1);
	SAME((int)(signed char)0x80);
	SAME(-(unsigned char)1);
	SAME((unsigned long)p);
	SAME((unsigned char)(unsigned long)p);
	SAME((enum color)5);
	SAME_POINTER((struct account *)l);
	SAME_POINTER((void *)i);
	SAME_POINTER((char *)0);
}

static void memory_as_in_c(void **state)
{
	SAME(counter);
	SAME(acct.refs);
	SAME(acct.flags);
	SAME(acct.id);
	SAME(acct.half[1]);
	SAME(acct.hi);
	SAME(acct.big);
	SAME(acct.sbig);
	SAME(acct.s8);
	SAME(acct.u8 + acct.s8);
	SAME(acct.u16);
	SAME(acct.arr[2]);
	SAME(acct.grid[1][2]);
	SAME(acct.grid[0][1] + acct.grid[1][0]);
	SAME((*acct.grid)[1]);
	SAME(**acct.grid);
	SAME(p->refs);
	SAME(p->next->refs);
	SAME((*p).refs);
	SAME(p[1].refs);
	SAME((p + 1)->refs);
	SAME((&other - 1)->refs);
	SAME(q->refs);
	SAME(table[3]);
	SAME(3 [table]);
	SAME(*(table + 7));
	SAME(*table);
	SAME((&table[5])[-2]);
	SAME(table[table[5]]);
	SAME(acct.name[2]);
	SAME(*acct.str);
	SAME(acct.str[1]);
	SAME(*(int *)acct.ptr);
	SAME(*(signed char *)&acct.refs);
	SAME(((unsigned char *)&acct.id)[1]);
	SAME(*(unsigned char *)((char *)p + 9));
	SAME(*(unsigned long *)((char *)&p->big + 8));
	SAME(acct.links.next->next == 0);
	SAME(acct.col == 5);
	SAME(other.col < 0);
	SAME_VALUE(acct.on);
	SAME_VALUE(acct.col);
	SAME(acct.on + 1);
	SAME(acct.col + 1u);
}

static void bit_fields_as_in_c(void **state)
{
	SAME_VALUE(acct.a);
	SAME_VALUE(acct.b);
	SAME_VALUE(acct.c);
	SAME_VALUE(acct.wide);
	SAME_VALUE(tight.x);
	SAME_VALUE(tight.y);
	SAME(acct.a + 0);
	SAME(acct.b - 1);
	SAME(-acct.a);
	SAME(acct.a < -1);
	SAME(acct.c << 8);
	SAME(acct.a == 5 && acct.b == -7);
	SAME(p->c & 0xff);
}

static void pointers_as_in_c(void **state)
{
	SAME_POINTER(p);
	SAME_POINTER(&acct);
	SAME_POINTER(&acct.next);
	SAME_POINTER(p + 1);
	SAME_POINTER(1 + p);
	SAME_POINTER(p - 1);
	SAME_POINTER(p + i);
	SAME_POINTER(p + u);
	SAME_POINTER(&p[i]);
	SAME_POINTER(p->next);
	SAME_POINTER(&p->arr[1]);
	SAME_POINTER(table + 2);
	SAME_POINTER(&table + 1);
	SAME_POINTER(*(&acct.grid + 1) + 1);
	SAME_POINTER(acct.grid[1] + 1);
	SAME_POINTER(acct.ptr);
	SAME_POINTER(acct.ptr + 3);
	SAME_POINTER(i ? p : 0);
	SAME_POINTER(i ? p : q);
	SAME_POINTER((char *)p + 4);
	SAME(&other - p);
	SAME(p - &other);
	SAME(&table[7] - table);
	SAME((char *)&other - (char *)p);
	SAME(p == &acct);
	SAME(p != &acct);
	SAME(p < &other);
	SAME(p && q);
	SAME(!p);
	SAME(q == p->next);
	SAME(other.next == 0);
}

#undef acct
#undef other
#undef p
#undef tight
#undef counter
#undef table
#undef i
#undef u
#undef l
#undef ul
#undef c8
#undef uc
#undef us
#undef q

static void assert_value(const char *text, uint64_t want)
{
	struct cul_error err = {0};
	struct cul_value v = {0};

	if (eval(text, &v, &err))
		fail_msg("%s: %s", text, err.text);
	if (v.bits != want)
		fail_msg("%s: 0x%" PRIx64 ", wanted 0x%" PRIx64, text, v.bits, want);
}

static void assert_fails(const char *text, int code, const char *want)
{
	struct cul_error err = {0};
	struct cul_value v = {NULL, 77};

	assert_int_equal(eval(text, &v, &err), code);
	assert_string_equal(err.text, want);
	assert_int_equal(err.code, code);
	assert_int_equal(v.bits, 77);
}

/* What C leaves undefined has one meaning here. */
static void defined_where_c_is_not(void **state)
{
	assert_value("1 << 33", 2);
	assert_value("1 << -1", (uint64_t)(int64_t)INT32_MIN);
	assert_value("1ul << 65", 2);
	assert_value("-1 >> 32", UINT64_MAX);
	assert_value("(-2147483647 - 1) / -1", (uint64_t)(int64_t)INT32_MIN);
	assert_value("(-2147483647 - 1) % -1", 0);
	assert_value("acct.sbig / -1", (uint64_t)INT64_MIN);
	assert_value("acct.sbig % -1", 0);
	assert_value("-acct.sbig", (uint64_t)INT64_MIN);
	assert_value("2147483647 + 1", (uint64_t)(int64_t)INT32_MIN);
	assert_value("((struct account *)3 - (struct account *)0)", 0);
	assert_value("'\\xff'", UINT64_MAX);
}

static void other_names(void **state)
{
	assert_value("do_fork", 0xffffffff81000000);
	assert_value("&do_fork", 0xffffffff81000000);
	assert_value("*typed_fn", 0xffffffff81000000);
	assert_value("GREEN + BLUE", 4);
	assert_value("BLUE", UINT64_MAX);
	/* An int, whatever the enum is. */
	assert_value("i < DIM && i - DIM < 0 && -DIM < 0", 1);
	assert_value("i < DAZZLING", 0);
	assert_value("acct.shade == DAZZLING && acct.few == BLUE", 1);
	assert_value("HIGH >> 40", 1);
	assert_value("acct.col == GREEN", 1);
	assert_value("__key.42", 42);
	assert_value("\"odd-file.c\":counter", 42);
	assert_value("victim:refs.c:counter + 1", 43);
	assert_value("bank::total + 1", 43);
	assert_value("1 ? bank::total : 2", 42);
	assert_value("list<int>::f(int (*)(char)) const::n<bank::total", 0);
	assert_value("(lib.so:(anonymous namespace)::x)>5", 1);
	assert_value("i ? victim:counter : 1", 42);
	assert_value("*(int *)&pid_max", 32768);
	assert_value("per_cpu_account.refs", (uint64_t)-3);
	assert_value("w", 0x80000000);
	assert_value("n", (uint64_t)-9);
	assert_value("flag", 1);
	assert_value("comm[1]", 'w');
	assert_value("comm[0] == 'k'", 1);
	assert_value("comm", (uintptr_t)fake.in.comm);
}

static void strings(void **state)
{
	assert_value("comm == \"kworker/1:2\"", 1);
	assert_value("comm == \"kworker/1:\"", 0);
	assert_value("comm == \"kworker/1:23\"", 0);
	assert_value("\"kworker/1:2\" == comm", 1);
	assert_value("comm != \"kworker/1:2\"", 0);
	assert_value("comm != \"\"", 1);
	assert_value("comm == \"longer than sixteen letters\"", 0);
	assert_value("other.name == \"sixteen letters!\"", 1);
	assert_value("other.name == \"sixteen letters!!\"", 0);
	assert_value("other.name == \"sixteen letters\"", 0);
	assert_value("acct.name == \"savings\"", 1);
	assert_value("filename == \"/etc/passwd\"", 1);
	assert_value("filename == \"/etc/passw\"", 0);
	assert_value("filename == \"/etc/passwd2\"", 0);
	assert_value("acct.str != \"/etc/passwd\"", 0);
	assert_value("text == \"/etc/passwd\"", 1);
	assert_value("(char *)&text[1] == \"etc/passwd\"", 1);
	assert_value("comm == \"kworker\\0571:2\"", 1);
	assert_value("comm ~ \"kworker/*\"", 1);
	assert_value("comm ~ \"kworker/1:2*\"", 1);
	assert_value("comm ~ \"kworker/1:2\"", 1);
	assert_value("comm ~ \"*:2\"", 1);
	assert_value("comm ~ \"*:3\"", 0);
	assert_value("comm ~ \"k*r/?:*\"", 1);
	assert_value("comm ~ \"*\"", 1);
	assert_value("comm ~ \"\"", 0);
	assert_value("filename ~ \"/etc/*\"", 1);
	assert_value("filename ~ \"/usr/*\"", 0);
	assert_value("filename ~ \"*passwd\"", 1);
	assert_value("!(filename ~ \"/etc/*\") || i < 0", 1);
	assert_value("~i", 4);
}

static void globs(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool want;
	} want[] = {
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"?", "", false},
		{"a*b*c", "axxbxxc", true},
		{"a*b*c", "axxbxx", false},
		{"*ab", "aab", true},
		{"*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"**", "x", true},
		{"a?c", "abc", true},
		{"[a]", "a", false},
	};

	for (size_t k = 0; k < sizeof(want) / sizeof(want[0]); k++)
		assert_int_equal(cul_match_glob(want[k].pattern, strlen(want[k].pattern), want[k].s,
					 strlen(want[k].s)),
			want[k].want);
}

static void failures(void **state)
{
	struct cul_error err = {0};
	char text[128], want[256];
	struct cul_value v;

	assert_fails("1 / (i + 5)", -EDOM, "division by zero\n  1 / (i + 5)\n  ^~~~~~~~~~~");
	assert_fails("7 % 0u", -EDOM, "division by zero\n  7 % 0u\n  ^~~~~~");
	assert_fails("acct.refs + *(int *)16", -EFAULT,
		"cannot read 4 bytes at 0x10: Bad address\n  acct.refs + *(int *)16\n"
		"              ^~~~~~~~~~");
	assert_fails("other.next->name[3]", -EFAULT,
		"cannot read 1 byte at 0x18: Bad address\n  other.next->name[3]\n"
		"  ^~~~~~~~~~~~~~~~~~~");
	assert_fails("acct", -EINVAL,
		"struct account is not one value; name a member of it\n  acct\n  ^~~~");
	assert_fails("pid_max", -EINVAL,
		"'pid_max' has no type here; give one: *(int *)&pid_max, or pid_max:4\n"
		"  pid_max\n  ^~~~~~~");

	/* A string that ends where memory ends, with no NUL. */
	snprintf(text, sizeof(text), "(char *)%" PRIu64 " == \"tail\"", fake_tail(&fake));
	snprintf(want, sizeof(want), "cannot read 1 byte at 0x%" PRIx64 ": Bad address",
		fake_tail(&fake) + 4);
	assert_int_equal(eval(text, &v, &err), -EFAULT);
	assert_memory_equal(err.text, want, strlen(want));
	snprintf(text, sizeof(text), "(char *)%" PRIu64 " ~ \"tai*\"", fake_tail(&fake));
	assert_value(text, 1);
}

static void no_memory_no_inputs(void **state)
{
	struct cul_expr_run none = {0};
	struct cul_expr *e = NULL;
	struct cul_value v;

	assert_int_equal(cul_expr_parse("counter", &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_eval(e, &none, &v, NULL), -EFAULT);
	cul_expr_free(e);
	assert_int_equal(cul_expr_parse("filename == \"x\"", &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_eval(e, &none, &v, NULL), -EINVAL);
	cul_expr_free(e);
}

static void place_is(
	const char *text, const void *at, uint64_t size, unsigned offset, unsigned bits)
{
	struct cul_expr *e = NULL;
	struct cul_place place = {0};

	assert_int_equal(cul_expr_parse(text, &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_place(e, &fake.run, &place, NULL), 0);
	assert_int_equal(place.addr, (uintptr_t)at);
	assert_int_equal(place.size, size);
	assert_int_equal(place.bit_offset, offset);
	assert_int_equal(place.bit_size, bits);
	cul_expr_free(e);
}

static void places(void **state)
{
	struct image *m = fake.image;
	struct cul_error err = {0};
	struct cul_expr *e = NULL;
	struct cul_place place;

	place_is("counter", &m->counter, 4, 0, 0);
	place_is("acct", &m->acct, sizeof(m->acct), 0, 0);
	place_is("p->next->name", &m->other.name, 16, 0, 0);
	place_is("table[i + 8]", &m->table[3], 4, 0, 0);
	place_is("pid_max", &m->pid_max, 0, 0, 0);
	place_is("per_cpu_account.big", &m->acct.big, 8, 0, 0);
	place_is("acct.a", (char *)&m->acct.id + 4, 4, 0, 3);
	place_is("acct.b", (char *)&m->acct.id + 4, 4, 3, 5);
	place_is("acct.c", (char *)&m->acct.id + 4, 4, 8, 20);
	place_is("acct.wide", (char *)&m->acct.id + 8, 8, 0, 40);
	/* Beyond the 4 bytes that its declared type would take. */
	place_is("tight.x", (char *)&m->tight + 1, 1, 0, 6);
	place_is("tight.y", (char *)&m->tight + 1, 2, 6, 10);
	place_is("*(void *)65536", (void *)65536, 0, 0, 0);

	assert_int_equal(cul_expr_parse("acct.refs + 1", &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_place(e, &fake.run, &place, &err), -EINVAL);
	cul_expr_free(e);
	assert_int_equal(cul_expr_parse("other.next->next->refs", &fake.env, &e, NULL), 0);
	assert_int_equal(cul_expr_place(e, &fake.run, &place, &err), -EFAULT);
	cul_expr_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_as_in_c),
		cmocka_unit_test(arithmetic_as_in_c),
		cmocka_unit_test(conditions_as_in_c),
		cmocka_unit_test(casts_as_in_c),
		cmocka_unit_test(memory_as_in_c),
		cmocka_unit_test(bit_fields_as_in_c),
		cmocka_unit_test(pointers_as_in_c),
		cmocka_unit_test(defined_where_c_is_not),
		cmocka_unit_test(other_names),
		cmocka_unit_test(strings),
		cmocka_unit_test(globs),
		cmocka_unit_test(failures),
		cmocka_unit_test(no_memory_no_inputs),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
