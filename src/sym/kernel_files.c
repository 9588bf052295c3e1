/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kernel_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/str.h"

enum { NOTE_ROOM = 4096 };

/* The build id in a file of ELF notes (/sys/kernel/notes): its length, 0 when there is none. */
static size_t note_build_id(const char *path, uint8_t *id, size_t room)
{
	cul_autofclose FILE *f = fopen(path, "re");
	uint8_t buf[NOTE_ROOM];
	size_t n, at = 0;

	if (!f)
		return 0;
	n = fread(buf, 1, sizeof(buf), f);
	while (n - at >= 12) {
		uint32_t head[3]; /* name size, description size, type */
		size_t name, desc;

		memcpy(head, buf + at, sizeof(head));
		name = ((size_t)head[0] + 3) & ~(size_t)3;
		desc = ((size_t)head[1] + 3) & ~(size_t)3;
		at += 12;
		if (name > n - at || desc > n - at - name)
			return 0;
		if (head[2] == 3 && head[0] == 4 && !memcmp(buf + at, "GNU", 4) &&
			head[1] <= room) {
			memcpy(id, buf + at + name, head[1]);
			return head[1];
		}
		at += name + desc;
	}
	return 0;
}

/* Whether `o` is the file of the code whose notes are at `notes`. Unknown on one side: yes. */
static bool same_build(struct cul_objfile *o, const char *notes)
{
	uint8_t running[64];
	const uint8_t *id;
	size_t n = note_build_id(notes, running, sizeof(running));
	size_t len = cul_objfile_build_id(o, &id);

	return !n || !len || (n == len && !memcmp(id, running, n));
}

static struct cul_objfile *try_file(
	const char *path, const char *name, const struct cul_objfile_load *load, const char *notes)
{
	struct cul_objfile *o = NULL;

	if (cul_objfile_open(path, name, load, &o, NULL))
		return NULL;
	if (same_build(o, notes))
		return o;
	cul_objfile_free(o);
	return NULL;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static struct cul_objfile *try_vmlinux(
	const char *path, uint64_t text, const char *const *debug_paths)
{
	struct cul_objfile_load load = {.debug_paths = debug_paths};
	struct cul_objfile *o = try_file(path, "vmlinux", &load, "/sys/kernel/notes");
	struct cul_elf_symbol linked;

	if (!o || cul_objfile_symbol(o, "_text", &linked, NULL) || !cul_objfile_has_dwarf(o)) {
		cul_objfile_free(o);
		return NULL;
	}
	cul_objfile_free(o);
	load.bias = text - linked.addr;
	return try_file(path, "vmlinux", &load, "/sys/kernel/notes");
}

struct cul_objfile *cul_kernel_vmlinux_file(uint64_t text, const char *const *debug_paths)
{
	static const char *const places[] = {
		"/usr/lib/debug/boot/vmlinux-%s",
		"/usr/lib/debug/lib/modules/%s/vmlinux",
		"/lib/modules/%s/build/vmlinux",
		"/lib/modules/%s/vmlinux",
		"/boot/vmlinux-%s",
	};
	cul_autostr struct cul_str path = {0};
	struct cul_objfile *o = NULL;
	struct utsname uts;

	for (const char *const *p = debug_paths; !o && p && *p; p++) {
		cul_str_reset(&path);
		cul_str_addf(&path, is_directory(*p) ? "%s/vmlinux" : "%s", *p);
		o = try_vmlinux(cul_str_text(&path), text, debug_paths);
	}
	if (uname(&uts))
		return o;
	for (size_t i = 0; !o && i < sizeof(places) / sizeof(places[0]); i++) {
		cul_str_reset(&path);
		cul_str_addf(&path, places[i], uts.release);
		o = try_vmlinux(cul_str_text(&path), text, debug_paths);
	}
	return o;
}

/* /sys/module/NAME/sections/SECTION holds "0x..." */
static int section_address(void *data, const char *section, uint64_t *addr)
{
	cul_autostr struct cul_str path = {0};
	cul_autofclose FILE *f = NULL;
	unsigned long v;

	if (strchr(section, '/'))
		return -ENOENT;
	cul_str_addf(&path, "/sys/module/%s/sections/%s", (const char *)data, section);
	f = fopen(cul_str_text(&path), "re");
	if (!f || fscanf(f, "%lx", &v) != 1)
		return -ENOENT;
	*addr = v;
	return 0;
}

/* Module names use '_', file names may have '-' in the same place. */
static bool is_file_of(const char *path, size_t len, const char *module)
{
	const char *base = memrchr(path, '/', len);
	size_t n = strlen(module);

	base = base ? base + 1 : path;
	len -= (size_t)(base - path);
	if (len < n + 3 || strncmp(base + n, ".ko", 3))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((base[i] == '-' ? '_' : base[i]) != module[i])
			return false;
	return len == n + 3;
}

/* The module's path below /lib/modules/RELEASE, from modules.dep. */
static int path_from_dep(const char *release, const char *module, struct cul_str *path)
{
	cul_autofclose FILE *f = NULL;
	cul_autofree char *line = NULL;
	size_t room = 0;

	cul_str_addf(path, "/lib/modules/%s/modules.dep", release);
	f = fopen(cul_str_text(path), "re");
	if (!f)
		return -ENOENT;
	while (getline(&line, &room, f) > 0) {
		size_t len = strcspn(line, ":");

		if (!is_file_of(line, len, module))
			continue;
		line[len] = '\0';
		cul_str_reset(path);
		cul_str_addf(path, "/lib/modules/%s/%s", release, line);
		return 0;
	}
	return -ENOENT;
}

struct cul_objfile *cul_kernel_module_file(const char *module, const char *const *debug_paths)
{
	static const char *const by_hand[] = {"extra", "updates", "updates/dkms"};
	struct cul_objfile_load load = {
		.section = section_address, .data = (void *)module, .debug_paths = debug_paths};
	cul_autostr struct cul_str notes = {0}, path = {0};
	struct cul_objfile *o = NULL;
	struct utsname uts;

	cul_str_addf(&notes, "/sys/module/%s/notes/.note.gnu.build-id", module);
	for (const char *const *p = debug_paths; !o && p && *p; p++) {
		bool dir = is_directory(*p);

		if (!dir && !is_file_of(*p, strlen(*p), module))
			continue;
		cul_str_reset(&path);
		cul_str_add(&path, *p);
		if (dir)
			cul_str_addf(&path, "/%s.ko", module);
		o = try_file(cul_str_text(&path), module, &load, cul_str_text(&notes));
	}
	if (o || uname(&uts))
		return o;
	cul_str_reset(&path);
	if (!path_from_dep(uts.release, module, &path))
		return try_file(cul_str_text(&path), module, &load, cul_str_text(&notes));
	/* Copied there by hand, and nobody ran depmod. */
	for (size_t i = 0; !o && i < sizeof(by_hand) / sizeof(by_hand[0]); i++) {
		cul_str_reset(&path);
		cul_str_addf(&path, "/lib/modules/%s/%s/%s.ko", uts.release, by_hand[i], module);
		o = try_file(cul_str_text(&path), module, &load, cul_str_text(&notes));
	}
	return o;
}
