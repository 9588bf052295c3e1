/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc/PID/task tells of a thread. The bytes as the text of stat, status, syscall and stack;
 * and as the name of a thread, which its owner chooses, in texts that are otherwise right: nothing
 * of it may be taken for what the kernel says.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/tasks.h"

enum { TEXT_MOST = 8192, NAME_MOST = 63 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stack(const char *text)
{
	struct cul_kernel_frames frames = {0};
	struct cul_arena arena = {0};
	size_t lines = 0;

	for (const char *p = text; *p; p++)
		lines += *p == '\n' || !p[1];
	if (cul_task_parse_stack(text, &arena, &frames) == 0 && frames.len != lines)
		abort();
	for (size_t i = 0; i < frames.len; i++) {
		const struct cul_where *w = &frames.data[i].where;

		if (!w->function || !*w->function || !w->module || strchr(w->function, '\n') ||
			strchr(w->module, '\n'))
			abort();
	}
	free(frames.data);
	cul_arena_free(&arena);
}

static void name(const char *text)
{
	char chosen[NAME_MOST + 1], whole[256];
	struct cul_task_stat stat;
	int tracer;

	snprintf(chosen, sizeof(chosen), "%s", text);
	snprintf(whole, sizeof(whole), "7 (%s) D 41 7 7 0 -1 2097152 1 2 3 4\n", chosen);
	if (cul_task_parse_stat(whole, &stat) != 0 || strcmp(stat.name, chosen) != 0 ||
		stat.state != 'D' || stat.parent != 41 || !stat.kernel_thread)
		abort();
	/* There it writes a line feed in another way (proc_task_name). */
	for (char *p = chosen; (p = strchr(p, '\n'));)
		*p = 'n';
	snprintf(whole, sizeof(whole), "Name:\t%s\nState:\tS\nTracerPid:\t41\n", chosen);
	if (cul_task_parse_status(whole, "TracerPid", &tracer) != 0 || tracer != 41)
		abort();
}

/* As the kernel writes what a thread has in its registers (proc_pid_syscall). */
static void blocked(const uint8_t *data, size_t size)
{
	struct cul_task_blocked at = {0}, told;
	char text[256];

	if (size > sizeof(at))
		size = sizeof(at);
	memcpy(&at, data, size);
	at.nr = (int)at.nr;
	snprintf(text, sizeof(text),
		"%ld 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
		" 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 "\n",
		at.nr, at.args[0], at.args[1], at.args[2], at.args[3], at.args[4], at.args[5],
		at.sp, at.pc);
	if (cul_task_parse_syscall(text, &told) != 0 || memcmp(&at, &told, sizeof(at)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cul_task_blocked at;
	struct cul_task_stat stat;
	char *text;
	int tgid;

	if (size > TEXT_MOST)
		return 0;
	/* The very bytes: what is read beyond them is seen. */
	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	if (cul_task_parse_stat(text, &stat) == 0 &&
		(!memchr(stat.name, 0, sizeof(stat.name)) || !stat.state))
		abort();
	cul_task_parse_syscall(text, &at);
	cul_task_parse_status(text, "Tgid", &tgid);
	stack(text);
	name(text);
	blocked(data, size);
	free(text);
	return 0;
}
