/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running kernel's memory through a BPF program that copies it. */
#include "mem/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sys/bpf.h"

#include "kread.skel.h"

struct reader {
	struct cul_mem mem;
	struct kread_bpf *skel;
};

static int read_part(struct reader *r, uint64_t addr, void *buf, size_t size)
{
	uint32_t result = 0;
	int ret;

	r->skel->bss->addr = addr;
	r->skel->bss->size = (uint32_t)size;
	ret = cul_sys_bpf_run(bpf_program__fd(r->skel->progs.kread), &result);
	if (ret < 0)
		return ret;
	if (result) /* -ERANGE: no kernel address (mm/maccess.c) */
		return (int32_t)result == -EPERM ? -EPERM : -EFAULT;
	memcpy(buf, r->skel->bss->bytes, size);
	return 0;
}

static int read_parts(struct reader *r, uint64_t addr, void *buf, size_t size)
{
	char *to = buf;

	while (size > 0) {
		size_t part = sizeof(r->skel->bss->bytes);
		int ret;

		if (part > size)
			part = size;
		ret = read_part(r, addr, to, part);
		if (ret < 0)
			return ret;
		to += part;
		size -= part;
		if (size > 0 && __builtin_add_overflow(addr, part, &addr))
			return -EFAULT;
	}
	return 0;
}

static int bpf_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	return read_parts((struct reader *)mem, addr, buf, size);
}

static int bpf_own_task(struct cul_mem *mem, void *buf, size_t size)
{
	struct reader *r = (struct reader *)mem;
	int ret;

	r->skel->bss->own_task = 1;
	ret = read_parts(r, 0, buf, size);
	r->skel->bss->own_task = 0;
	return ret;
}

static void bpf_free(struct cul_mem *mem)
{
	struct reader *r = (struct reader *)mem;

	kread_bpf__destroy(r->skel);
	free(r);
}

static const struct cul_mem_ops bpf_ops = {
	.name = "BPF",
	.read = bpf_read,
	.free = bpf_free,
	.own_task = bpf_own_task,
};

/* Where BPF may not read kernel memory at all, the verifier takes the helper for unknown. */
static int fail_load(int code, struct cul_error *err)
{
	if (code == -ENOMEM)
		return cul_fail(err, code, "out of memory");
	if (cul_sys_bpf_confidential())
		return cul_fail(err, -EPERM,
			"this kernel is locked down (lockdown=confidentiality: see "
			"/sys/kernel/security/lockdown)");
	if (code == -EPERM)
		return cul_fail(err, code,
			"a program cannot be loaded: it takes root, or CAP_BPF with CAP_PERFMON");
	return cul_fail(err, code, "a program that reads cannot be loaded: %s", cul_strerror(code));
}

/* Before 5.10 such a program cannot be run by hand. */
static int try_run(struct reader *r, struct cul_error *err)
{
	char none[1];
	int ret = read_part(r, 0, none, 0); /* no bytes */

	if (ret == -EINVAL || ret == -EOPNOTSUPP || ret == -524 /* the kernel's ENOTSUPP */)
		return cul_fail(err, -ENOTSUP,
			"this kernel cannot run a program by hand, which came with 5.10");
	if (ret < 0)
		return cul_fail(err, ret, "the program cannot be run: %s", cul_strerror(ret));
	return 0;
}

int cul_mem_kernel_bpf(struct cul_mem **out, struct cul_error *err)
{
	struct reader *r = cul_calloc(1, sizeof(*r));
	int ret = -ENOMEM;

	if (r)
		r->skel = kread_bpf__open();
	if (!r || !r->skel) {
		free(r);
		return fail_load(-ENOMEM, err);
	}
	ret = cul_sys_bpf_load(r->skel->skeleton);
	ret = ret < 0 ? fail_load(ret, err) : try_run(r, err);
	if (ret < 0) {
		bpf_free(&r->mem);
		return ret;
	}
	r->mem.ops = &bpf_ops;
	*out = &r->mem;
	return 0;
}
