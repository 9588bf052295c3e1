/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

/* What is left of one line. */
struct cursor {
	const char *p, *end;
};

static bool number(struct cursor *c, unsigned base, uint64_t *value)
{
	const char *start = c->p;
	uint64_t v = 0;

	for (; c->p < c->end; c->p++) {
		unsigned digit = *c->p >= '0' && *c->p <= '9'   ? (unsigned)(*c->p - '0')
				 : *c->p >= 'a' && *c->p <= 'f' ? (unsigned)(*c->p - 'a') + 10
								: 16;

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*value = v;
	return c->p > start;
}

static bool character(struct cursor *c, char wanted)
{
	return c->p < c->end && *c->p++ == wanted;
}

static bool permissions(struct cursor *c, unsigned *prot)
{
	static const char letters[] = "rwx";

	if (c->end - c->p < 4)
		return false;
	*prot = 0;
	for (unsigned i = 0; i < 3; i++) {
		if (c->p[i] == letters[i])
			*prot |= 1u << i;
		else if (c->p[i] != '-')
			return false;
	}
	if (c->p[3] == 's')
		*prot |= CUL_MAP_SHARED;
	else if (c->p[3] != 'p')
		return false;
	c->p += 4;
	return true;
}

/* The kernel writes a newline in a name as \012 (seq_path), and nothing else in octal. */
static const char *copy_path(struct cul_arena *arena, const char *from, size_t len)
{
	char *path = cul_arena_alloc(arena, len + 1);
	size_t n = 0;

	if (!path)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (len - i >= 4 && memcmp(from + i, "\\012", 4) == 0) {
			path[n++] = '\n';
			i += 3;
		} else {
			path[n++] = from[i] ? from[i] : '?';
		}
	}
	path[n] = '\0';
	return path;
}

static int read_path(struct cul_maps *out, struct cursor *c, struct cul_map *map)
{
	static const char gone[] = " (deleted)";
	size_t len, suffix = sizeof(gone) - 1;

	while (c->p < c->end && *c->p == ' ')
		c->p++;
	len = (size_t)(c->end - c->p);
	map->deleted = len > suffix && memcmp(c->end - suffix, gone, suffix) == 0;
	if (map->deleted)
		len -= suffix;
	map->path = len ? copy_path(&out->arena, c->p, len) : "";
	return map->path ? 0 : -ENOMEM;
}

/* start-end perms offset major:minor inode path */
static int parse_line(struct cul_maps *out, struct cursor c, struct cul_map *map)
{
	uint64_t major, minor;

	if (!number(&c, 16, &map->start) || !character(&c, '-') || !number(&c, 16, &map->end) ||
		!character(&c, ' ') || !permissions(&c, &map->prot) || !character(&c, ' ') ||
		!number(&c, 16, &map->offset) || !character(&c, ' ') || !number(&c, 16, &major) ||
		!character(&c, ':') || !number(&c, 16, &minor) || !character(&c, ' ') ||
		!number(&c, 10, &map->inode))
		return -EBADMSG;
	if (map->end <= map->start || major > UINT32_MAX || minor > UINT32_MAX)
		return -EBADMSG;
	map->major = (unsigned)major;
	map->minor = (unsigned)minor;
	return read_path(out, &c, map);
}

static int parse(const char *text, size_t len, struct cul_maps *out, struct cul_error *err)
{
	const char *p = text, *end = text + len;
	uint64_t last = 0;

	for (unsigned n = 1; p < end; n++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		struct cursor line = {p, newline ? newline : end};
		struct cul_map map = {0}, *slot;
		int ret = parse_line(out, line, &map);

		if (ret == 0 && map.start < last)
			ret = -EBADMSG;
		if (ret == -EBADMSG)
			return cul_fail(err, ret, "maps: line %u is malformed: \"%.*s\"", n,
				(int)(line.end - p > 80 ? 80 : line.end - p), p);
		slot = ret == 0 ? cul_vec_push(&out->maps) : NULL;
		if (!slot)
			return cul_fail(err, -ENOMEM, "maps: out of memory");
		*slot = map;
		last = map.end;
		p = newline ? newline + 1 : end;
	}
	return 0;
}

int cul_maps_parse(const char *text, size_t len, struct cul_maps *out, struct cul_error *err)
{
	struct cul_maps fresh = {0};
	int ret = parse(text, len, &fresh, err);

	if (ret != 0)
		cul_maps_free(&fresh);
	else
		*out = fresh;
	return ret;
}

static int read_all(int fd, struct cul_str *text)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		cul_str_addn(text, buf, (size_t)n);
	if (n < 0)
		return -errno;
	return text->failed ? -ENOMEM : 0;
}

int cul_maps_read(pid_t pid, struct cul_maps *out, struct cul_error *err)
{
	cul_autostr struct cul_str text = {0};
	cul_autoclose int fd = -1;
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = fd < 0 ? -errno : read_all(fd, &text);
	if (ret == -ENOENT || ret == -ESRCH)
		return cul_fail(err, -ESRCH, "there is no process %d", (int)pid);
	if (ret != 0)
		return cul_fail(err, ret, "process %d: its mappings cannot be read: %s%s", (int)pid,
			cul_strerror(ret),
			ret == -EACCES || ret == -EPERM ? "; it is another user's: run as root"
							: "");
	if (text.len == 0)
		return cul_fail(err, -ESRCH,
			"process %d has no memory of its own: it is a kernel thread or has ended",
			(int)pid);
	return cul_maps_parse(text.s, text.len, out, err);
}

void cul_maps_free(struct cul_maps *maps)
{
	free(maps->maps.data);
	cul_arena_free(&maps->arena);
	memset(maps, 0, sizeof(*maps));
}

const struct cul_map *cul_maps_at(const struct cul_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->maps.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (maps->maps.data[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == maps->maps.len || maps->maps.data[low].start > addr)
		return NULL;
	return &maps->maps.data[low];
}

bool cul_maps_same_file(const struct cul_map *a, const struct cul_map *b)
{
	return a->inode && a->inode == b->inode && a->major == b->major && a->minor == b->minor &&
	       strcmp(a->path, b->path) == 0;
}

/* 3: the path, 2: the base name, 1: the base name up to a '.' or "-VERSION", 0: no. */
static unsigned match(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t len = strlen(name);

	if (strcmp(path, name) == 0)
		return 3;
	if (strcmp(base, name) == 0)
		return 2;
	if (strncmp(base, name, len) != 0)
		return 0;
	return base[len] == '.' ||
	       (base[len] == '-' && base[len + 1] >= '0' && base[len + 1] <= '9');
}

const struct cul_map *cul_maps_file(const struct cul_maps *maps, const char *name, bool *ambiguous)
{
	const struct cul_map *best = NULL;
	unsigned best_match = 0;
	bool several = false;

	for (size_t i = 0; *name && i < maps->maps.len; i++) {
		const struct cul_map *m = &maps->maps.data[i];
		unsigned how = m->path[0] == '/' ? match(m->path, name) : 0;

		if (how > best_match) {
			best = m;
			best_match = how;
			several = false;
		} else if (how && how == best_match && !cul_maps_same_file(best, m)) {
			several = true;
		}
	}
	if (ambiguous)
		*ambiguous = several;
	return several ? NULL : best;
}
