/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes are an ELF file: symbols, variables, types and lines of it. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sym/objfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int section(void *data, const char *name, uint64_t *addr)
{
	*addr = 0x10000 + strlen(name) * 0x1000;
	return 0;
}

/* Walks a type a few steps deep, as a printer would. */
static void walk(const struct cul_type *t, unsigned depth)
{
	const struct cul_type *to;

	if (!t || depth > 3)
		return;
	if (cul_type_to(t, &to, NULL) == 0)
		walk(to, depth + 1);
	if (cul_type_fill(t, NULL) == 0 && t->kind != CUL_KIND_ENUM)
		for (size_t i = 0; i < t->n_members && i < 8; i++)
			walk(t->members[i].type, depth + 1);
}

static int see(void *data, const struct cul_inlined_copy *copy)
{
	walk(copy->type, 0);
	return copy->n > CUL_INLINED_MOST;
}

static void ask(struct cul_objfile *o)
{
	static const char *const names[] = {"a", "twice", "the_hidden", "node", "hidden", "x::y",
		"first_caller", "inlined_twice", "_ZN4deep5outerEi"};
	const struct cul_type *type;
	struct cul_where where[CUL_MAX_CALLS];
	struct cul_elf_symbol sym;
	struct cul_variable v;
	struct cul_error err;
	const uint8_t *id;
	const char *file;
	uint64_t offset;
	int64_t value;
	int line;

	cul_objfile_build_id(o, &id);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (cul_objfile_symbol(o, names[i], &sym, &err) == 0) {
			cul_objfile_line(o, sym.addr, &file, &line);
			cul_objfile_frames(o, sym.addr + sym.size / 2, where, CUL_MAX_CALLS);
			cul_objfile_offset(o, sym.addr, &offset);
			cul_objfile_ifunc_slot(o, sym.addr, &offset);
			if (cul_objfile_function(o, sym.addr, &type, &err) == 0)
				walk(type, 0);
		}
		cul_objfile_inlined(o, names[i], see, NULL, &err);
		if (cul_objfile_variable(o, NULL, names[i], &v, &err) == 0)
			walk(v.type, 0);
		cul_objfile_variable(o, "other.c", names[i], &v, &err);
		walk(cul_objfile_type(o, CUL_KIND_STRUCT, names[i]), 0);
		walk(cul_objfile_typedef(o, names[i]), 0);
		cul_objfile_enumerator(o, names[i], &type, &value);
		cul_objfile_copies(o, names[i]);
	}
	for (uint64_t addr = 0; addr < 0x20000; addr += 0x777) {
		cul_objfile_symbol_at(o, addr, &sym);
		cul_objfile_frames(o, addr, where, CUL_MAX_CALLS);
		cul_objfile_line(o, addr, &file, &line);
		if (cul_objfile_function(o, addr, &type, &err) == 0)
			walk(type, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cul_objfile_load load = {.section = section};
	struct cul_objfile *o = NULL;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (cul_objfile_open(path, "fuzz", &load, &o, NULL) == 0) {
		cul_objfile_place(o, 0x10000, 0, false, NULL);
		ask(o);
		cul_objfile_free(o);
	}
	close(fd);
	return 0;
}
