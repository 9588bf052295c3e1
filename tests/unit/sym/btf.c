/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "btf_build.h"
#include "sym/btf.h"
#include "sys/fault.h"

static struct btf_build b, split;

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

static struct cul_btf *parse(struct btf_build *build, struct cul_btf *base)
{
	struct cul_btf *btf = NULL;
	struct cul_error err = {0};
	size_t size = build_end(build);

	if (cul_btf_parse(build->file, size, base, &btf, &err) < 0)
		fail_msg("%s", err.text);
	return btf;
}

static const struct cul_type *type_named(struct cul_btf *btf, const char *name)
{
	const struct cul_type *t = cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, name);

	assert_non_null(t);
	return t;
}

static const struct cul_type *to(const struct cul_type *t)
{
	const struct cul_type *target = NULL;
	struct cul_error err = {0};

	if (cul_type_to(t, &target, &err) < 0)
		fail_msg("%s", err.text);
	return target;
}

static const struct cul_member *member(const struct cul_type *t, size_t i)
{
	assert_int_equal(cul_type_fill(t, NULL), 0);
	assert_true(i < t->n_members);
	return &t->members[i];
}

static void is(const struct cul_type *t, enum cul_kind kind, uint64_t size, bool is_signed)
{
	assert_non_null(t);
	assert_int_equal(t->kind, kind);
	assert_int_equal(t->size, size);
	assert_int_equal(t->is_signed, is_signed);
}

static void base_types_have_their_kinds(void **state)
{
	struct cul_btf *btf;

	build_start(&b, 1, 0);
	build_int(&b, "int", 4, BTF_INT_SIGNED);
	build_int(&b, "char", 1, BTF_INT_SIGNED);
	build_int(&b, "unsigned char", 1, 0);
	build_int(&b, "_Bool", 1, BTF_INT_BOOL);
	build_int(&b, "__int128", 16, BTF_INT_SIGNED);
	build_int(&b, "odd", 17, 0);
	build_type(&b, BTF_KIND_FLOAT, "double", 0, 0, 8);
	btf = parse(&b, NULL);
	is(type_named(btf, "int"), CUL_KIND_INT, 4, true);
	is(type_named(btf, "char"), CUL_KIND_CHAR, 1, true);
	is(type_named(btf, "unsigned char"), CUL_KIND_CHAR, 1, false);
	is(type_named(btf, "_Bool"), CUL_KIND_BOOL, 1, false);
	is(type_named(btf, "__int128"), CUL_KIND_INT, 16, true);
	is(type_named(btf, "double"), CUL_KIND_FLOAT, 8, false);
	assert_null(cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, "odd"));
	assert_null(cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, "long"));
	assert_null(cul_btf_find(btf, CUL_BTF_STRUCT, "int"));
	assert_null(cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, ""));
	assert_int_equal(cul_type_fill(type_named(btf, "int"), NULL), 0);
	cul_btf_free(btf);
}

static void typedefs_and_qualifiers_are_stripped(void **state)
{
	uint32_t integer, unnamed, id;
	struct cul_btf *btf;
	const struct cul_type *t;

	build_start(&b, 1, 0);
	integer = build_int(&b, "int", 4, BTF_INT_SIGNED);
	id = build_type(&b, BTF_KIND_CONST, "", 0, 0, integer);
	id = build_type(&b, BTF_KIND_VOLATILE, "", 0, 0, id);
	id = build_type(&b, BTF_KIND_RESTRICT, "", 0, 0, id);
	id = build_type(&b, BTF_KIND_TYPE_TAG, "rcu", 0, 0, id);
	build_type(&b, BTF_KIND_TYPEDEF, "wrapped", 0, 0, id);
	unnamed = build_type(&b, BTF_KIND_STRUCT, "", 1, 0, 4);
	build_member(&b, "counter", integer, 0);
	id = build_type(&b, BTF_KIND_TYPEDEF, "atomic_t", 0, 0, unnamed);
	build_type(&b, BTF_KIND_TYPEDEF, "other_t", 0, 0, id);
	build_type(&b, BTF_KIND_TYPEDEF, "nothing", 0, 0, 0);
	btf = parse(&b, NULL);
	t = type_named(btf, "wrapped");
	is(t, CUL_KIND_INT, 4, true);
	assert_string_equal(t->name, "int");
	assert_string_equal(t->alias, "wrapped");
	assert_null(type_named(btf, "int")->alias);
	assert_ptr_equal(t, type_named(btf, "wrapped"));
	t = type_named(btf, "other_t");
	assert_string_equal(t->name, "atomic_t");
	assert_string_equal(t->alias, "other_t");
	is(t, CUL_KIND_STRUCT, 4, false);
	assert_string_equal(member(t, 0)->name, "counter");
	assert_string_equal(type_named(btf, "atomic_t")->alias, "atomic_t");
	is(type_named(btf, "nothing"), CUL_KIND_VOID, 0, false);
	cul_btf_free(btf);
}

static void loops_end(void **state)
{
	struct cul_btf *btf;

	build_start(&b, 1, 0);
	build_type(&b, BTF_KIND_TYPEDEF, "a", 0, 0, 2);
	build_type(&b, BTF_KIND_TYPEDEF, "b", 0, 0, 1);
	build_type(&b, BTF_KIND_TYPEDEF, "c", 0, 0, 4);
	build_array(&b, 4, 1); /* an array of itself */
	btf = parse(&b, NULL);
	assert_null(cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, "a"));
	assert_null(cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, "b"));
	assert_null(cul_btf_find(btf, CUL_BTF_TYPEDEF_OR_BASE, "c"));
	cul_btf_free(btf);
}

/* struct node { int a; struct node *next; char name[3][16]; void (*fn)(int, ...); ... } */
static void structs_have_members(void **state)
{
	uint32_t integer, character, ptr, inner, outer, fn, fn_ptr, section;
	const struct cul_type *t, *target;
	struct cul_member m;
	struct cul_btf *btf;

	build_start(&b, 1, 0);
	integer = build_int(&b, "int", 4, BTF_INT_SIGNED);
	character = build_int(&b, "char", 1, BTF_INT_SIGNED);
	ptr = build_type(&b, BTF_KIND_PTR, "", 0, 0, b.next_id + 6);
	inner = build_array(&b, character, 16);
	outer = build_array(&b, inner, 3);
	fn = build_type(&b, BTF_KIND_FUNC_PROTO, "", 2, 0, 0);
	build_pair(&b, "x", integer);
	build_pair(&b, "", 0);
	fn_ptr = build_type(&b, BTF_KIND_PTR, "", 0, 0, fn);
	section = build_type(&b, BTF_KIND_DATASEC, ".data", 0, 0, 0);
	build_type(&b, BTF_KIND_STRUCT, "node", 7, 0, 80);
	build_member(&b, "a", integer, 0);
	build_member(&b, "next", ptr, 64);
	build_member(&b, "name", outer, 128);
	build_member(&b, "fn", fn_ptr, 512);
	build_member(&b, "wrong", section, 576);
	build_member(&b, "missing", 999, 608);
	build_member(&b, "", b.next_id, 608);
	build_type(&b, BTF_KIND_UNION, "", 1, 0, 4);
	build_member(&b, "deep", integer, 0);
	btf = parse(&b, NULL);
	t = cul_btf_find(btf, CUL_BTF_STRUCT, "node");
	is(t, CUL_KIND_STRUCT, 80, false);
	is(member(t, 0)->type, CUL_KIND_INT, 4, true);
	is(member(t, 1)->type, CUL_KIND_PTR, 8, false);
	assert_ptr_equal(to(member(t, 1)->type), t);
	assert_int_equal(member(t, 1)->bit_offset, 64);
	is(member(t, 2)->type, CUL_KIND_ARRAY, 48, false);
	assert_int_equal(member(t, 2)->type->count, 3);
	is(to(member(t, 2)->type), CUL_KIND_ARRAY, 16, false);
	target = to(member(t, 3)->type);
	is(target, CUL_KIND_FUNC, 0, false);
	is(to(target), CUL_KIND_VOID, 0, false);
	assert_string_equal(member(target, 0)->name, "x");
	assert_int_equal(target->n_members, 1);
	assert_null(member(t, 4)->type);
	assert_null(member(t, 5)->type);
	assert_int_equal(t->n_members, 7);
	assert_int_equal(cul_type_member(t, "deep", &m, NULL), 0);
	assert_int_equal(m.bit_offset, 608);
	cul_btf_free(btf);
}

static void bit_fields_are_read_in_both_forms(void **state)
{
	uint32_t integer, narrow, td;
	const struct cul_type *t;
	struct cul_btf *btf;

	build_start(&b, 1, 0);
	integer = build_int(&b, "unsigned int", 4, 0);
	narrow = build_type(&b, BTF_KIND_INT, "unsigned int", 0, 0, 4);
	build_word(&b, 2u << 16 | 5); /* 5 bits, 2 bits in */
	td = build_type(&b, BTF_KIND_TYPEDEF, "u5", 0, 0, narrow);
	build_type(&b, BTF_KIND_STRUCT, "marked", 2, 1, 4);
	build_member(&b, "x", integer, 3u << 24 | 7);
	build_member(&b, "y", integer, 0);
	build_type(&b, BTF_KIND_STRUCT, "unmarked", 2, 0, 4);
	build_member(&b, "x", td, 16);
	build_member(&b, "y", integer, 0);
	build_type(&b, BTF_KIND_STRUCT, "beyond", 1, 1, 4);
	build_member(&b, "x", integer, 3u << 24 | 30);
	btf = parse(&b, NULL);
	t = cul_btf_find(btf, CUL_BTF_STRUCT, "marked");
	assert_int_equal(member(t, 0)->bit_offset, 7);
	assert_int_equal(member(t, 0)->bit_size, 3);
	assert_int_equal(member(t, 1)->bit_size, 0);
	t = cul_btf_find(btf, CUL_BTF_STRUCT, "unmarked");
	assert_int_equal(member(t, 0)->bit_offset, 18);
	assert_int_equal(member(t, 0)->bit_size, 5);
	assert_int_equal(member(t, 1)->bit_size, 0);
	t = cul_btf_find(btf, CUL_BTF_STRUCT, "beyond");
	assert_int_equal(cul_type_fill(t, NULL), -EBADMSG);
	cul_btf_free(btf);
}

static int64_t enumerator(struct cul_btf *btf, const char *name)
{
	const struct cul_type *t = NULL;
	int64_t value = 0;

	assert_int_equal(cul_btf_enumerator(btf, name, &t, &value), 0);
	assert_int_equal(t->kind, CUL_KIND_ENUM);
	assert_int_equal(cul_type_fill(t, NULL), 0);
	for (size_t i = 0; i < t->n_members; i++) {
		if (!strcmp(t->enumerators[i].name, name))
			assert_int_equal(t->enumerators[i].value, value);
	}
	return value;
}

static void enums(unsigned marked)
{
	build_start(&b, 1, 0);
	build_type(&b, BTF_KIND_ENUM, "plain", 2, 0, 4);
	build_pair(&b, "ZERO", 0);
	build_pair(&b, "HIGH", 0x80000000);
	build_type(&b, BTF_KIND_ENUM, "minus", 1, marked, 4);
	build_pair(&b, "MINUS", (uint32_t)-1);
	build_type(&b, BTF_KIND_ENUM, "tiny", 1, marked, 1);
	build_pair(&b, "TINY", (uint32_t)-2);
	build_type(&b, BTF_KIND_ENUM64, "wide", 1, 0, 8);
	build_member(&b, "WIDE", 2, 0xffffffff);
	build_type(&b, BTF_KIND_ENUM64, "wide_minus", 1, 1, 8);
	build_member(&b, "WIDE_MINUS", (uint32_t)-3, 0xffffffff);
}

static void enumerators_have_their_sign(void **state)
{
	const struct cul_type *t;
	struct cul_btf *btf;
	int64_t value;

	enums(1);
	btf = parse(&b, NULL);
	assert_int_equal(enumerator(btf, "HIGH"), INT64_C(0x80000000));
	assert_int_equal(enumerator(btf, "MINUS"), -1);
	assert_int_equal(enumerator(btf, "TINY"), -2);
	assert_int_equal(enumerator(btf, "WIDE"), (int64_t)0xffffffff00000002);
	assert_int_equal(enumerator(btf, "WIDE_MINUS"), -3);
	is(cul_btf_find(btf, CUL_BTF_ENUM, "wide"), CUL_KIND_ENUM, 8, false);
	is(cul_btf_find(btf, CUL_BTF_ENUM, "tiny"), CUL_KIND_ENUM, 1, true);
	assert_int_equal(cul_btf_enumerator(btf, "NONE", &t, &value), -ENOENT);
	cul_btf_free(btf);
}

/* Encoders before Linux 6.0: no enum is marked, and no ENUM64 is there. */
static void unmarked_enums_are_signed_when_negative(void **state)
{
	struct cul_btf *btf;

	build_start(&b, 1, 0);
	build_type(&b, BTF_KIND_ENUM, "minus", 2, 0, 4);
	build_pair(&b, "MINUS", (uint32_t)-1);
	build_pair(&b, "ONE", 1);
	build_type(&b, BTF_KIND_ENUM, "plain", 1, 0, 4);
	build_pair(&b, "TWO", 2);
	btf = parse(&b, NULL);
	assert_int_equal(enumerator(btf, "MINUS"), -1);
	is(cul_btf_find(btf, CUL_BTF_ENUM, "minus"), CUL_KIND_ENUM, 4, true);
	is(cul_btf_find(btf, CUL_BTF_ENUM, "plain"), CUL_KIND_ENUM, 4, false);
	cul_btf_free(btf);
}

static void functions_and_variables_are_found(void **state)
{
	uint32_t integer, proto, var;
	const struct cul_type *t;
	struct cul_btf *btf;

	build_start(&b, 1, 0);
	integer = build_int(&b, "unsigned long", 4, 0);
	proto = build_type(&b, BTF_KIND_FUNC_PROTO, "", 2, 0, integer);
	build_pair(&b, "size", integer);
	build_pair(&b, "flags", integer);
	build_type(&b, BTF_KIND_FUNC, "alloc", 0, 0, proto);
	build_type(&b, BTF_KIND_FUNC, "broken", 0, 0, integer);
	var = build_type(&b, BTF_KIND_VAR, "runqueues", 0, 0, integer);
	build_word(&b, BTF_VAR_GLOBAL_ALLOCATED);
	build_type(&b, BTF_KIND_DATASEC, ".data..percpu", 1, 0, 4);
	build_word(&b, var);
	build_word(&b, 0);
	build_word(&b, 4);
	build_type(&b, BTF_KIND_DECL_TAG, "tag", 0, 0, var);
	build_word(&b, (uint32_t)-1);
	build_type(&b, BTF_KIND_TYPEDEF, "ptr", 0, 0, b.next_id + 1);
	build_type(&b, BTF_KIND_PTR, "", 0, 0, 0);
	btf = parse(&b, NULL);
	t = cul_btf_func(btf, "alloc");
	is(t, CUL_KIND_FUNC, 0, false);
	assert_string_equal(t->name, "alloc");
	is(to(t), CUL_KIND_INT, 4, false);
	assert_string_equal(member(t, 1)->name, "flags");
	assert_int_equal(t->n_members, 2);
	t = cul_btf_func(btf, "broken");
	assert_non_null(t);
	assert_int_equal(cul_type_fill(t, NULL), -EBADMSG);
	assert_int_equal(cul_type_to(t, &t, NULL), -EBADMSG);
	is(cul_btf_var(btf, "runqueues"), CUL_KIND_INT, 4, false);
	assert_null(cul_btf_var(btf, "alloc"));
	is(type_named(btf, "ptr"), CUL_KIND_PTR, 4, false); /* as wide as long */
	cul_btf_free(btf);
}

static void forward_declarations_are_completed_when_one_fits(void **state)
{
	uint32_t fwd, fwd2;
	const struct cul_type *t;
	struct cul_btf *btf;

	build_start(&b, 1, 0);
	fwd = build_type(&b, BTF_KIND_FWD, "whole", 0, 0, 0);
	fwd2 = build_type(&b, BTF_KIND_FWD, "twice", 0, 0, 0);
	build_type(&b, BTF_KIND_FWD, "open", 0, 1, 0);
	build_type(&b, BTF_KIND_STRUCT, "whole", 0, 0, 8);
	build_type(&b, BTF_KIND_STRUCT, "twice", 0, 0, 8);
	build_type(&b, BTF_KIND_STRUCT, "twice", 0, 0, 16);
	build_type(&b, BTF_KIND_TYPEDEF, "w", 0, 0, fwd);
	build_type(&b, BTF_KIND_TYPEDEF, "t", 0, 0, fwd2);
	btf = parse(&b, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			type_named(btf, "w")->id, cul_btf_find(btf, CUL_BTF_STRUCT, "whole")->id);
		is(type_named(btf, "w"), CUL_KIND_STRUCT, 8, false);
	}
	is(type_named(btf, "t"), CUL_KIND_STRUCT, 0, false);
	t = cul_btf_find(btf, CUL_BTF_UNION, "open");
	is(t, CUL_KIND_UNION, 0, false);
	assert_int_equal(cul_type_fill(t, NULL), 0);
	assert_int_equal(t->n_members, 0);
	assert_null(cul_btf_find(btf, CUL_BTF_STRUCT, "open"));
	cul_btf_free(btf);
}

static void split_btf_goes_on_where_its_base_ends(void **state)
{
	struct cul_btf *base, *btf;
	const struct cul_type *t;
	uint32_t integer;

	build_start(&b, 1, 0);
	integer = build_int(&b, "int", 4, BTF_INT_SIGNED);
	build_type(&b, BTF_KIND_STRUCT, "list", 0, 0, 16);
	base = parse(&b, NULL);
	build_start(&split, b.next_id, b.n_strings);
	build_type(&split, BTF_KIND_STRUCT, "account", 2, 0, 32);
	build_member(&split, "refs", integer, 0);
	build_member(&split, "list", 2, 64);
	build_type(&split, BTF_KIND_VAR, "first", 0, 0, split.next_id - 1);
	build_word(&split, 0);
	btf = parse(&split, base);
	t = cul_btf_find(btf, CUL_BTF_STRUCT, "account");
	is(t, CUL_KIND_STRUCT, 32, false);
	assert_ptr_equal(cul_btf_var(btf, "first"), t);
	assert_ptr_equal(member(t, 0)->type, type_named(base, "int"));
	assert_ptr_equal(member(t, 0)->type, type_named(btf, "int"));
	assert_ptr_equal(member(t, 1)->type, cul_btf_find(base, CUL_BTF_STRUCT, "list"));
	assert_string_equal(member(t, 1)->name, "list");
	assert_null(cul_btf_find(base, CUL_BTF_STRUCT, "account"));
	cul_btf_free(btf);
	cul_btf_free(base);
}

static void refused(const void *data, size_t size)
{
	struct cul_btf *btf = NULL;
	struct cul_error err = {0};

	assert_int_equal(cul_btf_parse(data, size, NULL, &btf, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "offset"));
	assert_null(btf);
}

static void malformed_files_are_refused(void **state)
{
	struct btf_header *h = (void *)b.file;
	size_t size;

	enums(1);
	size = build_end(&b);
	refused(b.file, 10);
	h->magic = 0x9feb;
	refused(b.file, size);
	size = build_end(&b);
	h->version = 2;
	refused(b.file, size);
	size = build_end(&b);
	h->hdr_len = 8;
	refused(b.file, size);
	size = build_end(&b);
	h->type_len = 0xfffffff0;
	refused(b.file, size);
	size = build_end(&b);
	h->type_off = 2;
	refused(b.file, size);
	size = build_end(&b);
	h->str_off += 1;
	refused(b.file, size);
	size = build_end(&b);
	b.file[size - 1] = 'x';
	refused(b.file, size);
	size = build_end(&b);
	h->type_len -= 4;
	refused(b.file, size);
	build_type(&b, 31, "new", 0, 0, 0);
	refused(b.file, build_end(&b));
	enums(1);
	build_type(&b, BTF_KIND_STRUCT, "many", 60000, 0, 0);
	refused(b.file, build_end(&b));
}

static void unaligned_bytes_are_read(void **state)
{
	_Alignas(8) static char bytes[sizeof(b.file) + 1];
	struct cul_btf *btf;
	size_t size;

	enums(1);
	size = build_end(&b);
	memcpy(bytes + 1, b.file, size);
	assert_int_equal(cul_btf_parse(bytes + 1, size, NULL, &btf, NULL), 0);
	assert_int_equal(enumerator(btf, "MINUS"), -1);
	cul_btf_free(btf);
}

static void write_file(char *path, const void *data, size_t size)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

static void failing_calls_are_passed_on(void **state)
{
	char path[] = "/tmp/culprit-test-btf-XXXXXX";
	struct cul_btf *btf = NULL;
	struct cul_error err = {0};
	int n;

	enums(1);
	write_file(path, b.file, build_end(&b));
	assert_int_equal(cul_btf_open("/nonexistent", NULL, &btf, &err), -ENOENT);
	assert_non_null(strstr(err.text, "CONFIG_DEBUG_INFO_BTF"));
	cul_sys_fail(CUL_SYS_READ, 0, EIO);
	assert_int_equal(cul_btf_open(path, NULL, &btf, &err), -EIO);
	cul_sys_fail_none();
	for (n = 0;; n++) {
		cul_alloc_fail_after(n);
		if (cul_btf_open(path, NULL, &btf, &err) == 0)
			break;
		assert_int_equal(err.code, -ENOMEM);
		assert_null(btf);
	}
	assert_true(n >= 4);
	cul_alloc_fail_after(0);
	assert_null(cul_btf_find(btf, CUL_BTF_ENUM, "wide"));
	cul_alloc_fail_after(-1);
	assert_non_null(cul_btf_find(btf, CUL_BTF_ENUM, "wide"));
	cul_btf_free(btf);
	cul_btf_free(NULL);
	unlink(path);
}

/* Without mmap (kernels before 6.16) the file in /sys is read. */
static void the_kernels_own_is_read_with_and_without_mmap(void **state)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";
	struct cul_btf *btf;
	uint64_t size;

	if (access(path, R_OK) < 0) {
		print_message("no %s on this machine\n", path);
		skip();
	}
	assert_int_equal(cul_btf_open(path, NULL, &btf, NULL), 0);
	size = cul_btf_find(btf, CUL_BTF_STRUCT, "task_struct")->size;
	cul_btf_free(btf);
	cul_sys_fail(CUL_SYS_MMAP, 0, ENODEV);
	assert_int_equal(cul_btf_open(path, NULL, &btf, NULL), 0);
	assert_int_equal(cul_btf_find(btf, CUL_BTF_STRUCT, "task_struct")->size, size);
	cul_btf_free(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_types_have_their_kinds),
		cmocka_unit_test(typedefs_and_qualifiers_are_stripped),
		cmocka_unit_test(loops_end),
		cmocka_unit_test(structs_have_members),
		cmocka_unit_test(bit_fields_are_read_in_both_forms),
		cmocka_unit_test(enumerators_have_their_sign),
		cmocka_unit_test(unmarked_enums_are_signed_when_negative),
		cmocka_unit_test(functions_and_variables_are_found),
		cmocka_unit_test(forward_declarations_are_completed_when_one_fits),
		cmocka_unit_test(split_btf_goes_on_where_its_base_ends),
		cmocka_unit_test(malformed_files_are_refused),
		cmocka_unit_test(unaligned_bytes_are_read),
		cmocka_unit_test_teardown(failing_calls_are_passed_on, reset),
		cmocka_unit_test_teardown(the_kernels_own_is_read_with_and_without_mmap, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
