/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { MOST = 6 };

static bool has_perf_event(const char *pid)
{
	char path[300], target[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		found = !strcmp(target, "anon_inode:[perf_event]");
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The process that traces `pid`; 0: none. */
static int tracer_of(const char *pid)
{
	cul_autofclose FILE *f = NULL;
	char path[300], line[128];
	int tracer = 0;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	return tracer;
}

/* Those that were named: some trace others, and hold events as well. */
struct named {
	int pids[MOST];
	unsigned n;
};

static bool is_named(const struct named *named, int pid)
{
	for (unsigned i = 0; i < named->n; i++)
		if (named->pids[i] == pid)
			return true;
	return false;
}

static void add(struct cul_str *out, int pid, struct named *named)
{
	cul_autofclose FILE *f = NULL;
	char path[64], comm[64] = "";

	if (pid == getpid() || named->n >= MOST || is_named(named, pid))
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f || !fgets(comm, sizeof(comm), f))
		return;
	comm[strcspn(comm, "\n")] = '\0';
	cul_str_addf(out, "%s%s (%d)", out->len ? ", " : "", comm, pid);
	named->pids[named->n++] = pid;
}

void cul_watch_holders(struct cul_str *out)
{
	struct dirent *entry;
	struct named named = {0};
	DIR *dir = opendir("/proc");

	while (dir && named.n < MOST && (entry = readdir(dir))) {
		int tracer;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (has_perf_event(entry->d_name))
			add(out, atoi(entry->d_name), &named);
		tracer = tracer_of(entry->d_name);
		if (tracer)
			add(out, tracer, &named);
	}
	if (dir)
		closedir(dir);
}
