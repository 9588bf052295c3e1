/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own copy of a module's BTF. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "sym/sites_kernel.h"
#include "sys/bpf.h"

/* 1: it is of that module. */
static int is_of(int fd, const char *module)
{
	struct bpf_btf_info info;
	char name[64] = "";
	int r;

	memset(&info, 0, sizeof(info));
	info.name = (__u64)(uintptr_t)name;
	info.name_len = sizeof(name);
	r = cul_sys_bpf_btf_info(fd, &info);
	if (r)
		return r;
	return info.kernel_btf && cul_ksites_same_module(name, module);
}

int cul_sites_btf_fd(const char *module, struct cul_error *err)
{
	__u32 id = 0;
	int r;

	if (!strcmp(module, "vmlinux"))
		return 0;
	while (!(r = cul_sys_bpf_btf_next_id(id, &id))) {
		cul_autoclose int fd = cul_sys_bpf_btf_open(id);

		if (fd == -ENOENT) /* gone meanwhile */
			continue;
		r = fd < 0 ? fd : is_of(fd, module);
		if (r < 0)
			break;
		if (r > 0)
			return cul_take_fd(&fd);
	}
	if (r == -ENOENT)
		return cul_fail(err, r, "the kernel has no BTF of module '%s'", module);
	return cul_fail(err, r, "the BTF of module '%s' cannot be had from the kernel: %s%s",
		module, cul_strerror(r),
		r == -EPERM ? "; that needs CAP_SYS_ADMIN (listing BTF objects)" : "");
}
