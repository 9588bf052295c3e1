/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/bpf.h"

#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sys/fault.h"

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

int cul_sys_bpf_load(struct bpf_object_skeleton *skeleton)
{
	int ret = cul_sys_faulted(CUL_SYS_BPF_LOAD);

	if (ret < 0)
		return ret;
	libbpf_set_print(quiet);
	return bpf_object__load_skeleton(skeleton);
}

int cul_sys_bpf_run(int prog_fd, uint32_t *result)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int ret = cul_sys_faulted(CUL_SYS_BPF_RUN);

	if (ret < 0)
		return ret;
	if (bpf_prog_test_run_opts(prog_fd, &opts))
		return -errno;
	*result = opts.retval;
	return 0;
}
