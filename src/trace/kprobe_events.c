/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/kprobe_events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/cleanup.h"
#include "sys/file.h"

enum {
	PASSES = 64,    /* over the lines: each finds at least half of those that are left */
	HEAD_MAX = 160, /* "r4096:GROUP/EVENT", each of both at most 63 characters */
	PROFILE_MAX = 64 << 20,
};

int cul_kprobe_events_find(const char *file, const char **tracefs, struct cul_error *err)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	struct statfs fs;
	char path[64];
	bool denied = false, mounted = false;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", places[i], file);
		if (!access(path, R_OK | W_OK)) {
			*tracefs = places[i];
			return 0;
		}
		denied |= errno == EACCES || errno == EPERM || errno == EROFS;
		mounted |= !statfs(places[i], &fs) && fs.f_type == TRACEFS_MAGIC;
	}
	if (denied)
		return cul_fail(
			err, -EACCES, "tracefs: its %s cannot be written; run as root", file);
	if (mounted)
		return cul_fail(err, -ENOENT,
			"tracefs has no %s: the kernel has none (CONFIG_%cPROBE_EVENTS)", file,
			*file == 'k' ? 'K' : 'U');
	return cul_fail(err, -ENOENT,
		"tracefs is not mounted; mount -t tracefs tracefs /sys/kernel/tracing");
}

/* When the process started, as /proc/PID/stat has it; a zombie is gone. */
static int started_at(int pid, unsigned long long *out)
{
	cul_autofree char *text = NULL;
	char path[32], state, *after;
	unsigned long long start;
	size_t size;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	r = cul_sys_read_file(path, 4096, &text, &size);
	if (r)
		return r == -ENOENT ? -ESRCH : r;
	after = strrchr(text, ')');
	if (!after || sscanf(after,
			      ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
			      "%*d %*d %*d %llu",
			      &state, &start) != 2)
		return -EINVAL;
	if (state == 'Z' || state == 'X')
		return -ESRCH;
	*out = start;
	return 0;
}

static int own_namespace(unsigned *out)
{
	char text[64];
	ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return sscanf(text, "pid:[%u]", out) == 1 ? 0 : -EINVAL;
}

int cul_kprobe_events_own_group(char group[CUL_KPROBE_EVENTS_GROUP])
{
	unsigned long long start;
	unsigned namespace;
	int r = started_at(getpid(), &start);

	if (!r)
		r = own_namespace(&namespace);
	if (!r)
		snprintf(group, CUL_KPROBE_EVENTS_GROUP, "culprit_%d_%llx_%x", getpid(), start,
			namespace);
	return r;
}

bool cul_kprobe_events_is_dead(const char *group, const void *unused)
{
	unsigned long long start, now;
	unsigned namespace, own;
	int pid, end = 0, r;

	if (sscanf(group, "culprit_%d_%llx_%x%n", &pid, &start, &namespace, &end) != 3 ||
		group[end] || pid <= 0)
		return false;
	if (own_namespace(&own) || own != namespace)
		return false;
	r = started_at(pid, &now);
	return r == -ESRCH || (!r && now != start);
}

bool cul_kprobe_events_is_group(const char *group, const void *name)
{
	return !strcmp(group, name);
}

int cul_kprobe_events_write(const char *tracefs, const char *file, const char *line)
{
	cul_autoclose int fd = -1;
	char path[128];
	ssize_t n;

	snprintf(path, sizeof(path), "%.100s/%.20s", tracefs, file);
	/* To append: opened to be cut, it would take everybody's lines away. */
	fd = cul_sys_open(path, O_WRONLY | O_APPEND);
	if (fd < 0)
		return fd;
	n = cul_sys_write(fd, line, strlen(line));
	return n < 0 ? (int)n : 0;
}

/* "r8:GROUP/EVENT" into both parts. */
static bool split_head(char *head, char **group, char **event)
{
	char *colon = strchr(head, ':'), *slash = colon ? strchr(colon, '/') : NULL;

	if (!slash || !(*head == 'p' || *head == 'r'))
		return false;
	*slash = '\0';
	*group = colon + 1;
	*event = slash + 1;
	return true;
}

struct removal {
	const char *tracefs, *file;
	bool (*wanted)(const char *group, const void *arg);
	const void *arg;
	size_t removed;
	int failed; /* the last failure of this pass */
};

static void consider(struct removal *x, char *head)
{
	char *group, *event, line[HEAD_MAX + 8];
	int r;

	if (!split_head(head, &group, &event) || !x->wanted(group, x->arg))
		return;
	snprintf(line, sizeof(line), "-:%s/%s\n", group, event);
	r = cul_kprobe_events_write(x->tracefs, x->file, line);
	if (!r)
		x->removed++;
	else if (r != -ENOENT) /* somebody else took it away */
		x->failed = r;
}

/* Goes over the heads of all lines once. The kernel counts lines, so that some may be left out. */
static int pass(struct removal *x)
{
	cul_autoclose int fd = -1;
	char path[128], buf[4096], head[HEAD_MAX];
	size_t len = 0;
	bool in_head = true;
	ssize_t n;

	snprintf(path, sizeof(path), "%.100s/%.20s", x->tracefs, x->file);
	fd = cul_sys_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	while ((n = cul_sys_read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (in_head && buf[i] != ' ' && buf[i] != '\n') {
				if (len < sizeof(head) - 1)
					head[len++] = buf[i];
				continue;
			}
			if (in_head) {
				head[len] = '\0';
				consider(x, head);
			}
			len = 0;
			in_head = buf[i] == '\n';
		}
	return (int)n;
}

static int remove_from(const char *tracefs, const char *file,
	bool (*wanted)(const char *group, const void *arg), const void *arg)
{
	struct removal x = {.tracefs = tracefs, .file = file, .wanted = wanted, .arg = arg};
	int r;

	for (int i = 0; i < PASSES; i++) {
		x.removed = 0;
		x.failed = 0;
		r = pass(&x);
		if (r)
			return r;
		if (!x.removed)
			break;
	}
	return x.failed;
}

int cul_kprobe_events_remove(
	const char *tracefs, bool (*wanted)(const char *group, const void *arg), const void *arg)
{
	int k = remove_from(tracefs, CUL_KPROBE_EVENTS, wanted, arg);
	int u = remove_from(tracefs, CUL_UPROBE_EVENTS, wanted, arg);

	/* A kernel may have one of them alone. */
	if (k == -ENOENT)
		return u;
	return k || u == -ENOENT ? k : u;
}

int cul_kprobe_events_missed(const char *tracefs, const char *event, uint64_t *missed)
{
	cul_autofree char *text = NULL;
	char path[128], *rest = NULL;
	size_t size, len = strlen(event);
	int r;

	snprintf(path, sizeof(path), "%.100s/kprobe_profile", tracefs);
	r = cul_sys_read_file(path, PROFILE_MAX, &text, &size);
	if (r)
		return r;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		uint64_t hits, misses;

		line += strspn(line, " ");
		if (strncmp(line, event, len) || line[len] != ' ')
			continue;
		if (sscanf(line + len, "%" SCNu64 " %" SCNu64, &hits, &misses) != 2)
			return -EINVAL;
		*missed = misses;
		return 0;
	}
	return -ENOENT;
}
