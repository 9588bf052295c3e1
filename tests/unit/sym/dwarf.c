/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Variables, types and lines by DWARF of several versions, held against the program itself. */
#include "fixture.h"

#include "base/alloc.h"
#include "sym/objfile.h"

static struct cul_objfile *open_program(const char *path)
{
	struct cul_objfile *o = NULL;
	struct cul_error err = {0};

	if (cul_objfile_open(path, path, NULL, &o, &err) != 0)
		fail_msg("%s", err.text);
	return o;
}

static struct cul_variable variable(struct cul_objfile *o, const char *file, const char *name)
{
	struct cul_variable v = {0};
	struct cul_error err = {0};

	if (cul_objfile_variable(o, file, name, &v, &err) != 0)
		fail_msg("%s: %s", name, err.text);
	return v;
}

static const char *printed(const struct cul_type *t)
{
	static char text[256];
	struct cul_str str = {0};

	cul_type_print(&str, t);
	snprintf(text, sizeof(text), "%s", cul_str_text(&str));
	cul_str_free(&str);
	return text;
}

static struct cul_member member(const struct cul_type *t, const char *name)
{
	struct cul_member m = {0};
	struct cul_error err = {0};

	if (cul_type_member(t, name, &m, &err) != 0)
		fail_msg("%s: %s", name, err.text);
	assert_non_null(m.type);
	return m;
}

static void check_fact(struct cul_objfile *o, const char *fact)
{
	char what[32], of[64], name[64];
	const struct cul_type *type;
	long long a, b, value;
	int64_t found;

	if (sscanf(fact, "%31s %63s %63s %lld %lld", what, of, name, &a, &b) == 5) {
		const struct cul_type *t = cul_objfile_type(o, CUL_KIND_STRUCT, of);
		struct cul_member m;

		assert_non_null(t);
		m = member(t, name);
		if (m.bit_offset != (uint64_t)a)
			fail_msg("%s: at bit %llu", fact, (unsigned long long)m.bit_offset);
		if (strcmp(what, "bits") == 0)
			assert_int_equal(m.bit_size, b);
		else
			assert_int_equal(m.type->size, b);
	} else if (sscanf(fact, "enumerator %63s %lld", name, &value) == 2) {
		assert_int_equal(cul_objfile_enumerator(o, name, &type, &found), 0);
		assert_int_equal(type->kind, CUL_KIND_ENUM);
		assert_int_equal(found, value);
	} else if (sscanf(fact, "size %63s %lld", name, &a) == 2) {
		type = cul_objfile_type(o, CUL_KIND_STRUCT, name);
		assert_non_null(type);
		assert_int_equal(type->size, a);
	}
}

static void facts_of(const char *path)
{
	struct cul_objfile *o = open_program(path);
	struct fixture f;

	fixture_start(&f, path);
	for (size_t i = 0; i < f.n; i++)
		check_fact(o, f.facts[i]);
	fixture_stop(&f);
	cul_objfile_free(o);
}

static void test_members(void **state)
{
	each_program(facts_of);
}

static void check_kind(const struct cul_type *t, enum cul_kind kind, uint64_t size, bool is_signed)
{
	assert_int_equal(t->kind, kind);
	assert_int_equal(t->size, size);
	assert_int_equal(t->is_signed, is_signed);
}

static void kinds_of(const char *path)
{
	struct cul_objfile *o = open_program(path);
	struct cul_error err = {0};
	const struct cul_type *t, *to;

	check_kind(variable(o, NULL, "total").type, CUL_KIND_INT, 8, false);
	check_kind(variable(o, NULL, "i").type, CUL_KIND_INT, 4, true);
	check_kind(variable(o, NULL, "long_real").type, CUL_KIND_FLOAT, 16, false);
	check_kind(variable(o, NULL, "very_wide").type, CUL_KIND_INT, 16, true);
	check_kind(variable(o, NULL, "color").type, CUL_KIND_ENUM, 4, true);
	check_kind(variable(o, NULL, "anonymous_enum").type, CUL_KIND_INT, 4, false);
	assert_string_equal(printed(variable(o, NULL, "words").type), "char *[3]");
	assert_string_equal(printed(variable(o, NULL, "matrix").type), "int32_t [4][3][2]");
	assert_string_equal(printed(variable(o, NULL, "global_handler").type), "handler_t");
	assert_int_equal(cul_type_to(variable(o, NULL, "global_handler").type, &to, &err), 0);
	assert_string_equal(printed(to), "int (char *, struct node *)");
	/* The unnamed struct bears the name of its typedef. */
	t = variable(o, NULL, "pair").type;
	assert_int_equal(t->kind, CUL_KIND_STRUCT);
	assert_string_equal(t->name, "pair_t");
	assert_string_equal(cul_objfile_typedef(o, "pair_t")->name, "pair_t");
	t = cul_objfile_typedef(o, "counter_t");
	check_kind(t, CUL_KIND_INT, 8, false);
	assert_non_null(strstr(t->name, "unsigned")); /* gcc's words, or clang's */
	assert_string_equal(printed(t), "counter_t");
	/* A struct that its unit only declares is completed from another. */
	t = member(variable(o, NULL, "first_node").type, "hidden").type;
	assert_int_equal(cul_type_to(t, &to, &err), 0);
	assert_int_equal(to->kind, CUL_KIND_STRUCT);
	assert_int_equal(member(to, "up").bit_offset, 64);
	assert_int_equal(to->size, 16);
	/* Types are told apart by kind. */
	assert_null(cul_objfile_type(o, CUL_KIND_UNION, "node"));
	assert_null(cul_objfile_type(o, CUL_KIND_STRUCT, "nothing"));
	check_kind(cul_objfile_type(o, CUL_KIND_ENUM, "color"), CUL_KIND_ENUM, 4, true);
	t = member(variable(o, NULL, "first_node").type, "yes").type;
	check_kind(t, CUL_KIND_BOOL, 1, false);
	t = member(variable(o, NULL, "first_node").type, "tail").type;
	assert_int_equal(t->kind, CUL_KIND_ARRAY);
	assert_int_equal(t->count, 0);
	cul_objfile_free(o);
}

static void test_kinds(void **state)
{
	each_program(kinds_of);
}

static void names_of(const char *path)
{
	struct cul_objfile *o = open_program(path);
	struct cul_variable v = {0};
	struct cul_error err = {0};

	assert_int_equal(variable(o, NULL, "first_node").addr, nm_address(path, "first_node"));
	assert_true(variable(o, NULL, "per_thread").is_tls);
	/* A static of two files must not be guessed. */
	assert_int_equal(cul_objfile_variable(o, NULL, "twice", &v, &err), -ENOTUNIQ);
	assert_non_null(strstr(err.text, "shapes.c"));
	assert_non_null(strstr(err.text, "other.c"));
	assert_int_not_equal(
		variable(o, "shapes.c", "twice").addr, variable(o, "other.c", "twice").addr);
	assert_int_equal(cul_objfile_variable(o, "third.c", "twice", &v, &err), -ENOENT);
	/* By the header that declares it. */
	assert_int_equal(variable(o, "header.h", "from_header").addr,
		variable(o, "other.c", "from_header").addr);
	/* Statics inside functions; each file has one of that name. */
	assert_int_equal(cul_objfile_variable(o, NULL, "calls", &v, &err), -ENOTUNIQ);
	assert_non_null(strstr(err.text, "bump"));
	variable(o, "shapes.c", "calls");
	assert_int_equal(cul_objfile_variable(o, NULL, "first_nod", &v, &err), -ENOENT);
	assert_non_null(strstr(err.text, "did you mean first_node"));
	assert_int_equal(cul_objfile_variable(o, NULL, "", &v, &err), -ENOENT);
	/* A function is not a variable. */
	assert_int_equal(cul_objfile_variable(o, NULL, "main", &v, &err), -ENOENT);
	assert_non_null(strstr(err.text, "is a function"));
	cul_objfile_free(o);
}

static void test_names(void **state)
{
	each_program(names_of);
}

static void check_line(struct cul_objfile *o, const char *path, uint64_t addr)
{
	const char *said = witness("addr2line -e %s %#llx", path, (unsigned long long)addr);
	const char *colon = strrchr(said, ':'), *slash = strrchr(said, '/');
	const char *file = NULL;
	int line = 0, ret = cul_objfile_line(o, addr, &file, &line);

	assert_non_null(colon);
	if (atoi(colon + 1) == 0) {
		assert_int_not_equal(ret, 0);
		return;
	}
	if (ret != 0 || line != atoi(colon + 1))
		fail_msg(
			"%#llx: %d %s:%d, but %s", (unsigned long long)addr, ret, file, line, said);
	/* binutils misreads the file numbers of link-time optimisation; gdb agrees with us. */
	if (!strstr(said, "<artificial>"))
		assert_memory_equal(file, slash + 1, strlen(file));
}

static void lines_of(const char *path)
{
	struct cul_objfile *o = open_program(path);
	static const char *const functions[] = {"main", "show_bits", "bump", "other_hidden"};
	const char *file;
	int line;

	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		struct cul_elf_symbol sym;

		if (cul_objfile_symbol(o, functions[i], &sym, NULL) != 0)
			continue; /* inlined */
		for (uint64_t at = 0; at < sym.size; at += sym.size / 12 + 1)
			check_line(o, path, sym.addr + at);
	}
	assert_int_equal(cul_objfile_line(o, 1, &file, &line), -ENOENT);
	assert_int_equal(cul_objfile_line(o, UINT64_MAX, &file, &line), -ENOENT);
	cul_objfile_free(o);
}

static void test_lines(void **state)
{
	each_program(lines_of);
}

static void test_bias(void **state)
{
	struct cul_objfile_load load = {.bias = 0x7f0000000000};
	const char *path = fixture_path("gcc5"), *file;
	struct cul_elf_symbol sym;
	struct cul_objfile *o;
	int line, line0;

	assert_int_equal(cul_objfile_open(path, path, &load, &o, NULL), 0);
	assert_int_equal(variable(o, NULL, "bits").addr, load.bias + nm_address(path, "bits"));
	assert_int_equal(cul_objfile_symbol(o, "main", &sym, NULL), 0);
	assert_int_equal(sym.addr, load.bias + nm_address(path, "main"));
	assert_int_equal(cul_objfile_line(o, sym.addr, &file, &line), 0);
	cul_objfile_free(o);
	o = open_program(path);
	assert_int_equal(cul_objfile_line(o, sym.addr - load.bias, &file, &line0), 0);
	assert_int_equal(line, line0);
	cul_objfile_free(o);
}

static void test_no_dwarf(void **state)
{
	struct cul_objfile *o = open_program(fixture_path("nodebug"));
	struct cul_error err = {0};
	struct cul_variable v;
	const char *file;
	int line;

	assert_int_equal(cul_objfile_variable(o, NULL, "bits", &v, &err), -ENODATA);
	assert_non_null(strstr(err.text, "-g"));
	assert_int_equal(
		cul_objfile_line(o, nm_address(fixture_path("nodebug"), "main"), &file, &line),
		-ENODATA);
	assert_null(cul_objfile_type(o, CUL_KIND_STRUCT, "node"));
	cul_objfile_free(o);
	o = open_program(fixture_path("split"));
	assert_int_equal(cul_objfile_variable(o, NULL, "bits", &v, &err), -ENODATA);
	assert_non_null(strstr(err.text, ".dwo"));
	cul_objfile_free(o);
}

/* Each allocation fails once: an error or the right answer, no crash, nothing leaked. */
static void test_out_of_memory(void **state)
{
	const char *path = fixture_path("gcc5"), *file;
	struct cul_error err = {0};
	struct cul_variable v;
	struct cul_objfile *o;
	bool done = false;
	int line;

	for (long n = 0; !done; n++) {
		assert_true(n < 10000);
		cul_alloc_fail_after(n);
		if (cul_objfile_open(path, path, NULL, &o, &err) == 0) {
			done = cul_objfile_variable(o, NULL, "first_node", &v, &err) == 0 &&
			       cul_type_fill(v.type, &err) == 0 && v.type->n_members == 13 &&
			       cul_objfile_line(o, 0x1300, &file, &line) != -ENOMEM;
			cul_objfile_free(o);
		}
		cul_alloc_fail_after(-1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bias),
		cmocka_unit_test(test_no_dwarf),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
