/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as what a kernel lists of itself, and after a line "--" any as the map of where it was
 * linked: text, or an ELF file. Whatever the map then says of a name must be consistent.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sym/system_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int put(const uint8_t *data, size_t size, char *path, size_t room)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, room, "/proc/self/fd/%d", fd);
	return fd;
}

static void ask(struct cul_system_map *m, const char *name)
{
	struct cul_ksym first, s, at;
	struct cul_error err;
	size_t n = 0;

	if (cul_system_map_find(m, name, &first, &n, &err) < 0)
		return;
	if (n == 0 || strcmp(first.name, name) != 0)
		abort();
	for (size_t i = 0; i < n && i < 8; i++)
		if (cul_system_map_find_nth(m, name, i, &s) < 0 || (i == 0 && s.addr != first.addr))
			abort();
	if (cul_system_map_at(m, first.addr, &at) == 0 && at.addr > first.addr)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *split = memmem(data, size, "\n--\n", 4);
	size_t before = split ? (size_t)(split - data) + 1 : size,
	       after = split ? before + 3 : size;
	struct cul_kallsyms *running = NULL;
	struct cul_system_map *m = NULL;
	char listed[64], map[64];
	int fd = put(data, before, listed, sizeof(listed));
	int map_fd = put(data + after, size - after, map, sizeof(map));
	struct cul_error err;
	struct cul_ksym s;
	size_t cursor = 0;

	if (cul_kallsyms_open(listed, "/dev/null", &running, &err) == 0 &&
		cul_system_map_open(map, running, &m, &err) == 0) {
		for (int i = 0; i < 32 && cul_kallsyms_next(running, &cursor, &s); i++)
			ask(m, s.name);
		ask(m, "pid_max");
		ask(m, "runqueues");
		ask(m, "state");
	}
	cul_system_map_free(m);
	cul_kallsyms_free(running);
	close(map_fd);
	close(fd);
	return 0;
}
