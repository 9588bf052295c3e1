/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/rings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/vec.h"

enum {
	/* A record is timed before it is written: one that is younger than this may have company.
	 */
	SETTLE_NS = 5 * 1000 * 1000,
	HELD_MOST = 8 << 20, /* then the rest waits in its ring for the next reading */
	ALL_RINGS = 16 << 20,
	LARGEST = 1 << 20,
	SMALLEST = 64 << 10,
};

struct held {
	uint64_t ns;
	size_t at, size; /* in `bytes` */
};

struct cul_rings {
	struct ring_buffer *manager;
	size_t time_offset;
	cul_rings_fn *fn;
	void *data;
	CUL_VEC(struct held) held;
	uint8_t *bytes; /* of the held records */
	size_t used, room;
	CUL_VEC(int) maps;
};

size_t cul_rings_size(unsigned n_cpus)
{
	size_t size = LARGEST;

	while (size > SMALLEST && size * n_cpus > ALL_RINGS)
		size /= 2;
	return size;
}

static int hold(void *data, void *record, size_t size)
{
	struct cul_rings *r = data;
	struct held *h;

	if (size < r->time_offset + sizeof(h->ns))
		return 0;
	if (r->room - r->used < size) {
		size_t room = (r->room + size) * 2;
		uint8_t *bytes = cul_realloc(r->bytes, room);

		if (!bytes)
			return -ENOMEM;
		r->bytes = bytes;
		r->room = room;
	}
	h = cul_vec_push(&r->held);
	if (!h)
		return -ENOMEM;
	memcpy(r->bytes + r->used, record, size);
	memcpy(&h->ns, (char *)record + r->time_offset, sizeof(h->ns));
	h->at = r->used;
	h->size = size;
	r->used += (size + 7) & ~(size_t)7;
	return r->used > HELD_MOST ? -EAGAIN : 0;
}

static int add_ring(struct cul_rings *r, int outer_fd, int cpu, size_t bytes, struct cul_error *err)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "culprit_ring", 0, 0, (__u32)bytes, NULL);
	int *slot, code;

	if (fd < 0)
		return cul_fail(err, -errno, "creating CPU %d's ring buffer of %zu bytes: %s", cpu,
			bytes, cul_strerror(errno));
	slot = cul_vec_push(&r->maps);
	if (!slot) {
		close(fd);
		return cul_fail(err, -ENOMEM, "out of memory");
	}
	*slot = fd;
	if (bpf_map_update_elem(outer_fd, &cpu, &fd, BPF_ANY))
		return cul_fail(err, -errno, "handing CPU %d's ring buffer to the program: %s", cpu,
			cul_strerror(errno));
	if (r->manager) {
		code = ring_buffer__add(r->manager, fd, hold, r);
	} else {
		r->manager = ring_buffer__new(fd, hold, r, NULL);
		code = r->manager ? 0 : -errno;
	}
	return code ? cul_fail(err, code, "mapping CPU %d's ring buffer: %s", cpu,
			      cul_strerror(code))
		    : 0;
}

int cul_rings_new(int outer_fd, const struct cul_cpus *cpus, size_t bytes, size_t time_offset,
	cul_rings_fn *fn, void *data, struct cul_rings **out, struct cul_error *err)
{
	struct cul_rings *r = cul_calloc(1, sizeof(*r));
	int code;

	if (!r)
		return cul_fail(err, -ENOMEM, "out of memory");
	r->time_offset = time_offset;
	r->fn = fn;
	r->data = data;
	cul_for_each_cpu(cpu, cpus)
	{
		code = add_ring(r, outer_fd, cpu, bytes, err);
		if (code) {
			cul_rings_free(r);
			return code;
		}
	}
	*out = r;
	return 0;
}

void cul_rings_free(struct cul_rings *r)
{
	if (!r)
		return;
	ring_buffer__free(r->manager);
	for (size_t i = 0; i < r->maps.len; i++)
		close(r->maps.data[i]);
	free(r->maps.data);
	free(r->held.data);
	free(r->bytes);
	free(r);
}

int cul_rings_fd(struct cul_rings *r)
{
	return ring_buffer__epoll_fd(r->manager);
}

static int by_time(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* Moves the records that were not handed on to the front. */
static void keep_from(struct cul_rings *r, size_t first)
{
	size_t used = 0, kept = r->held.len - first;
	cul_autofree uint8_t *bytes = NULL;

	if (!kept) {
		r->held.len = 0;
		r->used = 0;
		return;
	}
	memmove(r->held.data, r->held.data + first, kept * sizeof(*r->held.data));
	r->held.len = kept;
	/* Sorted by time, not by place: they cannot simply be moved down in place. */
	bytes = cul_calloc(1, r->room);
	if (!bytes)
		return; /* the space is given back at the next full hand-over */
	for (size_t i = 0; i < kept; i++) {
		struct held *h = &r->held.data[i];

		memcpy(bytes + used, r->bytes + h->at, h->size);
		h->at = used;
		used += (h->size + 7) & ~(size_t)7;
	}
	free(r->bytes);
	r->bytes = cul_take(bytes);
	r->used = used;
}

int cul_rings_read(struct cul_rings *r, bool flush)
{
	struct timespec now;
	uint64_t settled;
	size_t i;
	int code;

	clock_gettime(CLOCK_MONOTONIC, &now);
	settled = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - SETTLE_NS;
	code = ring_buffer__consume(r->manager);
	if (code < 0 && code != -EAGAIN)
		return code;
	if (!r->held.len)
		return 0;
	qsort(r->held.data, r->held.len, sizeof(*r->held.data), by_time);
	code = 0;
	for (i = 0; i < r->held.len && !code; i++) {
		const struct held *h = &r->held.data[i];

		if (!flush && h->ns > settled)
			break;
		code = r->fn(r->data, r->bytes + h->at, h->size);
	}
	keep_from(r, i);
	return code < 0 ? code : 0;
}
