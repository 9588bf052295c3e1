/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as /proc/kallsyms; what they hold is then asked for by name and by address. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sym/kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct cul_kallsyms *k, const struct cul_ksym *s)
{
	struct cul_ksym found;
	struct cul_error err;
	size_t n = 0;

	if (cul_kallsyms_find(k, s->module, s->name, &found, &n, &err) < 0 || n == 0)
		abort(); /* what is listed is found */
	if (cul_kallsyms_find_nth(k, NULL, s->name, 0, &found) < 0)
		abort();
	if (cul_kallsyms_at(k, s->addr, &found) == 0 && found.addr > s->addr)
		abort();
	cul_kallsyms_at(k, s->addr + 1, &found);
	cul_kallsyms_at(k, s->addr - 1, &found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cul_kallsyms *k = NULL;
	struct cul_error err;
	struct cul_ksym s;
	char path[64];
	size_t cursor = 0;
	int fd = memfd_create("kallsyms", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* The same bytes serve as the list of modules. */
	if (cul_kallsyms_open(path, path, &k, &err) == 0) {
		for (int i = 0; i < 64 && cul_kallsyms_next(k, &cursor, &s); i++)
			ask(k, &s);
		cul_kallsyms_find(k, NULL, "runqueues", &s, NULL, &err);
		cul_kallsyms_find(k, "victim", "", &s, NULL, &err);
		cul_kallsyms_module(k, "victim");
		cul_kallsyms_has_data(k);
	}
	cul_kallsyms_free(k);
	close(fd);
	return 0;
}
