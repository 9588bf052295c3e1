/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
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

/* The text of the error, which parsing `text` must end with. */
static void assert_fails(const char *text, int code, const char *want)
{
	struct cul_expr *e = NULL;
	struct cul_error err = {0};
	int r = cul_expr_parse(text, &fake.env, &e, &err);

	if (!r)
		fail_msg("parsed: %s", text);
	assert_null(e);
	assert_string_equal(err.text, want);
	assert_int_equal(r, code);
	assert_int_equal(err.code, code);
	assert_int_equal(cul_expr_parse(text, &fake.env, &e, NULL), code);
}

static void assert_type(const char *text, const char *want)
{
	struct cul_expr *e = NULL;
	struct cul_error err = {0};
	struct cul_str s = {0};

	if (cul_expr_parse(text, &fake.env, &e, &err))
		fail_msg("%s", err.text);
	cul_type_print(&s, cul_expr_type(e));
	assert_string_equal(cul_str_text(&s), want);
	assert_string_equal(cul_expr_text(e), text);
	cul_str_free(&s);
	cul_expr_free(e);
}

static void errors_of_words(void **state)
{
	assert_fails("", -EINVAL, "the expression is empty");
	assert_fails(" \t", -EINVAL, "the expression is empty");
	assert_fails("i @ 2", -EINVAL, "this character has no meaning here\n  i @ 2\n    ^");
	assert_fails(
		"1.5 < u", -EINVAL, "floating-point numbers are not supported\n  1.5 < u\n  ^~~");
	assert_fails("12ab", -EINVAL, "this is not a number\n  12ab\n  ^~~~");
	assert_fails("089", -EINVAL, "this is not a number\n  089\n  ^~~");
	assert_fails("0x", -EINVAL, "this is not a number\n  0x\n  ^~");
	assert_fails("1lul", -EINVAL, "this is not a number\n  1lul\n  ^~~~");
	assert_fails("0x10000000000000000", -EINVAL,
		"this number does not fit 64 bits\n  0x10000000000000000\n  ^~~~~~~~~~~~~~~~~~~");
	assert_fails(
		"i = 2", -EINVAL, "an expression only reads; to compare, write ==\n  i = 2\n    ^");
	assert_fails("i++", -EINVAL, "an expression only reads: nothing is assigned\n  i++\n   ^~");
	assert_fails("'ab'", -EINVAL, "a character ends with ' after one letter\n  'ab'\n  ^~");
	assert_fails("''", -EINVAL, "a character is missing after this quote\n  ''\n  ^");
	assert_fails("comm == \"x", -EINVAL,
		"this string has no closing quote\n  comm == \"x\n          ^~");
	assert_fails("comm == \"\\q\"", -EINVAL,
		"unknown escape in a string\n  comm == \"\\q\"\n           ^~");
	assert_fails("comm == \"a\\0\"", -EINVAL,
		"a string cannot contain a NUL\n  comm == \"a\\0\"\n            ^~");
}

static void errors_of_grammar(void **state)
{
	assert_fails("i +", -EINVAL, "a name or a number is missing here\n  i +\n     ^");
	assert_fails("(i", -EINVAL, "')' is missing here\n  (i\n    ^");
	assert_fails("i)", -EINVAL, "nothing is open that this could close\n  i)\n   ^");
	assert_fails("i u", -EINVAL, "an operator is missing before this\n  i u\n    ^");
	assert_fails(
		"i ? u", -EINVAL, "the ':' that belongs to '?' is missing here\n  i ? u\n       ^");
	assert_fails("i : u", -EINVAL, "this ':' follows no '?'\n  i : u\n    ^");
	assert_fails("counter:4", -EINVAL, "this ':' follows no '?'\n  counter:4\n         ^");
	assert_fails("table[1", -EINVAL, "']' is missing here\n  table[1\n         ^");
	assert_fails("acct.", -EINVAL, "the name of a member is missing here\n  acct.\n       ^");
	assert_fails("do_fork(1)", -EINVAL,
		"an expression only reads: functions cannot be called\n  do_fork(1)\n  ^~~~~~~");
	assert_fails("(int", -EINVAL, "')' after a type is missing here\n  (int\n      ^");
	assert_fails("(unsigned float)i", -EINVAL,
		"C has no such type\n  (unsigned float)i\n   ^~~~~~~~~~~~~~");
	assert_fails("(struct)i", -EINVAL,
		"the name of the struct is missing here\n  (struct)i\n         ^");
	assert_fails("(struct nix *)q", -ENOENT,
		"unknown type: struct nix\n  (struct nix *)q\n          ^~~");
	assert_fails("(struct acount *)q", -ENOENT,
		"unknown type: struct acount; nearest: account\n  (struct acount *)q\n          "
		"^~~~~~");
	assert_fails("(const accont_t *)q", -ENOENT,
		"unknown type: accont_t; nearest: account_t\n  (const accont_t *)q\n         "
		"^~~~~~~~");
	assert_fails("(account *)q", -ENOENT,
		"'account' is a type, no variable; in a cast write (struct account *)\n"
		"  (account *)q\n   ^~~~~~~");
	assert_fails(
		"(const nix *)q", -ENOENT, "unknown type: nix\n  (const nix *)q\n         ^~~");
}

static void what_is_no_expression_is_told_from_what_is_unknown_here(void **state)
{
	static const char *const bad[] = {"", "1 +", "(1", "i = 1", "i)", "p->", "(struct)i", "'x",
		"\"x", "i(1)", "1 ? 2", "0x", "#", "i[1"};
	static const char *const unknown[] = {
		"nobody", "acct.nobody", "(struct nobody *)p", "acct + 1", "*i", "(float)i"};
	struct cul_error err = {0};
	struct cul_expr *e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!cul_expr_parse(bad[i], &fake.env, &e, &err) || !err.usage)
			fail_msg("%s: %s", bad[i], err.text);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		if (!cul_expr_parse(unknown[i], &fake.env, &e, &err) || err.usage)
			fail_msg("%s: %s", unknown[i], err.text);
	assert_int_equal(cul_error_prefix(&err, "--if"), err.code);
	assert_false(err.usage);
}

static void errors_of_typing(void **state)
{
	assert_fails("acct.refz > 0", -ENOENT,
		"unknown member 'refz' of struct account; nearest: refs\n  acct.refz > 0\n       "
		"^~~~");
	assert_fails("1 + countr", -ENOENT,
		"unknown name 'countr'; nearest: counter\n  1 + countr\n      ^~~~~~");
	assert_fails("1 + vitim:counter", -ENOENT,
		"unknown name 'vitim:counter'; nearest: counter\n  1 + vitim:counter\n      "
		"^~~~~~~~~~~~~");
	assert_fails(
		"p.refs", -EINVAL, "struct account * is a pointer: write -> for .\n  p.refs\n  ^");
	assert_fails("acct->refs", -EINVAL,
		"struct account is not a pointer: write . for ->\n  acct->refs\n  ^~~~");
	assert_fails("i.refs", -ENOTDIR, "int has no members\n  i.refs\n  ^");
	assert_fails(
		"*i", -EINVAL, "int is not a pointer; cast it to one to follow it\n  *i\n   ^");
	assert_fails("acct + 1", -EINVAL,
		"struct account is not one value; name a member of it\n  acct + 1\n  ^~~~");
	assert_fails("&i", -EINVAL, "this value is not in memory: it has no address\n  &i\n   ^");
	assert_fails("&acct.a", -EINVAL, "a bit field has no address\n  &acct.a\n   ^~~~~~");
	assert_fails(
		"p * 2", -EINVAL, "'*' needs integers, and this is struct account *\n  p * 2\n  ^");
	assert_fails("2 << p", -EINVAL,
		"'<<' needs integers, and this is struct account *\n  2 << p\n       ^");
	assert_fails("p + p", -EINVAL,
		"'+' needs integers, and this is struct account *\n  p + p\n      ^");
	assert_fails("acct.f > 1", -EINVAL,
		"float: floating-point arithmetic is not supported\n  acct.f > 1\n  ^~~~~~");
	assert_fails("(float)i", -EINVAL,
		"cannot cast to float; cast to an integer or a pointer: *(float *)&...\n"
		"  (float)i\n  ^~~~~~~~");
	assert_fails("i[2]", -EINVAL, "int has no elements\n  i[2]\n  ^");
	assert_fails("p - &counter", -EINVAL,
		"struct account * and int * point to different things\n  p - &counter\n  "
		"^~~~~~~~~~~~");
	assert_fails("pid_max > 3", -EINVAL,
		"'pid_max' has no type here; give one: *(int *)&pid_max, or pid_max:4\n"
		"  pid_max > 3\n  ^~~~~~~");
	assert_fails("*acct.ptr + 1", -EINVAL,
		"void cannot be read as a value; cast it\n  *acct.ptr + 1\n  ^~~~~~~~~");
}

static void errors_of_layout(void **state)
{
	static const char *const members[] = {
		"nine_bytes", "too_wide", "half_byte", "far", "no_int"};

	for (size_t k = 0; k < sizeof(members) / sizeof(members[0]); k++) {
		struct cul_expr *e = NULL;
		struct cul_error err = {0};
		char text[64] = "((struct odd *)p)->";

		strcat(text, members[k]);
		assert_int_equal(cul_expr_parse(text, &fake.env, &e, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "cannot be read: odd layout\n"));
	}
	assert_fails("((struct odd *)p)->no_type", -ENODATA,
		"the type of member 'no_type' is not known\n  ((struct odd *)p)->no_type\n"
		"                     ^~~~~~~");
}

static void errors_of_strings(void **state)
{
	assert_fails("\"abc\"", -EINVAL,
		"a string is not a number; it can be compared with ==, != and ~\n  \"abc\"\n  "
		"^~~~~");
	assert_fails("comm + 1", -EINVAL,
		"a string is not a number; it can be compared with ==, != and ~, or indexed\n"
		"  comm + 1\n  ^~~~");
	assert_fails("i == \"a\"", -EINVAL,
		"int is no string; an array of char or a pointer to char is\n  i == \"a\"\n  ^");
	assert_fails("table == \"a\"", -EINVAL,
		"int [8] is no string; an array of char or a pointer to char is\n"
		"  table == \"a\"\n  ^~~~~");
	assert_fails("\"a\" == \"a\"", -EINVAL,
		"one side of this comparison must not be a literal\n  \"a\" == \"a\"\n  ^~~");
	assert_fails("comm ~ filename", -EINVAL,
		"'~' matches a string with a pattern in quotes: name ~ \"abc*\"\n"
		"  comm ~ filename\n         ^~~~~~~~");
	assert_fails("comm[i]", -EINVAL,
		"the index of this array is a plain number\n  comm[i]\n       ^");
	assert_fails("comm[16]", -ERANGE, "this index is beyond char [16]\n  comm[16]\n       ^~");
}

/* A long text is cut around the caret, which stays under its place. */
static void caret_in_long_texts(void **state)
{
	char text[600] = "", *line, *caret;
	struct cul_expr *e = NULL;
	struct cul_error err = {0};

	for (int k = 0; k < 60; k++)
		strcat(text, "i + ");
	strcat(text, "nix");
	for (int k = 0; k < 60; k++)
		strcat(text, " + u");
	assert_int_equal(cul_expr_parse(text, &fake.env, &e, &err), -ENOENT);
	line = strchr(err.text, '\n') + 1;
	caret = strchr(line, '\n') + 1;
	assert_true(caret - line < 100);
	assert_string_equal(strchr(caret, '^'), "^~~");
	assert_memory_equal(line + (strchr(caret, '^') - caret), "nix", 3);

	/* One column a character, not a byte. */
	assert_fails("comm == \"\xc3\xa4\xc3\xb6\" + nix", -ENOENT,
		"unknown name 'nix'; nearest: counter\n  comm == \"\xc3\xa4\xc3\xb6\" + nix\n"
		"                 ^~~");
	assert_fails("i +\n\tnix", -ENOENT,
		"unknown name 'nix'; nearest: counter\n  i +  nix\n       ^~~");
}

static void names(void **state)
{
	assert_type("counter", "int");
	assert_type("victim:counter", "int");
	assert_type("main.c:counter", "int");
	assert_type("\"odd-file.c\":counter", "int");
	assert_type("__key.42", "int");
	assert_type("sym.isra.0", "void (...)");
	assert_type("&sym.isra.0", "void (*)(...)");
	assert_type("typed_fn", "int (int)");
	assert_type("typed_fn == acct.fn", "int");
	assert_type("acct.name", "char [16]");
	assert_type("BLUE", "int");
	assert_type("DAZZLING", "enum shade");
	assert_type("LOW", "int");
	assert_type("HIGH", "enum mask");
	assert_type("per_cpu_account.refs", "int");
	/* a ? b:c is a condition unless b:c is a name; brackets and no pending ? make it a name. */
	assert_type("i?counter:u", "unsigned int");
	assert_type("i?i:u?l:c8", "long");
	assert_type("i ? victim:counter : l", "long");
	assert_type("i ? (victim:counter) : l", "long");
	assert_type("i ? table[victim:counter]:l", "long");
	assert_type("i?acct.c:u", "unsigned int");
	assert_fails("i ? (u:l) : 2", -ENOENT,
		"unknown name 'u:l'; nearest: counter\n  i ? (u:l) : 2\n       ^~~");
}

static void types_of_operators(void **state)
{
	assert_type("1", "int");
	assert_type("2147483648", "long");
	assert_type("0x80000000", "unsigned int");
	assert_type("1u", "unsigned int");
	assert_type("1LLu", "unsigned long");
	assert_type("18446744073709551615", "unsigned long");
	assert_type("'a'", "int");
	assert_type("uc + uc", "int");
	assert_type("i + u", "unsigned int");
	assert_type("u + l", "long");
	assert_type("l + ul", "unsigned long");
	assert_type("us << 2ul", "int");
	assert_type("u < l", "int");
	assert_type("acct.a + 0", "int");
	assert_type("acct.a", "u32");
	assert_type("p + 1", "struct account *");
	assert_type("1 + p", "struct account *");
	assert_type("p - p", "long");
	assert_type("p[2]", "struct account");
	assert_type("&p[2]", "struct account *");
	assert_type("table", "int [8]");
	assert_type("table + 1", "int *");
	assert_type("&table", "int (*)[8]");
	assert_type("*acct.grid", "int [3]");
	assert_type("acct.grid[1][2]", "int");
	assert_type("i ? p : 0", "struct account *");
	assert_type("&pid_max", "void *");
	assert_type("pid_max", "void");
	assert_type("*(int *)&pid_max", "int");
	assert_type("*acct.ptr", "void");
	assert_type("acct.f", "float");
	assert_type("comm", "char [16]");
	assert_type("comm[3]", "char");
	assert_type("!p", "int");
	assert_type("acct.links.next->prev", "struct list *");
}

static void casts(void **state)
{
	assert_type("(long unsigned int)i", "unsigned long");
	assert_type("(unsigned)i", "unsigned int");
	assert_type("(long long int unsigned)i", "unsigned long long");
	assert_type("(int long)i", "long");
	assert_type("(short int)i", "short");
	assert_type("(char signed)i", "signed char");
	assert_type("(const unsigned char)i", "unsigned char");
	assert_type("(u8)i", "u8");
	assert_type("(__s64)(i)", "__s64");
	assert_type("(bool)i", "bool");
	assert_type("(_Bool)i", "_Bool");
	assert_type("(size_t)-1", "size_t");
	assert_type("(u32) - 1", "u32");
	assert_type("(struct account *)l", "struct account *");
	assert_type("(struct account const * const * volatile)l", "struct account **");
	assert_type("((struct account *)l)->next", "struct account *");
	assert_type("(account_t *)l", "struct account *");
	assert_type("(enum color)i", "enum color");
	assert_type("(void *)ul", "void *");
	assert_type("(u8)~c8", "u8");
	assert_type("*(u8 *)p", "u8");
	/* `counter` is a type and an object: an object where the text allows it. */
	assert_type("(counter) - 1", "int");
	assert_type("(counter *)p", "int *");
	assert_type("(counter)", "int");
	assert_type("(counter) * 2", "int");
}

static void properties(void **state)
{
	static const struct {
		const char *text;
		bool lvalue, percpu, uses_0;
	} want[] = {
		{"counter", true, false, false},
		{"counter + i", false, false, true},
		{"table[i]", true, false, true},
		{"i", false, false, true},
		{"pid_max", true, false, false},
		{"do_fork", true, false, false},
		{"&counter", false, false, false},
		{"per_cpu_account", true, true, false},
		{"per_cpu_account.arr[i]", true, true, true},
		{"*(int *)&per_cpu_account", true, true, false},
		{"per_cpu_account.next->refs", true, false, false},
		{"per_cpu_account.refs + 1", false, false, false},
	};

	for (size_t k = 0; k < sizeof(want) / sizeof(want[0]); k++) {
		struct cul_expr *e = NULL;

		assert_int_equal(cul_expr_parse(want[k].text, &fake.env, &e, NULL), 0);
		assert_int_equal(cul_expr_is_lvalue(e), want[k].lvalue);
		assert_int_equal(cul_expr_is_percpu(e), want[k].percpu);
		assert_int_equal(cul_expr_uses_input(e, 0), want[k].uses_0);
		cul_expr_free(e);
	}
	cul_expr_free(NULL);
}

/* `count` times `before`, then `middle`, then `count` times `after`. */
static int parse_repeated(const char *before, const char *middle, const char *after, size_t count)
{
	size_t room = count * (strlen(before) + strlen(after)) + strlen(middle) + 1;
	char *text = calloc(1, room), *p = text;
	struct cul_expr *e = NULL;
	int r;

	for (size_t k = 0; k < count; k++)
		p = stpcpy(p, before);
	p = stpcpy(p, middle);
	for (size_t k = 0; k < count; k++)
		p = stpcpy(p, after);
	r = cul_expr_parse(text, &fake.env, &e, NULL);
	cul_expr_free(e);
	free(text);
	return r;
}

static void limits(void **state)
{
	assert_int_equal(parse_repeated("(", "1", ")", 20), 0);
	assert_int_equal(parse_repeated("(", "1", ")", 2000), -E2BIG);
	assert_int_equal(parse_repeated("!", "1", "", 4000), -E2BIG);
	assert_int_equal(parse_repeated("(int)", "1", "", 800), -E2BIG);
	assert_int_equal(parse_repeated("", "1", "+1", 100), 0);
	assert_int_equal(parse_repeated("", "1", "+1", 2000), -E2BIG);
	assert_int_equal(parse_repeated("", "p", "->next", 60), 0);
	assert_int_equal(parse_repeated("", "p", "->next", 600), -E2BIG);
	assert_int_equal(parse_repeated("1?1:", "1", "", 1000), -E2BIG);
	assert_int_equal(parse_repeated("table[", "1", "]", 600), -E2BIG);
	assert_int_equal(parse_repeated("11", "1", "1", 3000), -E2BIG);
}

static void out_of_memory(void **state)
{
	static const char *const texts[] = {
		"(struct account **)&p[1].next == 0 && comm == \"abc\" || -acct.b + table[i] > u",
		"i ? \"odd-file.c\":counter : acct.refz",
		"acct.name ~ \"*x\" ? &pid_max : p",
		"pid_max + 1",
	};

	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
		for (long n = 0; n < 40; n++) {
			struct cul_expr *e = NULL;
			struct fake f;
			int r;

			/* A fresh one each time: what it has interned needs no memory again. */
			assert_int_equal(fake_new(&f), 0);
			cul_alloc_fail_after(n);
			r = cul_expr_parse(texts[k], &f.env, &e, &(struct cul_error){0});
			cul_alloc_fail_after(-1);
			assert_int_equal(r != 0, e == NULL);
			if (n == 0)
				assert_int_equal(r, -ENOMEM);
			cul_expr_free(e);
			fake_free(&f);
		}
		/* The types of the fake are those of the latest; back to ours. */
		fake_free(&fake);
		assert_int_equal(fake_new(&fake), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_of_words),
		cmocka_unit_test(errors_of_grammar),
		cmocka_unit_test(what_is_no_expression_is_told_from_what_is_unknown_here),
		cmocka_unit_test(errors_of_typing),
		cmocka_unit_test(errors_of_layout),
		cmocka_unit_test(errors_of_strings),
		cmocka_unit_test(caret_in_long_texts),
		cmocka_unit_test(names),
		cmocka_unit_test(types_of_operators),
		cmocka_unit_test(casts),
		cmocka_unit_test(properties),
		cmocka_unit_test(limits),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
