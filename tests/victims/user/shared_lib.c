// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shared_lib [--wait] COUNT: writes lib_exported and lib_static of libvictim.so from inside the
 * library and the first from here too; then loads libvictim_late.so from its own directory and has
 * it write. As shared_lib_copy, not position independent, lib_exported is a copy in the program.
 */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "books.h"
#include "libvictim.h"

/* The value before is the program's or the library's, whoever wrote last. */
static int64_t program_shadow = 7;
static struct book book_write_from_program = {
	.name = "write_from_program",
	.var = "lib_exported",
	.insn = "mov-reg",
	.kind = 'd',
	.size = sizeof(int),
	.shadow = &program_shadow,
};

static VICTIM void write_from_program(int64_t value)
{
	GUILTY(write_from_program, st_reg(lib_exported, value));
	book_store(&book_write_from_program, (int)value);
}

static void *open_late(void)
{
	char path[PATH_MAX], late[PATH_MAX + 32];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	void *lib;

	if (len < 0)
		exit(1);
	path[len] = '\0';
	snprintf(late, sizeof(late), "%s/libvictim_late.so", dirname(path));
	lib = dlopen(late, RTLD_NOW);
	if (!lib) {
		fprintf(stderr, "shared_lib: %s\n", dlerror());
		exit(1);
	}
	return lib;
}

/* A function pointer out of dlsym, which ISO C has no cast for. */
static void find(void *lib, const char *name, void *fn)
{
	void **to = fn;

	*to = dlsym(lib, name);
	if (!*to)
		exit(1);
}

static void run_late(uint64_t count)
{
	void *lib = open_late();
	void (*late_write)(int64_t value);
	const struct book *(*late_book)(void);
	uint64_t i;

	find(lib, "late_write", &late_write);
	find(lib, "late_book", &late_book);
	for (i = 1; i <= count; i++)
		late_write((int64_t)i);
	book_print(late_book());
}

int main(int argc, char **argv)
{
	static const struct victim_fault faults[] = {
		{"write_from_program", write_from_program},
		{"lib_write_static", lib_write_static},
		{0},
	};
	struct victim victim;
	const struct book *book;
	uint64_t i;
	int which;

	victim_options(&victim, argc, argv, 3);
	book_write_from_program.addr = &lib_exported;
	victim_wait(&victim);
	/* From inside first, 101, 102, ...: its last is the program's first old. */
	for (i = 1; i <= victim.count; i++)
		lib_write_exported(100 + (int64_t)i);
	if (victim.count)
		program_shadow = 100 + (int64_t)victim.count;
	victim_run(&victim, faults);
	run_late(victim.count);
	book_print(&book_write_from_program);
	for (which = 0; (book = lib_books(which)); which++)
		book_print(book);
	return victim_end(&victim);
}
