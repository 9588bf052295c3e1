/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own BTF: every type that has a name, with libbpf as the witness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/btf.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "sym/btf.h"

static const char path[] = "/sys/kernel/btf/vmlinux";

struct both {
	struct btf *theirs;
	struct cul_btf *ours;
};

static int set_up(void **state)
{
	static struct both both;
	struct cul_error err = {0};

	*state = NULL;
	if (access(path, R_OK) < 0)
		return 0;
	both.theirs = btf__parse(path, NULL);
	if (!both.theirs || cul_btf_open(path, NULL, &both.ours, &err) < 0)
		return -1;
	*state = &both;
	return 0;
}

static int tear_down(void **state)
{
	struct both *both = *state;

	if (both) {
		btf__free(both->theirs);
		cul_btf_free(both->ours);
	}
	return 0;
}

static struct both *get(void **state)
{
	if (!*state) {
		print_message("no %s on this machine\n", path);
		skip();
	}
	return *state;
}

/* Records by the first of their name, which is the one that a name finds. */
static const struct btf_type *theirs_named(const struct btf *btf, const char *name, int kind)
{
	int id = btf__find_by_name_kind(btf, name, (uint32_t)kind);

	return id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
}

static void same_type(const struct btf *btf, uint32_t id, const struct cul_type *ours)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, id = t->type);
	if (id == 0) {
		assert_int_equal(ours->kind, CUL_KIND_VOID);
		return;
	}
	assert_non_null(ours);
	if (btf_is_fwd(t))
		return; /* ours may be completed */
	if (btf_is_composite(t) || btf_is_any_enum(t) || btf_is_int(t) || btf_is_ptr(t) ||
		btf_is_array(t))
		assert_int_equal(ours->size, btf__resolve_size(btf, id));
	if (btf_is_composite(t))
		assert_int_equal(ours->kind, btf_is_struct(t) ? CUL_KIND_STRUCT : CUL_KIND_UNION);
	if (btf_is_ptr(t))
		assert_int_equal(ours->kind, CUL_KIND_PTR);
	if (btf_is_array(t))
		assert_int_equal(ours->count, btf_array(t)->nelems);
}

static void same_members(const struct btf *btf, const struct btf_type *t, const struct cul_type *o)
{
	assert_int_equal(cul_type_fill(o, NULL), 0);
	assert_int_equal(o->n_members, btf_vlen(t));
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;

		assert_string_equal(o->members[i].name, btf__name_by_offset(btf, m->name_off));
		assert_int_equal(o->members[i].bit_offset, btf_member_bit_offset(t, i));
		assert_int_equal(o->members[i].bit_size, btf_member_bitfield_size(t, i));
		same_type(btf, m->type, o->members[i].type);
	}
}

static void structs_and_unions_agree(void **state)
{
	struct both *both = get(state);
	uint32_t n = btf__type_cnt(both->theirs), compared = 0;

	/* A name costs libbpf a search through everything: every tenth is enough. */
	for (uint32_t id = 1; id < n; id++) {
		const struct btf_type *t = btf__type_by_id(both->theirs, id);
		const char *name = btf__name_by_offset(both->theirs, t->name_off);
		const struct cul_type *o;

		if (!btf_is_composite(t) || !*name || (id % 10 && strcmp(name, "task_struct") != 0))
			continue;
		o = cul_btf_find(
			both->ours, btf_is_struct(t) ? CUL_BTF_STRUCT : CUL_BTF_UNION, name);
		assert_non_null(o);
		t = theirs_named(both->theirs, name, btf_kind(t));
		assert_int_equal(o->size, t->size);
		same_members(both->theirs, t, o);
		compared++;
	}
	assert_true(compared > 500);
}

static void enumerators_agree(void **state)
{
	struct both *both = get(state);
	uint32_t n = btf__type_cnt(both->theirs), compared = 0;

	for (uint32_t id = 1; id < n; id++) {
		const struct btf_type *t = btf__type_by_id(both->theirs, id);
		const char *name = btf__name_by_offset(both->theirs, t->name_off);
		const struct cul_type *o;

		if (!btf_is_any_enum(t) || !*name || btf_vlen(t) == 0)
			continue;
		if (btf__find_by_name_kind(both->theirs, name, btf_kind(t)) != (int)id)
			continue;
		o = cul_btf_find(both->ours, CUL_BTF_ENUM, name);
		assert_non_null(o);
		assert_int_equal(o->size, t->size);
		assert_int_equal(cul_type_fill(o, NULL), 0);
		if (o->n_members != btf_vlen(t))
			continue; /* an ENUM and an ENUM64 of one name */
		for (uint32_t i = 0; i < btf_vlen(t); i++) {
			int64_t value = btf_is_enum64(t)
						? (int64_t)btf_enum64_value(btf_enum64(t) + i)
					: btf_kflag(t) ? btf_enum(t)[i].val
						       : (int64_t)(uint32_t)btf_enum(t)[i].val;

			assert_int_equal(o->enumerators[i].value, value);
			compared++;
		}
	}
	assert_true(compared > 1000);
}

static void functions_agree(void **state)
{
	struct both *both = get(state);
	uint32_t n = btf__type_cnt(both->theirs), compared = 0;

	for (uint32_t id = 1; id < n; id++) {
		const struct btf_type *t = btf__type_by_id(both->theirs, id), *proto;
		const char *name = btf__name_by_offset(both->theirs, t->name_off);
		const struct cul_type *o, *to;

		if (!btf_is_func(t) || id % 100)
			continue;
		if (btf__find_by_name_kind(both->theirs, name, BTF_KIND_FUNC) != (int)id)
			continue;
		o = cul_btf_func(both->ours, name);
		assert_non_null(o);
		assert_int_equal(cul_btf_func_id(both->ours, name), id);
		proto = btf__type_by_id(both->theirs, t->type);
		assert_int_equal(cul_type_to(o, &to, NULL), 0);
		same_type(both->theirs, proto->type, to);
		assert_int_equal(cul_type_fill(o, NULL), 0);
		for (size_t i = 0; i < o->n_members; i++) {
			assert_string_equal(o->members[i].name,
				btf__name_by_offset(both->theirs, btf_params(proto)[i].name_off));
			same_type(both->theirs, btf_params(proto)[i].type, o->members[i].type);
		}
		compared++;
	}
	assert_true(compared > 100);
}

static void structs_have_their_ids(void **state)
{
	struct both *both = get(state);
	static const char *const tags[] = {"task_struct", "pt_regs", "list_head"};

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		assert_int_equal(cul_btf_struct_id(both->ours, tags[i]),
			btf__find_by_name_kind(both->theirs, tags[i], BTF_KIND_STRUCT));
	assert_int_equal(cul_btf_struct_id(both->ours, "no such struct"), 0);
	assert_int_equal(cul_btf_struct_id(both->ours, ""), 0);
}

static void a_mistyped_name_is_near(void **state)
{
	struct cul_nearest near;
	struct cul_btf *btf = NULL;

	if (cul_btf_open("/sys/kernel/btf/vmlinux", NULL, &btf, NULL) < 0)
		skip();
	cul_nearest_init(&near, "task_strct");
	cul_btf_nearest(btf, CUL_BTF_STRUCT, &near);
	assert_true(near.n > 0);
	assert_string_equal(near.best[0].name, "task_struct");
	cul_nearest_init(&near, "pid_tt");
	cul_btf_nearest(btf, CUL_BTF_TYPEDEF_OR_BASE, &near);
	assert_string_equal(near.best[0].name, "pid_t");
	cul_btf_free(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structs_and_unions_agree),
		cmocka_unit_test(enumerators_agree),
		cmocka_unit_test(functions_agree),
		cmocka_unit_test(structs_have_their_ids),
		cmocka_unit_test(a_mistyped_name_is_near),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
