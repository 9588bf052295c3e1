/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kernel_files.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"

enum { MAX_NOTES = 1 << 20 };

size_t cul_kernel_note_build_id(const uint8_t *notes, size_t size, const uint8_t **id)
{
	size_t at = 0;

	while (size - at >= 12) {
		uint32_t head[3]; /* name size, description size, type (elf(5)) */
		size_t name, desc;

		memcpy(head, notes + at, sizeof(head));
		name = ((size_t)head[0] + 3) & ~(size_t)3;
		desc = ((size_t)head[1] + 3) & ~(size_t)3;
		at += 12;
		/* Behind the last description there may be no padding. */
		if (name > size - at || head[1] > size - at - name)
			return 0;
		if (head[2] == NT_GNU_BUILD_ID && head[0] == 4 && !memcmp(notes + at, "GNU", 4)) {
			*id = notes + at + name;
			return head[1];
		}
		if (desc > size - at - name)
			return 0;
		at += name + desc;
	}
	return 0;
}

/* Whether `o` is the file of the code whose notes are at `notes`. Unknown on one side: yes. */
static bool same_build(struct cul_objfile *o, const char *notes)
{
	cul_autofree char *text = NULL;
	const uint8_t *running, *id;
	size_t size, n = 0, len = cul_objfile_build_id(o, &id);

	if (cul_sys_read_file(notes, MAX_NOTES, &text, &size) == 0)
		n = cul_kernel_note_build_id((const uint8_t *)text, size, &running);
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

/* Without ".xz" and the like: the length of `path` up to behind ".ko", 0 when that is not in it. */
static size_t without_suffix(const char *path, size_t len)
{
	static const char *const packed[] = {".ko.xz", ".ko.zst", ".ko.gz", ".ko.debug"};

	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		size_t n = strlen(packed[i]);

		if (len > n && !memcmp(path + len - n, packed[i], n))
			return len - n + 3;
	}
	return len > 3 && !memcmp(path + len - 3, ".ko", 3) ? len : 0;
}

bool cul_kernel_is_module_file(const char *path, size_t len, const char *module)
{
	const char *base = memrchr(path, '/', len);
	size_t n = strlen(module), end = without_suffix(path, len);

	base = base ? base + 1 : path;
	if (!end || end - (size_t)(base - path) != n + 3)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((base[i] == '-' ? '_' : base[i]) != (module[i] == '-' ? '_' : module[i]))
			return false;
	return true;
}

/*
 * The module's file in a directory, whichever of '-' and '_' its name has: a .ko before a
 * .ko.debug, which it leads to, and none that is compressed, for these are not read.
 */
static bool path_in_directory(const char *directory, const char *module, struct cul_str *path)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	bool plain = false;

	cul_str_reset(path);
	while (dir && !plain && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (!cul_kernel_is_module_file(entry->d_name, len, module))
			continue;
		plain = without_suffix(entry->d_name, len) == len;
		if (!plain && memcmp(entry->d_name + len - 6, ".debug", 6) != 0)
			continue;
		cul_str_reset(path);
		cul_str_addf(path, "%s/%s", directory, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return path->len != 0;
}

/* The module's path below /lib/modules/RELEASE, from modules.dep; without compression's suffix. */
static int path_from_dep(const char *release, const char *module, struct cul_str *out)
{
	cul_autostr struct cul_str path = {0};
	cul_autofclose FILE *f = NULL;
	cul_autofree char *line = NULL;
	size_t room = 0;

	cul_str_addf(&path, "/lib/modules/%s/modules.dep", release);
	f = fopen(cul_str_text(&path), "re");
	if (!f)
		return -ENOENT;
	while (getline(&line, &room, f) > 0) {
		size_t len = strcspn(line, ":");

		if (!cul_kernel_is_module_file(line, len, module))
			continue;
		cul_str_addn(out, line, without_suffix(line, len));
		return 0;
	}
	return -ENOENT;
}

/* The installed module, when it has DWARF itself, else what a -dbg package has put beside it. */
static struct cul_objfile *try_installed(const char *release, const char *module,
	const struct cul_objfile_load *load, const char *notes)
{
	static const char *const places[] = {"/lib/modules/%s/%s",
		"/usr/lib/debug/lib/modules/%s/%s", "/usr/lib/debug/lib/modules/%s/%s.debug"};
	cul_autostr struct cul_str below = {0}, path = {0};
	struct cul_objfile *o = NULL, *bare = NULL;

	if (path_from_dep(release, module, &below))
		return NULL;
	for (size_t i = 0; !o && i < sizeof(places) / sizeof(places[0]); i++) {
		cul_str_reset(&path);
		cul_str_addf(&path, places[i], release, cul_str_text(&below));
		o = try_file(cul_str_text(&path), module, load, notes);
		if (o && !bare && !cul_objfile_has_dwarf(o)) {
			bare = o;
			o = NULL;
		}
	}
	if (!o)
		return bare;
	cul_objfile_free(bare);
	return o;
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
		const char *file = *p;

		if (is_directory(*p))
			file = path_in_directory(*p, module, &path) ? path.s : NULL;
		else if (!cul_kernel_is_module_file(*p, strlen(*p), module))
			file = NULL;
		if (file)
			o = try_file(file, module, &load, cul_str_text(&notes));
	}
	if (o || uname(&uts))
		return o;
	o = try_installed(uts.release, module, &load, cul_str_text(&notes));
	/* Copied there by hand, and nobody ran depmod. */
	for (size_t i = 0; !o && i < sizeof(by_hand) / sizeof(by_hand[0]); i++) {
		cul_autostr struct cul_str dir = {0};

		cul_str_addf(&dir, "/lib/modules/%s/%s", uts.release, by_hand[i]);
		if (path_in_directory(cul_str_text(&dir), module, &path))
			o = try_file(cul_str_text(&path), module, &load, cul_str_text(&notes));
	}
	return o;
}
