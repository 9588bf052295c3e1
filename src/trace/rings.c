/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/rings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "sys/bpf.h"

enum {
	/* A record is timed before it is written: one that is younger than this may have company.
	 */
	SETTLE_NS = 5 * 1000 * 1000,
	ALL_RINGS = 16 << 20,
	LARGEST = 1 << 20,
	SMALLEST = 64 << 10,
};

struct held {
	uint64_t ns;
	size_t at, size; /* in `bytes` */
};

struct cpu_ring {
	int fd;
	__u32 cpu;
};

struct cul_rings {
	struct ring_buffer *manager;
	size_t time_offset;
	cul_rings_fn *fn;
	void *data;
	CUL_VEC(struct held) held;
	uint8_t *bytes; /* of the held records */
	size_t used, room;
	size_t most; /* bytes to hold; then the rest waits in its ring for the next reading */
	CUL_VEC(struct cpu_ring) rings;
};

size_t cul_rings_size(unsigned n_cpus)
{
	size_t size = LARGEST;

	while (size > SMALLEST && size * n_cpus > ALL_RINGS)
		size /= 2;
	return size;
}

/* Each of the held records begins at 8 bytes, so that it can be looked at as a struct. */
static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static int hold(void *data, void *record, size_t size)
{
	struct cul_rings *r = data;
	size_t takes = padded(size);
	struct held *h;

	if (size < r->time_offset + sizeof(h->ns))
		return 0;
	if (r->room - r->used < takes) {
		size_t room = (r->room + takes) * 2;
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
	r->used += takes;
	return r->used > r->most ? -EAGAIN : 0;
}

static int create_ring(struct cul_rings *r, int cpu, size_t bytes, struct cul_error *err)
{
	int fd =
		cul_sys_bpf_map_create(BPF_MAP_TYPE_RINGBUF, "culprit_ring", 0, 0, (unsigned)bytes);
	struct cpu_ring *slot;

	if (fd < 0)
		return cul_fail(err, fd, "creating CPU %d's ring buffer of %zu bytes: %s", cpu,
			bytes, cul_strerror(fd));
	slot = cul_vec_push(&r->rings);
	if (!slot) {
		close(fd);
		return cul_fail(err, -ENOMEM, "out of memory");
	}
	slot->fd = fd;
	slot->cpu = (__u32)cpu;
	return 0;
}

/*
 * The kernel waits for a grace period after each update of a map of maps, some 10 ms: all rings go
 * in one where it can take them so (since 5.19), and one by one where it cannot.
 */
static int hand_over(struct cul_rings *r, int outer_fd, struct cul_error *err)
{
	__u32 n = (__u32)r->rings.len;
	cul_autofree __u32 *cpus = cul_calloc(n, sizeof(*cpus)), *fds = cul_calloc(n, sizeof(*fds));

	if (!cpus || !fds)
		return cul_fail(err, -ENOMEM, "out of memory");
	for (__u32 i = 0; i < n; i++) {
		cpus[i] = r->rings.data[i].cpu;
		fds[i] = (__u32)r->rings.data[i].fd;
	}
	if (!cul_sys_bpf_map_update_batch(outer_fd, cpus, fds, n))
		return 0;
	for (size_t i = 0; i < r->rings.len; i++) {
		int code = cul_sys_bpf_map_update(outer_fd, &cpus[i], &fds[i]);

		if (code)
			return cul_fail(err, code,
				"handing CPU %u's ring buffer to the program: %s", cpus[i],
				cul_strerror(code));
	}
	return 0;
}

static int map_ring(struct cul_rings *r, const struct cpu_ring *ring, struct cul_error *err)
{
	int code = 0;

	if (r->manager) {
		code = ring_buffer__add(r->manager, ring->fd, hold, r);
	} else {
		r->manager = ring_buffer__new(ring->fd, hold, r, NULL);
		code = r->manager ? 0 : -errno;
	}
	return code ? cul_fail(err, code, "mapping CPU %u's ring buffer: %s", ring->cpu,
			      cul_strerror(code))
		    : 0;
}

int cul_rings_new(int outer_fd, const struct cul_cpus *cpus, size_t bytes, size_t time_offset,
	cul_rings_fn *fn, void *data, struct cul_rings **out, struct cul_error *err)
{
	struct cul_rings *r = cul_calloc(1, sizeof(*r));
	int code = 0;

	if (!r)
		return cul_fail(err, -ENOMEM, "out of memory");
	r->time_offset = time_offset;
	r->fn = fn;
	r->data = data;
	/*
	 * More than all rings have at once: a reading that ended between two rings could not put
	 * their records in order.
	 */
	r->most = 2 * bytes * cul_cpus_count(cpus);
	cul_for_each_cpu(cpu, cpus)
	{
		if (!code)
			code = create_ring(r, cpu, bytes, err);
	}
	if (!code)
		code = hand_over(r, outer_fd, err);
	for (size_t i = 0; !code && i < r->rings.len; i++)
		code = map_ring(r, &r->rings.data[i], err);
	if (code) {
		cul_rings_free(r);
		return code;
	}
	*out = r;
	return 0;
}

void cul_rings_free(struct cul_rings *r)
{
	if (!r)
		return;
	ring_buffer__free(r->manager);
	for (size_t i = 0; i < r->rings.len; i++)
		close(r->rings.data[i].fd);
	free(r->rings.data);
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

static int by_place(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Moves the records that were not handed on to the front, in the order of their places. */
static void keep_from(struct cul_rings *r, size_t first)
{
	size_t used = 0, kept = r->held.len - first;

	memmove(r->held.data, r->held.data + first, kept * sizeof(*r->held.data));
	qsort(r->held.data, kept, sizeof(*r->held.data), by_place);
	r->held.len = kept;
	for (size_t i = 0; i < kept; i++) {
		struct held *h = &r->held.data[i];

		memmove(r->bytes + used, r->bytes + h->at, h->size);
		h->at = used;
		used += padded(h->size);
	}
	r->used = used;
}

/* Hands on, in order, what is not younger than `until`. 0, or what `fn` returned. */
static int hand_on(struct cul_rings *r, uint64_t until)
{
	size_t i;
	int code = 0;

	if (!r->held.len)
		return 0;
	qsort(r->held.data, r->held.len, sizeof(*r->held.data), by_time);
	for (i = 0; i < r->held.len && !code; i++) {
		const struct held *h = &r->held.data[i];

		if (h->ns > until)
			break;
		code = r->fn(r->data, r->bytes + h->at, h->size);
	}
	keep_from(r, i);
	return code < 0 ? code : 0;
}

int cul_rings_read(struct cul_rings *r, bool flush)
{
	uint64_t settled = cul_clock_now() - SETTLE_NS;
	int code, more;

	do {
		more = ring_buffer__consume(r->manager);
		if (more < 0 && more != -EAGAIN)
			return more;
		code = hand_on(r, flush ? UINT64_MAX : settled);
	} while (flush && !code && more == -EAGAIN);
	return code;
}
