/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/system_map.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "sym/objfile.h"
#include "sys/file.h"

enum {
	/* What is compared: enough that a change anywhere in the image is noticed. */
	SAMPLES = 4096,
	AGREE_LEAST = 8,       /* fewer say nothing */
	AGREE_PER_MILLE = 990, /* names are left out of either list for reasons of the build */
};

struct cul_system_map {
	char *path;
	struct cul_kallsyms *syms; /* as linked */
	uint64_t shift;            /* run time minus linked */
	bool percpu_at_zero;       /* x86_64 before 6.15: these are offsets, not shifted */
};

void cul_system_map_free(struct cul_system_map *m)
{
	if (!m)
		return;
	cul_kallsyms_free(m->syms);
	free(m->path);
	free(m);
}

static void destroy(struct cul_system_map **m)
{
	cul_system_map_free(*m);
}

static bool is_elf(const char *path)
{
	cul_autoclose int fd = cul_sys_open(path, O_RDONLY);
	char magic[SELFMAG] = {0};

	return fd >= 0 && cul_sys_pread_full(fd, magic, SELFMAG, 0) == SELFMAG &&
	       !memcmp(magic, ELFMAG, SELFMAG);
}

static char kind_of(const struct cul_elf_symbol *s)
{
	return s->is_function ? (s->is_global ? 'T' : 't') : s->is_global ? 'D' : 'd';
}

/* The symbol table of an ELF file in the form of a System.map. */
static int open_elf(const char *path, struct cul_kallsyms **out, struct cul_error *err)
{
	const struct cul_objfile_load load = {0};
	cul_autostr struct cul_str text = {0};
	struct cul_objfile *o = NULL;
	struct cul_elf_symbol s;
	size_t cursor = 0;
	int ret = cul_objfile_open(path, path, &load, &o, err);

	if (ret)
		return ret;
	while (cul_objfile_next_symbol(o, &cursor, &s))
		if (!s.is_tls)
			cul_str_addf(&text, "%016" PRIx64 " %c %s\n", s.addr, kind_of(&s), s.name);
	cul_objfile_free(o);
	if (text.failed)
		return cul_fail(err, -ENOMEM, "%s: out of memory", path);
	ret = cul_kallsyms_parse_map(cul_str_text(&text), text.len, out, err);
	return ret == -EBADMSG ? cul_fail(err, ret, "%s: has no symbols", path) : ret;
}

/* Absolute symbols are numbers, not places. */
static bool is_shifted(const struct cul_system_map *m, const struct cul_ksym *sym)
{
	if (sym->percpu)
		return !m->percpu_at_zero;
	return sym->kind != 'A' && sym->kind != 'a';
}

static int place(struct cul_system_map *m, struct cul_kallsyms *running, struct cul_error *err)
{
	static const char *const marks[] = {"_text", "_stext"};
	struct cul_ksym linked, now;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (cul_kallsyms_find(m->syms, NULL, marks[i], &linked, NULL, NULL) ||
			cul_kallsyms_find(running, "vmlinux", marks[i], &now, NULL, NULL))
			continue;
		m->shift = now.addr - linked.addr;
		m->percpu_at_zero =
			!cul_kallsyms_find(m->syms, NULL, "__per_cpu_start", &linked, NULL, NULL) &&
			linked.addr == 0;
		return 0;
	}
	return cul_fail(err, -EBADMSG,
		"%s: is no map of a kernel: it does not say where _text is (some distributions "
		"put a placeholder there, the real one is in their -dbg package)",
		m->path);
}

/* How many of the running kernel's own symbols are where the map says; every n-th of them. */
static void compare(struct cul_system_map *m, struct cul_kallsyms *running, size_t every,
	size_t *compared, size_t *agreed)
{
	struct cul_ksym s;
	size_t cursor = 0, n = 0;

	*compared = *agreed = 0;
	while (cul_kallsyms_next(running, &cursor, &s)) {
		if (strcmp(s.module, "vmlinux") != 0 || s.percpu || !is_shifted(m, &s))
			continue;
		if (n++ % every)
			continue;
		++*compared;
		*agreed += cul_kallsyms_has(m->syms, s.name, s.addr - m->shift);
	}
}

static int check(struct cul_system_map *m, struct cul_kallsyms *running, struct cul_error *err)
{
	struct cul_ksym s;
	size_t cursor = 0, n = 0, compared, agreed;

	while (cul_kallsyms_next(running, &cursor, &s))
		n++;
	compare(m, running, n / SAMPLES + 1, &compared, &agreed);
	if (agreed >= AGREE_LEAST && agreed * 1000 >= compared * AGREE_PER_MILLE)
		return 0;
	return cul_fail(err, -ESTALE,
		"%s: is of another build than the running kernel: of %zu symbols compared %zu are "
		"where it says",
		m->path, compared, agreed);
}

int cul_system_map_open(const char *path, struct cul_kallsyms *running, struct cul_system_map **out,
	struct cul_error *err)
{
	cul_cleanup(destroy) struct cul_system_map *m = cul_calloc(1, sizeof(*m));
	int ret;

	if (m)
		m->path = cul_strdup(path);
	if (!m || !m->path)
		return cul_fail(err, -ENOMEM, "%s: out of memory", path);
	ret = is_elf(path) ? open_elf(path, &m->syms, err)
			   : cul_kallsyms_open_map(path, &m->syms, err);
	if (!ret)
		ret = place(m, running, err);
	if (!ret)
		ret = check(m, running, err);
	if (ret)
		return ret;
	*out = cul_take(m);
	return 0;
}

/* Tries `path`; 0 when it fits. The first file that is there and does not fit is remembered. */
static int try_file(const char *path, struct cul_kallsyms *running, struct cul_system_map **out,
	struct cul_error *refused)
{
	struct cul_error err = {0};
	int ret = cul_system_map_open(path, running, out, &err);

	if (ret && ret != -ENOENT && !refused->code)
		*refused = err;
	return ret;
}

static int try_debug_path(const char *path, const char *release, struct cul_kallsyms *running,
	struct cul_system_map **out, struct cul_error *refused)
{
	static const char *const names[] = {
		"%s/System.map-%s", "%s/System.map", "%s/vmlinux-%s", "%s/vmlinux"};
	cul_autoclose int fd = cul_sys_open(path, O_RDONLY | O_DIRECTORY);
	cul_autostr struct cul_str full = {0};
	struct cul_error alone = {0};

	if (fd < 0) {
		int ret = try_file(path, running, out, &alone);

		/* Files of modules are given too: no reason to complain. */
		if (ret && !refused->code && (ret == -ESTALE || !is_elf(path)))
			*refused = alone;
		return ret;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cul_str_reset(&full);
		cul_str_addf(&full, names[i], path, release);
		if (!try_file(cul_str_text(&full), running, out, refused))
			return 0;
	}
	return -ENOENT;
}

static int fail_locate(const char *release, const struct cul_error *refused, struct cul_error *err)
{
	cul_autostr struct cul_str text = {0};

	if (refused->code)
		cul_str_addf(&text, "%.200s", refused->text);
	else
		cul_str_addf(&text,
			"there is no System.map-%s in /boot or /usr/lib/debug/boot, no System.map "
			"in /lib/modules/%s or its build/, and no vmlinux",
			release, release);
	return cul_fail(err, -ENOENT,
		"%s; install linux-image-%s-dbg (Debian), or give one with "
		"--debug FILE",
		cul_str_text(&text), release);
}

int cul_system_map_locate(const char *const *debug_paths, const char *release,
	struct cul_kallsyms *running, struct cul_system_map **out, struct cul_error *err)
{
	static const char *const places[] = {
		"/boot/System.map-%s",
		"/usr/lib/debug/boot/System.map-%s",
		"/lib/modules/%s/System.map",
		"/lib/modules/%s/build/System.map",
		"/usr/lib/debug/boot/vmlinux-%s",
		"/usr/lib/debug/lib/modules/%s/vmlinux",
		"/lib/modules/%s/build/vmlinux",
		"/lib/modules/%s/vmlinux",
		"/boot/vmlinux-%s",
	};
	cul_autostr struct cul_str path = {0};
	struct cul_error refused = {0};

	for (const char *const *p = debug_paths; p && *p; p++)
		if (!try_debug_path(*p, release, running, out, &refused))
			return 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		cul_str_reset(&path);
		cul_str_addf(&path, places[i], release);
		if (!try_file(cul_str_text(&path), running, out, &refused))
			return 0;
	}
	return fail_locate(release, &refused, err);
}

const char *cul_system_map_path(const struct cul_system_map *m)
{
	return m->path;
}

static void shift(const struct cul_system_map *m, struct cul_ksym *sym)
{
	if (is_shifted(m, sym))
		sym->addr += m->shift;
}

int cul_system_map_find(struct cul_system_map *m, const char *name, struct cul_ksym *out,
	size_t *n_same, struct cul_error *err)
{
	int ret = cul_kallsyms_find(m->syms, NULL, name, out, n_same, err);

	if (!ret)
		shift(m, out);
	return ret;
}

int cul_system_map_find_nth(
	struct cul_system_map *m, const char *name, size_t i, struct cul_ksym *out)
{
	int ret = cul_kallsyms_find_nth(m->syms, NULL, name, i, out);

	if (!ret)
		shift(m, out);
	return ret;
}

int cul_system_map_at(struct cul_system_map *m, uint64_t addr, struct cul_ksym *out)
{
	struct cul_ksym sym;
	int ret = cul_kallsyms_at(m->syms, addr - m->shift, &sym);

	if (ret)
		return ret;
	if (!is_shifted(m, &sym))
		return -ENOENT;
	sym.addr += m->shift;
	*out = sym;
	return 0;
}
