/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/file.h"

enum { PF_KTHREAD = 0x00200000, FLAGS_FIELD = 9 }; /* include/linux/sched.h; proc_pid_stat(5) */

int cul_tasks_open(pid_t pid, struct cul_tasks_dir *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	out->dir = opendir(path);
	return out->dir ? 0 : -errno;
}

pid_t cul_tasks_next(struct cul_tasks_dir *dir)
{
	const struct dirent *e;

	while ((e = readdir(dir->dir))) {
		char *end;
		long tid = strtol(e->d_name, &end, 10);

		if (!*end && tid > 0 && tid <= INT_MAX)
			return (pid_t)tid;
	}
	return 0;
}

void cul_tasks_close(struct cul_tasks_dir *dir)
{
	if (dir->dir)
		closedir(dir->dir);
	dir->dir = NULL;
}

static int read_at(int dir, const char *path, char *buf, size_t size)
{
	cul_autoclose int fd = cul_sys_openat(dir, path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = cul_sys_read(fd, buf, size - 1);
	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	return 0;
}

int cul_task_read(pid_t pid, pid_t tid, const char *name, char *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
	return read_at(AT_FDCWD, path, buf, size);
}

int cul_task_read_in(
	const struct cul_tasks_dir *dir, pid_t tid, const char *name, char *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "%d/%s", (int)tid, name);
	return read_at(dirfd(dir->dir), path, buf, size);
}

char cul_task_state(pid_t pid, pid_t tid)
{
	struct cul_task_stat stat;
	char text[512];

	if (cul_task_read(pid, tid, "stat", text, sizeof(text)) != 0 ||
		cul_task_parse_stat(text, &stat) != 0)
		return 0;
	return stat.state;
}

size_t cul_tasks_count(pid_t pid)
{
	char text[4096];
	int n;

	if (cul_task_read(pid, pid, "status", text, sizeof(text)) != 0 ||
		cul_task_parse_status(text, "Threads", &n) != 0 || n < 0)
		return 0;
	return (size_t)n;
}

/* "812 (name) S 1 ...": the name may hold parentheses, blanks and line feeds. */
int cul_task_parse_stat(const char *text, struct cul_task_stat *out)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')'), *p;
	struct cul_task_stat stat = {0};
	unsigned long flags;
	size_t len;
	char *end;

	if (!open || !close || close < open || close[1] != ' ' || !close[2] || close[3] != ' ')
		return -EBADMSG;
	len = (size_t)(close - open - 1);
	if (len >= sizeof(stat.name))
		len = sizeof(stat.name) - 1;
	memcpy(stat.name, open + 1, len);
	stat.state = close[2];
	stat.parent = (int)strtol(close + 4, &end, 10);
	p = close + 2;
	for (unsigned field = 3; field < FLAGS_FIELD; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -EBADMSG;
		p++;
	}
	flags = strtoul(p, &end, 10);
	if (end == p)
		return -EBADMSG;
	stat.kernel_thread = flags & PF_KTHREAD;
	*out = stat;
	return 0;
}

int cul_task_parse_status(const char *text, const char *field, int *out)
{
	size_t len = strlen(field);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char *end;
		long value;

		line += *line == '\n';
		if (strncmp(line, field, len) != 0 || line[len] != ':')
			continue;
		value = strtol(line + len + 1, &end, 10);
		if (end == line + len + 1 || value < INT_MIN || value > INT_MAX)
			return -EBADMSG;
		*out = (int)value;
		return 0;
	}
	return -ENOENT;
}

int cul_task_parse_syscall(const char *text, struct cul_task_blocked *out)
{
	struct cul_task_blocked b = {0};

	if (!strncmp(text, "running", 7))
		return -EAGAIN;
	if (sscanf(text,
		    "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		    " %" SCNx64 " %" SCNx64,
		    &b.nr, &b.args[0], &b.args[1], &b.args[2], &b.args[3], &b.args[4], &b.args[5],
		    &b.sp, &b.pc) == 9) {
		*out = b;
		return 0;
	}
	b = (struct cul_task_blocked){0};
	if (sscanf(text, "%ld %" SCNx64 " %" SCNx64, &b.nr, &b.sp, &b.pc) != 3 || b.nr != -1)
		return -EBADMSG;
	*out = b;
	return 0;
}

/* "[<0>] name+0x4c/0xe0 [module]" from `line` to `end`. */
static int parse_frame(
	const char *line, const char *end, struct cul_arena *arena, struct cul_kernel_frame *out)
{
	const char *name = memchr(line, ' ', (size_t)(end - line)), *plus, *module, *close;
	struct cul_where *where = &out->where;
	char *rest;

	if (line == end || *line != '[' || !name)
		return -EBADMSG;
	name++;
	plus = memchr(name, '+', (size_t)(end - name));
	if (!plus || plus == name)
		return -EBADMSG;
	*out = (struct cul_kernel_frame){.method = "/proc", .certainty = CUL_CERTAIN};
	where->offset = strtoull(plus + 1, &rest, 16);
	if (rest == plus + 1 || rest > end || *rest != '/')
		return -EBADMSG;
	module = memchr(rest, '[', (size_t)(end - rest));
	close = module ? memchr(module, ']', (size_t)(end - module)) : NULL;
	where->function = cul_arena_strndup(arena, name, (size_t)(plus - name));
	where->module = close ? cul_arena_strndup(arena, module + 1, (size_t)(close - module - 1))
			      : "vmlinux";
	return where->function && where->module ? 0 : -ENOMEM;
}

int cul_task_parse_stack(const char *text, struct cul_arena *arena, struct cul_kernel_frames *out)
{
	while (*text) {
		const char *end = text + strcspn(text, "\n");
		struct cul_kernel_frame frame, *slot;
		int ret = parse_frame(text, end, arena, &frame);

		if (ret < 0)
			return ret;
		slot = cul_vec_push(out);
		if (!slot)
			return -ENOMEM;
		*slot = frame;
		text = end + (*end == '\n');
	}
	return 0;
}
