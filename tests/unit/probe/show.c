/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a call as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "own.h"
#include "probe/generate.h"

static struct own own;

static struct {
	struct cul_probe_event e;
	uint8_t data[2 * CUL_PROBE_PAYLOAD];
} rec;

static struct cul_str out;
static struct cul_shown shown;
static const char *why;

static int set_up(void **state)
{
	const struct cul_plan_want want = {.args = true, .ret = true, .depth = 1};

	own_start(&own, &want);
	memset(&rec, 0, sizeof(rec));
	rec.e.payload = CUL_PROBE_PAYLOAD;
	for (int i = 0; i < CUL_PROBE_FETCHES; i++)
		rec.e.got[i] = -EFAULT;
	return 0;
}

static int tear_down(void **state)
{
	cul_str_free(&out);
	own_end(&own);
	return 0;
}

static const char *show_arg(const struct cul_plan *p, const struct cul_plan_arg *a)
{
	cul_str_free(&out);
	out = (struct cul_str){0};
	why = NULL;
	cul_plan_show(p, a, &rec.e, false, own.run.scope, &out, &shown, &why);
	return shown.text;
}

/* Argument `arg` of plain(), which has fetched `size` of `bytes`. */
static const char *show(unsigned arg, const void *bytes, int size)
{
	const struct cul_plan *p = &own.run.plans[OWN_PLAIN];
	int fetch = p->args[arg].fetch;

	for (int i = 0; p->args[arg].form == CUL_FORM_FAMILIAR && i < CUL_FAMILIAR_PIECES; i++)
		if (p->args[arg].familiar->pieces[i].text)
			fetch = p->args[arg].pieces[i].fetch;
	if (fetch >= 0) {
		rec.e.in.words[arg] = size > 0 ? 0x1000 : rec.e.in.words[arg];
		memset(rec.data, '#', sizeof(rec.data));
		if (size > 0)
			memcpy(rec.data + p->recipe.fetch[fetch].pos, bytes, (size_t)size);
		rec.e.got[fetch] = (int16_t)size;
	}
	return show_arg(p, &p->args[arg]);
}

static void strings(void **state)
{
	char full[128];

	assert_string_equal(show(1, "/etc/passwd", 12), "\"/etc/passwd\"");
	assert_string_equal(show(1, "", 1), "\"\"");
	assert_string_equal(show(1, "a\"b\\c", 6), "\"a\\\"b\\\\c\"");
	assert_string_equal(show(1, "\x1b[2J\n\xff", 7), "\"\\x1b[2J\\x0a\\xff\"");
	/* What follows its end is not its. */
	assert_string_equal(show(1, "ab\0secret", 9), "\"ab\"");
	/* No end within what came. */
	assert_string_equal(show(1, "abc", 3), "\"abc\"");
	memset(full, 'x', sizeof(full));
	show(1, full, sizeof(full));
	assert_int_equal(strlen(shown.text), 128 + 5);
	assert_string_equal(shown.text + 128, "x\"...");
	assert_false(shown.is_number);
}

static void what_could_not_be_read(void **state)
{
	rec.e.in.words[1] = 0;
	assert_string_equal(show(1, NULL, -EFAULT), "NULL");
	assert_null(why);
	rec.e.in.words[1] = 0x10;
	assert_non_null(strstr(show(1, NULL, -EFAULT), "10"));
	assert_string_equal(why, "unreadable");
	/* More than there was room for was never fetched. */
	show(1, NULL, 0);
	assert_string_equal(why, "unreadable");
	rec.e.got[own.run.plans[OWN_PLAIN].args[1].fetch] = 129;
	show_arg(&own.run.plans[OWN_PLAIN], &own.run.plans[OWN_PLAIN].args[1]);
	assert_string_equal(why, "unreadable");
	/* Beyond what the record brings. */
	rec.e.payload = 8;
	show(5, "abc", 4);
	assert_string_equal(why, "unreadable");
}

static void paths(void **state)
{
	static const char deep[] = "passwd\0etc\0", root[] = "/\0", mounted[] = "x\0tmp\0/\0";

	assert_string_equal(show(3, deep, sizeof(deep) - 1), "/etc/passwd");
	assert_string_equal(show(4, root, 2), "/");
	assert_string_equal(show(4, "/", 2), "/");
	assert_string_equal(show(3, mounted, sizeof(mounted) - 1), "/tmp/x");
	assert_string_equal(show(3, ":pipefs", 8), "pipefs:");
	/* Hostile: no end, only ends. */
	assert_string_equal(show(3, "abc", 3), "?");
	assert_string_equal(show(3, ":abc", 4), "?");
	assert_string_equal(show(3, "\0\0\0", 3), "...//");
	assert_string_equal(show(3, ":", 1), "?");
}

/* It begins with "...", for one that is not whole must not look like one from the root. */
static void paths_that_are_cut(void **state)
{
	static const char cut[] = "x\0tmp\0\0";
	char full[256];

	assert_string_equal(show(3, cut, sizeof(cut) - 1), ".../tmp/x");
	/* The last name that found room has perhaps not all of its letters. */
	memset(full, 'd', sizeof(full));
	memcpy(full, "x\0tmp", 6);
	full[255] = 0;
	assert_string_equal(show(3, full, sizeof(full)), ".../tmp/x");
	/* The longest name there is fits. */
	memset(full, 'n', 255);
	show(3, full, sizeof(full));
	assert_int_equal(strlen(shown.text), 255 + 4);
	assert_memory_equal(shown.text, ".../nnn", 7);
}

static void a_name_of_a_struct(void **state)
{
	assert_string_equal(show(5, "/bin/sh", 8), "\"/bin/sh\"");
}

static void structs(void **state)
{
	const struct pair_bytes pair = {-9, 0};

	rec.e.in.words[2] = 0x1000;
	show(2, &pair, sizeof(pair));
	assert_non_null(strstr(shown.text, "-9"));
	/* The page ended there. */
	show(2, &pair, 8);
	assert_non_null(strstr(shown.text, "-9"));
	show(2, &pair, 3);
	assert_non_null(shown.text);
}

static void values_by_type(void **state)
{
	const struct cul_plan *pass = &own.run.plans[OWN_PASS], *odd = &own.run.plans[OWN_ODD];

	rec.e.in.words[0] = 0xffffffff00000007; /* the upper half is not defined */
	assert_string_equal(show(0, NULL, 0), "7");
	assert_true(shown.is_number);
	rec.e.in.words[0] = 3;
	rec.e.in.words[2] = 1;
	assert_non_null(strstr(show_arg(pass, &pass->args[0]), "3"));
	assert_string_equal(show_arg(pass, &pass->args[1]), "KIND_SOME");
	assert_null(show_arg(odd, &odd->args[0]));
	assert_string_equal(why, "floating point");
	assert_null(show_arg(odd, &odd->args[4]));
	assert_string_equal(why, "not seen");
}

/* The values of expressions that met what could not be read. */
static void faults(void **state)
{
	const struct cul_plan_want want = {.args = true, .depth = 1};
	struct cul_plan *p = &own.run.plans[OWN_PLAIN];
	const struct cul_generated_value values[] = {
		{.text = (char *)"n", .type = p->args[0].type, .at = 0, .n = 1},
		{.text = (char *)"p", .type = p->args[2].type, .at = 1, .n = 1},
	};

	cul_plan_values(p, &want, values, 2);
	assert_int_equal(p->n_args, 2);
	rec.e.in.values[0] = 12;
	assert_string_equal(show_arg(p, &p->args[0]), "12");
	assert_string_equal(show_arg(p, &p->args[1]), "NULL");
	assert_null(why);
	rec.e.in.faults = 3;
	assert_null(show_arg(p, &p->args[0]));
	assert_string_equal(why, "unreadable");
	assert_null(show_arg(p, &p->args[1])); /* it is not known to be NULL */
	assert_string_equal(why, "unreadable");
}

static void errors_by_name(void **state)
{
	static const struct {
		int64_t ret;
		unsigned flags;
		const char *name;
	} cases[] = {{-2, CUL_CALL_RETURN, "ENOENT"}, {-2, 0, NULL}, {0, CUL_CALL_RETURN, NULL},
		{2, CUL_CALL_RETURN, NULL}, {-4096, CUL_CALL_RETURN, NULL},
		{-11, CUL_CALL_RETURN, "EAGAIN"}, {INT64_MIN, CUL_CALL_RETURN, NULL}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name;

		rec.e.in.ret = cases[i].ret;
		rec.e.flags = cases[i].flags;
		name = cul_plan_error(&own.run.plans[OWN_PLAIN], &rec.e);
		assert_true(!name == !cases[i].name);
		if (name)
			assert_string_equal(name, cases[i].name);
		/* Nothing is returned: whatever stands in the register. */
		assert_null(cul_plan_error(&own.run.plans[OWN_PASS], &rec.e));
	}
	rec.e.in.ret = -4095;
	rec.e.flags = CUL_CALL_RETURN;
	cul_plan_error(&own.run.plans[OWN_PLAIN], &rec.e);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(strings),
		TEST(what_could_not_be_read),
		TEST(paths),
		TEST(paths_that_are_cut),
		TEST(a_name_of_a_struct),
		TEST(structs),
		TEST(values_by_type),
		TEST(faults),
		TEST(errors_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
