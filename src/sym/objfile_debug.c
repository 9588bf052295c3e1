/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Separate debug files, as gdb finds them: by build id, then by .gnu_debuglink
 * (gdb manual, "Separate Debug Files"), in the file's own system and in this one,
 * then in the places the user gave.
 */
#include "sym/objfile_priv.h"
#include "sym/objfile_inflate.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <libdeflate.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

static const char system_dir[] = "/usr/lib/debug";

/*
 * All files that are tried for one, together. A larger one goes by its build id, or by being named:
 * to read it would take longer than the answer is worth, a sparse one a system's whole time.
 */
enum { CRC_MOST = 1 << 30, CRC_STEP = 1 << 16 };

struct wanted {
	const uint8_t *id;
	size_t id_len;
	const char *link; /* NULL: the file names no debug file */
	uint32_t crc;
	uint64_t crc_left; /* bytes that may still be read to compare it */
	bool crc_refused;  /* there was more to be read */
	char **path;
	int *fd;
	Elf **elf;
};

static bool has_debug_info(Elf *elf)
{
	GElf_Shdr shdr;

	return (cul_objfile_elf_section(elf, ".debug_info", &shdr) ||
		       cul_objfile_elf_section(elf, ".zdebug_info", &shdr)) &&
	       shdr.sh_type != SHT_NOBITS;
}

/* The whole file is read for it. */
static bool crc_matches(struct wanted *w, int fd)
{
	cul_autofree unsigned char *buf = cul_calloc(1, CRC_STEP);
	uint32_t sum = 0;
	uint64_t at = 0;
	struct stat st;
	ssize_t n;

	if (!buf || fstat(fd, &st) != 0)
		return false;
	if ((uint64_t)st.st_size > w->crc_left) {
		w->crc_refused = true;
		return false;
	}
	while (w->crc_left && (n = pread(fd, buf, CRC_STEP, (off_t)at)) > 0) {
		sum = libdeflate_crc32(sum, buf, (size_t)n);
		at += (uint64_t)n;
		w->crc_left -= (uint64_t)n < w->crc_left ? (uint64_t)n : w->crc_left;
	}
	return sum == w->crc;
}

/* `given`: the user named the file, so that it is taken without proof when there can be none. */
static bool belongs(struct wanted *w, Elf *elf, int fd, bool given)
{
	const uint8_t *id;
	size_t len = cul_objfile_elf_build_id(elf, &id);

	if (w->id_len && len)
		return w->id_len == len && memcmp(w->id, id, len) == 0;
	if (w->link && crc_matches(w, fd))
		return true;
	return given;
}

/* 0 when `path` is the debug file. */
static int try_path(struct wanted *w, const char *path, bool given)
{
	cul_autoclose int fd = -1;
	Elf *elf = NULL;
	char *copy;

	/* Private: a module's will be relocated in place, compressed sections replaced. */
	if (cul_objfile_elf_open(path, ELF_C_READ_MMAP_PRIVATE, &fd, &elf) != 0)
		return -ENOENT;
	copy = has_debug_info(elf) && belongs(w, elf, fd, given) ? cul_strdup(path) : NULL;
	if (!copy) {
		elf_end(elf);
		return -ENOENT;
	}
	*w->path = copy;
	*w->fd = cul_take_fd(&fd);
	*w->elf = elf;
	return 0;
}

static int try_format(struct wanted *w, bool given, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int try_format(struct wanted *w, bool given, const char *fmt, ...)
{
	cul_autostr struct cul_str path = {0};
	va_list ap;

	va_start(ap, fmt);
	cul_str_addv(&path, fmt, ap);
	va_end(ap);
	return path.failed ? -ENOMEM : try_path(w, cul_str_text(&path), given);
}

/* `root`: "" or what comes before `dir`. */
static int try_build_id(struct wanted *w, const char *root, const char *dir)
{
	cul_autostr struct cul_str path = {0};

	if (w->id_len < 2)
		return -ENOENT;
	cul_str_addf(&path, "%s%s/.build-id/%02x/", root, dir, w->id[0]);
	for (size_t i = 1; i < w->id_len && i < 64; i++)
		cul_str_addf(&path, "%02x", w->id[i]);
	cul_str_add(&path, ".debug");
	return path.failed ? -ENOMEM : try_path(w, cul_str_text(&path), false);
}

static int try_links_at(struct wanted *w, const char *root, const char *dir)
{
	if (try_format(w, false, "%s%s/%s", root, dir, w->link) == 0 ||
		try_format(w, false, "%s%s/.debug/%s", root, dir, w->link) == 0 ||
		try_format(w, false, "%s%s%s/%s", root, system_dir, dir, w->link) == 0)
		return 0;
	return -ENOENT;
}

static int try_debuglink(struct cul_objfile *o, struct wanted *w)
{
	cul_autofree char *real = realpath(o->path, NULL);
	cul_autofree char *named = cul_strdup(o->name);

	if (!w->link)
		return -ENOENT;
	if (real && try_links_at(w, "", dirname(real)) == 0)
		return 0;
	if (named && named[0] == '/' && try_links_at(w, "", dirname(named)) == 0)
		return 0;
	return -ENOENT;
}

const char *cul_objfile_inside(const char *root, const char *path)
{
	char own[PATH_MAX];
	ssize_t n = readlink(root, own, sizeof(own));

	if (n > 1 && n < (ssize_t)sizeof(own) && strncmp(path, own, (size_t)n) == 0 &&
		path[n] == '/')
		path += n;
	return path;
}

/* In the file's own system. */
static int try_root(struct cul_objfile *o, struct wanted *w)
{
	const char *root = o->load.root;
	cul_autofree char *named = cul_strdup(cul_objfile_inside(root, o->name));

	if (try_build_id(w, root, system_dir) == 0)
		return 0;
	return named && named[0] == '/' && w->link ? try_links_at(w, root, dirname(named))
						   : -ENOENT;
}

static int try_given(struct cul_objfile *o, struct wanted *w, const char *given)
{
	const char *slash = strrchr(o->name, '/');
	const char *base = slash ? slash + 1 : o->name;

	if (try_path(w, given, true) == 0 || try_build_id(w, "", given) == 0 ||
		(w->link && try_format(w, false, "%s/%s", given, w->link) == 0) ||
		try_format(w, true, "%s/%s.debug", given, base) == 0 ||
		try_format(w, true, "%s/%s", given, base) == 0)
		return 0;
	return -ENOENT;
}

/* The name in .gnu_debuglink: a base name, NUL, padding to 4, CRC in the file's byte order. */
static void read_debuglink(struct cul_objfile *o, Elf *elf, struct wanted *w)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = cul_objfile_elf_section(elf, ".gnu_debuglink", &shdr);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
	const uint8_t *crc;
	size_t len;

	if (!data || !data->d_buf)
		return;
	len = strnlen(data->d_buf, data->d_size);
	if (len == 0 || memchr(data->d_buf, '/', len) || (len + 4) / 4 * 4 + 4 > data->d_size)
		return;
	crc = (const uint8_t *)data->d_buf + (len + 4) / 4 * 4;
	w->link = data->d_buf;
	w->crc = o->big_endian ? (uint32_t)crc[0] << 24 | crc[1] << 16 | crc[2] << 8 | crc[3]
			       : (uint32_t)crc[3] << 24 | crc[2] << 16 | crc[1] << 8 | crc[0];
}

int cul_objfile_debug_find(struct cul_objfile *o, Elf *elf, char **path, int *fd, Elf **debug)
{
	struct wanted w = {.path = path, .fd = fd, .elf = debug, .crc_left = CRC_MOST};

	w.id_len = cul_objfile_elf_build_id(elf, &w.id);
	read_debuglink(o, elf, &w);
	if ((o->load.root && try_root(o, &w) == 0) || try_build_id(&w, "", system_dir) == 0 ||
		try_debuglink(o, &w) == 0)
		return 0;
	for (size_t i = 0; o->load.debug_paths && o->load.debug_paths[i]; i++)
		if (try_given(o, &w, o->load.debug_paths[i]) == 0)
			return 0;
	o->crc_refused |= w.crc_refused;
	return -ENOENT;
}

/* What inflates the sections of a compressed file takes longer than all else that is asked of it.
 */
struct dwarf_ahead {
	pthread_t thread;
	Elf *elf;
	struct inflated *inflated;
	Dwarf *dwarf;
};

static void *read_ahead(void *data)
{
	struct dwarf_ahead *a = data;

	if (cul_objfile_inflates_far(a->elf))
		return NULL;
	a->inflated = cul_objfile_inflate(a->elf);
	a->dwarf = dwarf_begin_elf(a->elf, DWARF_C_READ, NULL);
	return NULL;
}

void cul_objfile_debug_ahead(struct cul_objfile *o)
{
	struct dwarf_ahead *a;

	if (o->debug_sought || o->ahead || o->type == ET_REL || has_debug_info(o->elf) ||
		!cul_objfile_debug_elf(o))
		return;
	a = cul_calloc(1, sizeof(*a));
	if (!a)
		return;
	a->elf = o->debug_elf;
	if (pthread_create(&a->thread, NULL, read_ahead, a) == 0)
		o->ahead = a;
	else
		free(a);
}

Elf *cul_objfile_debug_elf(struct cul_objfile *o)
{
	cul_objfile_debug_await(o);
	if (!o->debug_file_sought) {
		o->debug_file_sought = true;
		if (!has_debug_info(o->elf))
			cul_objfile_debug_find(
				o, o->elf, &o->debug_path, &o->debug_fd, &o->debug_elf);
	}
	return o->debug_elf;
}

/* Where the file that dwz has made may be: by build id, and where its link says. */
static int find_alt(struct cul_objfile *o, struct wanted *w, const char *name)
{
	const char *root = o->load.root ? o->load.root : "";
	cul_autofree char *from = cul_strdup(o->debug_path ? o->debug_path : o->path);

	if (try_build_id(w, root, system_dir) == 0 ||
		(*root && try_build_id(w, "", system_dir) == 0))
		return 0;
	if (name[0] != '/')
		return from ? try_format(w, false, "%s/%s", dirname(from), name) : -ENOMEM;
	return try_format(w, false, "%s%s", root, name) == 0 ? 0 : try_format(w, false, "%s", name);
}

/*
 * libdw would look for it when it is first needed, and wait for ever when the link leads to a FIFO.
 * Without it much of what is left means nothing.
 */
static int open_alt(struct cul_objfile *o)
{
	cul_autofree char *path = NULL;
	struct wanted w = {.path = &path, .fd = &o->alt_fd, .elf = &o->alt_elf};
	const char *name;
	const void *id;
	ssize_t len = dwelf_dwarf_gnu_debugaltlink(o->dwarf, &name, &id);

	if (len == 0)
		return 0;
	if (len > 0) {
		w.id = id;
		w.id_len = (size_t)len;
		if (find_alt(o, &w, name) == 0)
			o->alt = cul_objfile_dwarf_begin(o->alt_elf);
	}
	if (o->alt) {
		dwarf_setalt(o->dwarf, o->alt);
		return 0;
	}
	dwarf_end(o->dwarf);
	o->dwarf = NULL;
	return cul_fail(&o->debug_error, -ENODATA,
		"%s: its debug information needs another file, \"%s\", which is not there or is "
		"another's; install the debug package that has it",
		o->name, len > 0 ? name : "?");
}

void cul_objfile_debug_await(struct cul_objfile *o)
{
	if (!o->ahead)
		return;
	pthread_join(o->ahead->thread, NULL);
	o->dwarf = o->ahead->dwarf;
	o->inflated = o->ahead->inflated;
	o->debug_sought = o->dwarf; /* else it fails again, with words */
	free(cul_take(o->ahead));
	if (o->dwarf)
		open_alt(o);
}

static int open_dwarf(struct cul_objfile *o)
{
	Elf *elf = has_debug_info(o->elf) ? o->elf : cul_objfile_debug_elf(o);

	if (!elf && o->crc_refused)
		return cul_fail(&o->debug_error, -ENODATA,
			"%s: has no debug information, and of what may be its debug file more than "
			"1 GiB would have to be read to know that it is; name it with --debug FILE",
			o->name);
	if (!elf)
		return cul_fail(&o->debug_error, -ENODATA,
			"%s: has no debug information, and no debug file of it is in %s; install "
			"its debug package or build with -g",
			o->name, system_dir);
	if (cul_objfile_inflates_far(elf))
		return cul_fail(&o->debug_error, -ENODATA,
			"%s: its compressed debug information would become more than 32 times as "
			"large, which no compiler writes; build it anew",
			o->debug_path ? o->debug_path : o->name);
	if (o->type == ET_REL && cul_objfile_relocate(o, elf, &o->debug_error) != 0)
		return -ENODATA;
	if (elf == o->debug_elf && o->type != ET_REL && !o->inflated)
		o->inflated = cul_objfile_inflate(elf);
	o->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (!o->dwarf)
		return cul_fail(&o->debug_error, -ENODATA, "%s: its DWARF cannot be read: %s",
			o->debug_path ? o->debug_path : o->name, dwarf_errmsg(-1));
	return open_alt(o);
}

int cul_objfile_debug(struct cul_objfile *o, struct cul_error *err)
{
	cul_objfile_debug_await(o);
	if (!o->debug_sought) {
		o->debug_sought = true;
		open_dwarf(o);
	}
	if (o->dwarf)
		return 0;
	if (err)
		*err = o->debug_error;
	return -ENODATA;
}
