/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening, build ids, separate debug files, symbols, relocatable files. */
#include "fixture.h"

#include <elf.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sym/objfile.h"
#include "sys/cut.h"
#include "sys/file.h"

static struct cul_objfile *open_with(const char *path, const char *debug_path)
{
	const char *paths[] = {debug_path, NULL};
	struct cul_objfile_load load = {.debug_paths = debug_path ? paths : NULL};
	struct cul_objfile *o = NULL;
	struct cul_error err = {0};

	if (cul_objfile_open(path, path, &load, &o, &err) != 0)
		fail_msg("%s", err.text);
	return o;
}

static void test_not_elf(void **state)
{
	struct cul_objfile *o = NULL;
	struct cul_error err = {0};

	assert_int_equal(cul_objfile_open("/nonexistent/x", "x", NULL, &o, &err), -ENOENT);
	assert_int_equal(cul_objfile_open(fixture_path("shapes.c"), "x", NULL, &o, &err), -ENOEXEC);
	assert_int_equal(cul_objfile_open(fixture_path("gcc5.gz"), "x", NULL, &o, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "gunzip"));
	assert_int_equal(cul_objfile_open("/dev/null", "x", NULL, &o, &err), -ENOEXEC);
	assert_int_equal(cul_objfile_open("/tmp", "x", NULL, &o, &err), -EISDIR);
	assert_null(o);
}

/* The number stands in section 0 then: so many headers no program has. */
static void test_many_headers(void **state)
{
	static const struct {
		off_t count, in_section_0; /* offsets */
	} fields[] = {{offsetof(Elf64_Ehdr, e_phnum), offsetof(Elf64_Shdr, sh_info)},
		{offsetof(Elf64_Ehdr, e_shnum), offsetof(Elf64_Shdr, sh_size)}};
	const uint32_t many = 2 << 20;

	for (size_t i = 0; i < 2; i++) {
		const uint16_t count = i == 0 ? PN_XNUM : 0;
		char path[] = "/tmp/culprit-test-XXXXXX";
		struct cul_objfile *o = NULL;
		int fd = mkstemp(path);
		Elf64_Ehdr eh;

		witness("cp %s %s", fixture_path("gcc5"), path);
		assert_int_equal(pread(fd, &eh, sizeof(eh), 0), sizeof(eh));
		assert_int_equal(ftruncate(fd, 1ll << 40), 0);
		cul_objfile_free(open_with(path, NULL));
		assert_int_equal(pwrite(fd, &count, 2, fields[i].count), 2);
		assert_int_equal(
			pwrite(fd, &many, 4, (off_t)eh.e_shoff + fields[i].in_section_0), 4);
		assert_int_equal(cul_objfile_open(path, path, NULL, &o, NULL), -EBADMSG);
		close(fd);
		unlink(path);
	}
}

/* Opening a FIFO would wait for a writer for ever. */
static void test_fifo(void **state)
{
	char dir[] = "/tmp/culprit-test-XXXXXX", path[64];
	struct cul_objfile *o = NULL;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(cul_objfile_open(path, path, NULL, &o, NULL), -ENOEXEC);
	unlink(path);
	rmdir(dir);
}

static void check_same_id(const uint8_t *id, size_t n, const char *name)
{
	struct cul_objfile *o = open_with(fixture_path(name), NULL);
	const uint8_t *other = NULL;

	assert_int_equal(cul_objfile_build_id(o, &other), n);
	assert_memory_equal(other, id, n);
	cul_objfile_free(o);
}

static void test_build_id(void **state)
{
	struct cul_objfile *o = open_with(fixture_path("gcc5"), NULL);
	const uint8_t *id;
	size_t n = cul_objfile_build_id(o, &id);
	char text[128] = "";

	for (size_t i = 0; i < n && i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	assert_string_equal(
		text, witness("readelf -n %s | sed -n 's/.*Build ID: //p'", fixture_path("gcc5")));
	check_same_id(id, n, "headless");
	cul_objfile_free(o);
	o = open_with(fixture_path("noid"), NULL);
	assert_int_equal(cul_objfile_build_id(o, &id), 0);
	cul_objfile_free(o);
}

static void check_debug_of(const char *file, const char *debug_path, const char *found)
{
	struct cul_objfile *o = open_with(file, debug_path);
	struct cul_elf_symbol sym;
	struct cul_variable v;
	const char *path;

	assert_int_equal(cul_objfile_has_dwarf(o), found != NULL);
	path = cul_objfile_debug_path(o);
	if (found) {
		assert_non_null(path);
		assert_non_null(strstr(path, found));
		assert_int_equal(cul_objfile_variable(o, NULL, "first_node", &v, NULL), 0);
		/* The static symbol is in the debug file's table only. */
		assert_int_equal(cul_objfile_symbol(o, "static_node", &sym, NULL), 0);
	} else {
		assert_null(path);
		assert_int_equal(cul_objfile_variable(o, NULL, "first_node", &v, NULL), -ENODATA);
	}
	cul_objfile_free(o);
}

static void check_debug(const char *program, const char *debug_path, const char *found)
{
	check_debug_of(fixture_path(program), debug_path, found);
}

static void test_debug_files(void **state)
{
	char by_id[512];

	snprintf(by_id, sizeof(by_id), "%s", fixture_path("by-id"));
	check_debug("by-link/gcc5", NULL, "by-link/.debug/gcc5.debug");
	check_debug("by-id/gcc5", NULL, NULL);
	check_debug("by-id/gcc5", by_id, "by-id/.build-id/");
	check_debug("by-crc/noid", NULL, "by-crc/noid.debug");
	check_debug("by-name/gcc5", fixture_path("by-name"), "by-name/gcc5.debug");
	check_debug("by-name/gcc5", fixture_path("gcc5"), "/gcc5");
	/* Of another build: not even when the user names it. */
	check_debug("wrong/gcc4", NULL, NULL);
	check_debug("wrong/gcc4", fixture_path("gcc5"), NULL);
}

static void test_shared_debug(void **state)
{
	struct cul_objfile *o = open_with(fixture_path("dwz/gcc4"), NULL);
	struct cul_error err = {0};
	struct cul_variable v;

	assert_int_equal(cul_objfile_variable(o, NULL, "first_node", &v, &err), 0);
	assert_string_equal(v.type->name, "node");
	cul_objfile_free(o);
	o = open_with(fixture_path("dwz-missing/gcc4"), NULL);
	assert_int_equal(cul_objfile_variable(o, NULL, "first_node", &v, &err), -ENODATA);
	assert_non_null(strstr(err.text, "dwz-missing/common.debug"));
	cul_objfile_free(o);
	o = open_with(fixture_path("dwz-fifo/gcc4"), NULL);
	assert_false(cul_objfile_has_dwarf(o));
	cul_objfile_free(o);
	o = open_with(fixture_path("dwz-fifo/apart"), NULL);
	cul_objfile_debug_ahead(o);
	assert_false(cul_objfile_has_dwarf(o));
	cul_objfile_free(o);
}

/* Each symbol of nm, by name and by address. */
static void check_symbols(const char *path)
{
	struct cul_objfile *o = open_with(path, NULL);
	char command[600], line[512], name[400];
	unsigned long long addr, size;
	unsigned n = 0;
	char kind;
	FILE *nm;

	snprintf(command, sizeof(command), "nm -S --defined-only %s", path);
	nm = popen(command, "r");
	assert_non_null(nm);
	while (fgets(line, sizeof(line), nm)) {
		struct cul_elf_symbol sym;

		if (sscanf(line, "%llx %llx %c %399s", &addr, &size, &kind, name) != 4 ||
			!strchr("TtDdBbRr", kind) || strchr(name, '@') || strstr(name, "twice") ||
			strstr(name, "calls"))
			continue;
		if (strstr(line, "per_thread") || strstr(line, "lib_thread"))
			continue;
		assert_int_equal(cul_objfile_symbol(o, name, &sym, NULL), 0);
		assert_int_equal(sym.addr, addr);
		assert_int_equal(sym.size, size);
		assert_int_equal(sym.is_function, kind == 'T' || kind == 't');
		assert_int_equal(sym.is_object, kind != 'T' && kind != 't');
		assert_int_equal(sym.is_global, kind < 'a');
		assert_int_equal(cul_objfile_symbol_at(o, addr + size - 1, &sym), 0);
		if (sym.addr != addr || sym.size != size)
			fail_msg("%s: %s+%#llx is called %s", path, name, size - 1, sym.name);
		n++;
	}
	pclose(nm);
	assert_true(n > 5);
	cul_objfile_free(o);
}

static void test_symbols(void **state)
{
	struct cul_error err = {0};
	struct cul_elf_symbol sym;
	struct cul_objfile *o;

	each_program(check_symbols);
	check_symbols(fixture_path("libshapes.so.1"));
	o = open_with(fixture_path("gcc5"), NULL);
	assert_int_equal(cul_objfile_symbol(o, "per_thread", &sym, NULL), 0);
	assert_true(sym.is_tls);
	assert_int_equal(cul_objfile_symbol(o, "show_bit", &sym, &err), -ENOENT);
	assert_non_null(strstr(err.text, "show_bits"));
	assert_int_equal(cul_objfile_symbol_at(o, 0, &sym), -ENOENT);
	assert_int_equal(cul_objfile_symbol_at(o, UINT64_MAX, &sym), -ENOENT);
	cul_objfile_free(o);
}

static void test_copies(void **state)
{
	struct cul_objfile *o = open_with(fixture_path("useslib"), NULL);

	assert_true(cul_objfile_copies(o, "lib_copied"));
	assert_false(cul_objfile_copies(o, "lib_own"));
	assert_false(cul_objfile_copies(o, "first_node"));
	cul_objfile_free(o);
	o = open_with(fixture_path("gcc5"), NULL);
	assert_false(cul_objfile_copies(o, "lib_copied"));
	cul_objfile_free(o);
}

/* Sections where the linker put those of the file "linked"; .data is found or not by `data`. */
static int linked_section(void *data, const char *name, uint64_t *addr)
{
	static const struct {
		const char *name;
		uint64_t addr;
	} at[] = {{".text", 0x41000000}, {".data", 0x42000000}, {".bss", 0x43000000}};
	const bool *has_data = data;

	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		if (strcmp(name, at[i].name) == 0 && (i != 1 || !has_data || *has_data)) {
			*addr = at[i].addr;
			return 0;
		}
	return -ENOENT;
}

static void check_relocatable(const char *name)
{
	static const char *const variables[] = {"the_hidden", "twice", "from_header"};
	struct cul_objfile_load load = {.section = linked_section};
	const char *linked = fixture_path("linked"), *file;
	struct cul_elf_symbol sym;
	struct cul_variable v;
	struct cul_objfile *o;
	uint64_t addr;
	int line;

	assert_int_equal(cul_objfile_open(fixture_path(name), name, &load, &o, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		addr = nm_address(linked, variables[i]);
		assert_int_equal(cul_objfile_variable(o, NULL, variables[i], &v, NULL), 0);
		assert_int_equal(v.addr, addr);
		assert_int_equal(cul_objfile_symbol(o, variables[i], &sym, NULL), 0);
		assert_int_equal(sym.addr, addr);
	}
	assert_int_equal(cul_objfile_variable(o, NULL, "calls", &v, NULL), 0);
	assert_int_equal(v.addr, nm_address(linked, "calls.0"));
	addr = nm_address(linked, "other_hidden") + 9;
	assert_int_equal(cul_objfile_symbol_at(o, addr, &sym), 0);
	assert_string_equal(sym.name, "other_hidden");
	assert_int_equal(cul_objfile_line(o, addr, &file, &line), 0);
	assert_string_equal(file, "other.c");
	assert_int_equal(line, atoi(witness("addr2line -e %s %#llx | sed 's/.*://'", linked,
				       (unsigned long long)addr)));
	cul_objfile_free(o);
}

static void test_relocatable(void **state)
{
	struct cul_objfile_load load = {.section = linked_section, .data = &(bool){false}};
	struct cul_error err = {0};
	struct cul_elf_symbol sym;
	struct cul_variable v;
	struct cul_objfile *o;

	check_relocatable("other.o");
	check_relocatable("placed.o");
	check_relocatable("compressed.o");
	/* A section that is not loaded: no address is made up. */
	assert_int_equal(cul_objfile_open(fixture_path("other.o"), "o", &load, &o, NULL), 0);
	assert_int_equal(cul_objfile_variable(o, NULL, "the_hidden", &v, &err), -ENOENT);
	assert_non_null(strstr(err.text, "not loaded"));
	assert_int_equal(cul_objfile_symbol(o, "the_hidden", &sym, NULL), -ENOENT);
	cul_objfile_free(o);
}

static void test_relocatable_debug_file(void **state)
{
	const char *paths[] = {fixture_path("module/module.o.debug"), NULL};
	struct cul_objfile_load load = {.section = linked_section, .debug_paths = paths};
	struct cul_variable v;
	struct cul_objfile *o;

	assert_int_equal(
		cul_objfile_open(fixture_path("module/module.o"), "module", &load, &o, NULL), 0);
	assert_int_equal(cul_objfile_variable(o, NULL, "the_hidden", &v, NULL), 0);
	assert_int_equal(v.addr, nm_address(fixture_path("linked"), "the_hidden"));
	cul_objfile_free(o);
}

/* Both of the mappings that the loader makes of one page: of data first, then of code. */
static void test_place_page(void **state)
{
	const char *path = fixture_path("lld");
	uint64_t addr = nm_address(path, "main") + 0x555555554000;
	uint64_t code =
		strtoull(witness("readelf -lW %s | awk '/LOAD.* R E /{print $3}'", path), NULL, 16);
	struct cul_elf_symbol sym;

	assert_in_range(code, 4096, 8191);
	for (unsigned i = 0; i < 2; i++) {
		struct cul_objfile *o = open_with(path, NULL);

		assert_int_equal(
			cul_objfile_place(o, 0x555555554000 + 4096 * i, 0, i == 1, NULL), 0);
		assert_int_equal(cul_objfile_symbol(o, "main", &sym, NULL), 0);
		assert_int_equal(sym.addr, addr);
		cul_objfile_free(o);
	}
}

static void test_place(void **state)
{
	struct cul_objfile *o = open_with(fixture_path("gcc5"), NULL);
	struct cul_elf_symbol sym;

	assert_int_equal(cul_objfile_place(o, 0x555555554000, 0, false, NULL), 0);
	assert_int_equal(cul_objfile_symbol(o, "main", &sym, NULL), 0);
	assert_int_equal(sym.addr, 0x555555554000 + nm_address(fixture_path("gcc5"), "main"));
	assert_int_equal(cul_objfile_place(o, 0x1000, 0x10000000, false, NULL), -ENOEXEC);
	cul_objfile_free(o);
}

/* The CRC of a file that is a hole for two gigabytes is not made. */
static void test_large_debug_file(void **state)
{
	char dir[] = "/tmp/culprit-test-XXXXXX", path[64], debug[64];
	struct cul_error err = {0};
	struct cul_objfile *o;
	struct cul_variable v;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/noid", dir);
	snprintf(debug, sizeof(debug), "%s/noid.debug", dir);
	witness("cp %s %s", fixture_path("by-crc/noid"), path);
	witness("cp %s %s", fixture_path("by-crc/noid.debug"), debug);
	check_debug_of(path, NULL, "noid.debug");
	assert_int_equal(truncate(debug, 2ll << 30), 0);
	o = open_with(path, NULL);
	assert_int_equal(cul_objfile_variable(o, NULL, "first_node", &v, &err), -ENODATA);
	assert_non_null(strstr(err.text, "1 GiB"));
	cul_objfile_free(o);
	check_debug_of(path, debug, "noid.debug");
	unlink(path);
	unlink(debug);
	rmdir(dir);
}

static void ask_all(struct cul_objfile *o)
{
	struct cul_where where[CUL_MAX_CALLS];
	struct cul_elf_symbol symbol;
	const struct cul_type *type;
	struct cul_variable v;
	size_t cursor = 0;

	cul_objfile_variable(o, NULL, "first_node", &v, NULL);
	for (unsigned i = 0; cul_objfile_next_symbol(o, &cursor, &symbol) && i < 5000; i++) {
		struct Dwarf_Frame_s *frame = NULL;

		if (cul_objfile_frame(o, symbol.addr, &frame) == 0)
			free(frame);
		if (i % 100 == 0 && symbol.is_function)
			cul_objfile_function(o, symbol.addr, &type, NULL);
		cul_objfile_frames(o, symbol.addr + symbol.size / 2, where, CUL_MAX_CALLS);
	}
}

/* While it is mapped. What is answered then may be anything, but nothing is read that is not there.
 */
static void test_cut_short(void **state)
{
	char path[] = "/tmp/culprit-test-XXXXXX";
	int to = mkstemp(path);

	assert_true(to >= 0);
	cul_sys_cut_guard();
	for (off_t part = 0; part < 8; part++) {
		cul_autofree char *bytes = NULL;
		struct cul_elf_symbol symbol;
		struct cul_objfile *o;
		size_t size;

		assert_int_equal(cul_sys_read_file("/proc/self/exe", 256 << 20, &bytes, &size), 0);
		assert_int_equal(pwrite(to, bytes, size, 0), size);
		o = open_with(path, NULL);
		if (part % 2)
			assert_int_equal(cul_objfile_symbol(o, "main", &symbol, NULL), 0);
		assert_int_equal(ftruncate(to, (off_t)size * part / 8), 0);
		ask_all(o);
		cul_objfile_free(o);
	}
	assert_string_equal(cul_sys_cut_file(), path);
	close(to);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_elf),
		cmocka_unit_test(test_many_headers),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_debug_files),
		cmocka_unit_test(test_shared_debug),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_relocatable),
		cmocka_unit_test(test_relocatable_debug_file),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_place_page),
		cmocka_unit_test(test_large_debug_file),
		cmocka_unit_test(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
