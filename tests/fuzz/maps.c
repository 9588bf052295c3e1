/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes are the text of /proc/PID/maps. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cul_maps maps = {0};
	struct cul_error err;

	if (cul_maps_parse((const char *)data, size, &maps, &err) != 0) {
		assert(!maps.maps.data);
		return 0;
	}
	for (size_t i = 0; i < maps.maps.len; i++) {
		const struct cul_map *m = &maps.maps.data[i];

		assert(cul_maps_at(&maps, m->start) == m);
		assert(cul_maps_at(&maps, m->end - 1) == m);
		cul_maps_file(&maps, m->path, NULL);
	}
	cul_maps_file(&maps, "libc", NULL);
	cul_maps_free(&maps);
	return 0;
}
