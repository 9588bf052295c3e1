/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "files.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

/* Calls `fn` for each descriptor until it says yes; that descriptor, or how many there are. */
static int each_file(bool (*fn)(int fd, const void *data), const void *data)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	int n = 0, found = -1;

	while (dir && (e = readdir(dir))) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		n++;
		if (fn && fn(fd, data))
			found = fd;
	}
	if (dir)
		closedir(dir);
	return fn ? found : n;
}

unsigned open_files(void)
{
	return (unsigned)each_file(NULL, NULL);
}

static bool is_map(int fd, const void *name)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, name);
}

int find_map(const char *name)
{
	return each_file(is_map, name);
}
