/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc/PID/task tells of threads. Its text is parsed as hostile: names of threads and of
 * kernel modules may hold anything.
 */
#ifndef CUL_STACK_TASKS_H
#define CUL_STACK_TASKS_H

#include <dirent.h>

#include "stack/source.h"

struct cul_tasks_dir {
	DIR *dir;
};

/* -ENOENT: there is no such process. */
int cul_tasks_open(pid_t pid, struct cul_tasks_dir *out);
pid_t cul_tasks_next(struct cul_tasks_dir *dir); /* 0: that was all */
void cul_tasks_close(struct cul_tasks_dir *dir);

/* The beginning of /proc/PID/task/TID/NAME, with a NUL behind. 0 or a negative errno. */
int cul_task_read(pid_t pid, pid_t tid, const char *name, char *buf, size_t size);
/* The same by the directory: less to look up where there are many. */
int cul_task_read_in(
	const struct cul_tasks_dir *dir, pid_t tid, const char *name, char *buf, size_t size);

/* As in /proc/PID/stat: 'S'; 0: it is gone. */
char cul_task_state(pid_t pid, pid_t tid);

/* How many threads the process has; 0: it is not told. */
size_t cul_tasks_count(pid_t pid);

struct cul_task_stat {
	char name[64];
	char state;
	bool kernel_thread;
	int parent;
};

/* The text of /proc/PID/stat. -EBADMSG. */
int cul_task_parse_stat(const char *text, struct cul_task_stat *out);

/* A number in the text of /proc/PID/status; `field`: "Tgid". -ENOENT: it has no such line;
 * -EBADMSG. */
int cul_task_parse_status(const char *text, const char *field, int *out);

/* The text of /proc/PID/syscall: where a thread is blocked. */
struct cul_task_blocked {
	long nr; /* of the system call; -1: in none */
	uint64_t args[6];
	uint64_t sp, pc; /* of user space */
};

/* -EAGAIN: it is running; -EBADMSG. */
int cul_task_parse_syscall(const char *text, struct cul_task_blocked *out);

/*
 * The text of /proc/PID/stack: "[<0>] do_wait+0x4c/0xe0 [module]", a line a frame. Strings go into
 * `arena`, frames into `out`, which the caller frees also on failure. -EBADMSG, -ENOMEM.
 */
int cul_task_parse_stack(const char *text, struct cul_arena *arena, struct cul_kernel_frames *out);

#endif
