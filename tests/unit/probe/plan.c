/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read at a call, from types of each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "own.h"

static struct own own;
static const struct cul_plan_want all = {.args = true, .ret = true, .depth = 1};

static int set_up(void **state)
{
	own_start(&own, &all);
	return 0;
}

static int tear_down(void **state)
{
	own_end(&own);
	return 0;
}

static struct cul_plan plan(unsigned function, struct cul_plan_want want)
{
	struct cul_plan p;
	struct cul_error err = {0};

	if (cul_plan_make(own_type(&own, function), &want, &p, &err))
		fail_msg("%s", err.text);
	/* Whatever the types: what the kernel is told is within its bounds. */
	assert_true(p.recipe.n_fetches <= CUL_PROBE_FETCHES);
	assert_true(p.recipe.payload <= CUL_PROBE_PAYLOAD && p.recipe.payload % 8 == 0);
	for (unsigned i = 0; i < p.recipe.n_fetches; i++) {
		const struct cul_probe_fetch *f = &p.recipe.fetch[i];

		assert_true(f->size && f->size <= CUL_PROBE_FETCH_MOST && f->pos % 8 == 0);
		assert_true(f->pos + f->size <= p.recipe.payload);
		assert_true(f->source < CUL_PROBE_SOURCES && f->through <= i);
	}
	for (size_t i = 0; i < p.n_args; i++)
		assert_true(p.args[i].fetch < (int)p.recipe.n_fetches);
	return p;
}

static const struct cul_probe_fetch *fetch_of(const struct cul_plan *p, size_t arg)
{
	assert_true(p->args[arg].fetch >= 0);
	return &p->recipe.fetch[p->args[arg].fetch];
}

static void each_kind_has_its_form(void **state)
{
	struct cul_plan p = plan(OWN_PLAIN, all);
	const struct cul_probe_fetch *text;

	assert_true(p.typed && p.has_ret);
	assert_int_equal(p.n_args, 6);
	assert_int_equal(p.recipe.ret, CUL_RET_INT32);
	assert_int_equal(p.ret.source, CUL_PROBE_FROM_RET);
	assert_int_equal(p.words, 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(p.args[i].source, i);
	assert_int_equal(p.args[0].form, CUL_FORM_VALUE);
	assert_int_equal(p.args[0].fetch, -1);
	assert_int_equal(p.args[1].form, CUL_FORM_STRING);
	assert_int_equal(fetch_of(&p, 1)->kind, CUL_FETCH_STR);
	assert_int_equal(p.args[2].form, CUL_FORM_OBJECT);
	assert_int_equal(fetch_of(&p, 2)->kind, CUL_FETCH_MEM);
	assert_int_equal(fetch_of(&p, 2)->size, 16);
	assert_string_equal(p.args[2].object->name, "pair");
	assert_int_equal(fetch_of(&p, 3)->kind, CUL_FETCH_FILE);
	assert_int_equal(fetch_of(&p, 4)->kind, CUL_FETCH_DENTRY);
	assert_int_equal(p.args[4].form, CUL_FORM_PATH);
	assert_int_equal(p.args[5].form, CUL_FORM_FAMILIAR);
	text = &p.recipe.fetch[p.args[5].pieces[0].fetch];
	assert_int_equal(text->kind, CUL_FETCH_STR);
	assert_int_equal(text->offset + p.recipe.fetch[text->through - 1].offset, 8);
	assert_int_equal(p.recipe.fetch[text->through - 1].kind, CUL_FETCH_MEM);
	assert_int_equal(p.recipe.fetch[text->through - 1].source, 5);
}

/* A process's `struct file` is any struct. */
static void a_process_has_no_dentries(void **state)
{
	struct cul_plan_want want = all;
	struct cul_plan p;

	want.user = true;
	p = plan(OWN_PLAIN, want);
	for (size_t i = 3; i < 6; i++)
		assert_int_equal(p.args[i].form, CUL_FORM_OBJECT);
}

static void nothing_is_read_that_is_not_shown(void **state)
{
	const struct cul_plan_want nothing = {.depth = 1};
	struct cul_plan_want want = all;
	struct cul_plan p = plan(OWN_PLAIN, nothing);

	assert_int_equal(p.recipe.n_fetches, 0);
	assert_int_equal(p.n_args, 6); /* --if may use them */
	want.depth = 0;
	p = plan(OWN_PLAIN, want);
	assert_int_equal(p.args[2].fetch, -1);
	assert_int_equal(p.args[1].form, CUL_FORM_STRING);
	p = plan(OWN_TREE, nothing);
	assert_int_equal(p.ret.fetch, -1);
	p = plan(OWN_TREE, all);
	assert_int_equal(p.recipe.ret, CUL_RET_POINTER);
	assert_true(p.recipe.fetch[p.ret.fetch].at_return);
	assert_int_equal(p.recipe.fetch[p.ret.fetch].source, CUL_PROBE_FROM_RET);
}

static void room_that_is_used_up(void **state)
{
	struct cul_plan p = plan(OWN_MANY, all);
	unsigned fetched = 0;

	assert_int_equal(p.n_args, 16);
	assert_int_equal(p.words, 16);
	for (size_t i = 0; i < 16; i++) {
		fetched += p.args[i].fetch >= 0;
		assert_int_equal(
			p.args[i].form, p.args[i].fetch >= 0 ? CUL_FORM_OBJECT : CUL_FORM_VALUE);
	}
	assert_int_equal(fetched, CUL_PROBE_PAYLOAD / CUL_PROBE_FETCH_MOST);
	assert_int_equal(p.recipe.payload, CUL_PROBE_PAYLOAD);
	assert_int_equal(p.ret.form, CUL_FORM_VALUE);
}

static void odd_types(void **state)
{
	struct cul_plan p = plan(OWN_ODD, all);

	assert_int_equal(p.args[0].source, -1);
	assert_int_equal(p.args[0].place.where, CUL_ARG_FLOAT);
	assert_int_equal(p.ret.source, -1);
	/* An incomplete struct, void and code are addresses. */
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(p.args[i].source, i - 1);
		assert_int_equal(p.args[i].fetch, -1);
	}
	/* A struct within itself has no place, and what follows it has none that is known. */
	assert_int_equal(p.args[4].source, -1);
	assert_int_equal(p.args[5].source, -1);
	p = plan(OWN_PASS, all);
	assert_false(p.has_ret);
	assert_int_equal(p.recipe.ret, CUL_RET_NONE);
	assert_int_equal(p.args[0].place.n_words, 2);
	assert_int_equal(p.args[1].source, 2);
}

/* A list that goes on for ever. */
static void depth_ends(void **state)
{
	struct cul_plan_want want = all;
	unsigned before = 0;

	for (want.depth = 0; want.depth <= 8; want.depth++) {
		struct cul_plan p = plan(OWN_TREE, want);

		assert_true(p.recipe.n_fetches >= before);
		before = p.recipe.n_fetches;
	}
	assert_int_equal(before, CUL_PROBE_FETCHES);
}

static void unsigned_bytes_are_text_where_they_are_called_so(void **state)
{
	const struct cul_type *function = own_type(&own, OWN_ODD);
	const struct cul_type *plain = own_type(&own, OWN_PLAIN);
	struct cul_member *params;

	assert_int_equal(cul_type_fill(function, NULL), 0);
	params = function->members;
	assert_int_equal(cul_plan_text(params[5].type, "name"), UINT64_MAX);
	assert_int_equal(cul_plan_text(params[5].type, "dentry->d_name.name"), UINT64_MAX);
	assert_int_equal(cul_plan_text(params[5].type, "bytes"), 0);
	assert_int_equal(cul_plan_text(params[5].type, "ame"), 0);
	assert_int_equal(cul_plan_text(params[5].type, NULL), 0);
	assert_int_equal(cul_plan_text(params[2].type, "name"), 0); /* void * */
	/* The parameter `name` of another function, as if it had that type. */
	assert_int_equal(cul_type_fill(plain, NULL), 0);
	assert_int_equal(cul_plan_text(plain->members[1].type, "bytes"), UINT64_MAX);
	plain->members[1].type = params[5].type;
	assert_int_equal(plan(OWN_PLAIN, all).args[1].form, CUL_FORM_STRING);
	plain->members[1].name = "bytes";
	assert_int_equal(plan(OWN_PLAIN, all).args[1].form, CUL_FORM_OBJECT);
}

static void a_tracepoint_has_words(void **state)
{
	struct cul_plan_want want = all;
	struct cul_plan p;

	want.tracepoint = true;
	p = plan(OWN_PASS, want);
	assert_int_equal(p.n_args, 2); /* the first one is the tracepoint's own */
	assert_int_equal(p.args[0].source, 0);
	assert_int_equal(p.args[1].source, 1);
	assert_int_equal(fetch_of(&p, 1)->source, 1);
}

static void without_a_type(void **state)
{
	struct cul_plan p;
	const struct cul_type number = {.kind = CUL_KIND_INT, .size = 4};
	struct cul_error err = {0};

	assert_int_equal(cul_plan_make(NULL, &all, &p, &err), 0);
	assert_false(p.typed || p.has_ret);
	assert_int_equal(p.n_args + p.recipe.n_fetches, 0);
	assert_int_equal(cul_plan_make(&number, &all, &p, &err), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_kind_has_its_form),
		TEST(a_process_has_no_dentries),
		TEST(nothing_is_read_that_is_not_shown),
		TEST(room_that_is_used_up),
		TEST(odd_types),
		TEST(depth_ends),
		TEST(unsigned_bytes_are_text_where_they_are_called_so),
		TEST(a_tracepoint_has_words),
		TEST(without_a_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
