/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running kernel's memory by whatever way there is. */
#include "mem/mem.h"

#include <errno.h>

int cul_mem_kernel(struct cul_mem **out, struct cul_error *err)
{
	struct cul_error kcore = {0}, bpf = {0};
	int ret = cul_mem_kcore("/proc/kcore", out, &kcore);

	if (ret == 0 || cul_mem_kernel_bpf(out, &bpf) == 0)
		return 0;
	if (bpf.code == -ENOMEM)
		return cul_fail(err, -ENOMEM, "kernel memory: out of memory");
	return cul_fail(
		err, bpf.code, "kernel memory: %.220s; nor by BPF: %.220s", kcore.text, bpf.text);
}

int cul_mem_kernel_own_task(struct cul_mem *mem, void *buf, size_t size)
{
	return mem->ops->own_task ? mem->ops->own_task(mem, buf, size) : -ENOTSUP;
}
