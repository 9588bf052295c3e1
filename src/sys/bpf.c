/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/bpf.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "sys/fault.h"
#include "sys/file.h"

/* libbpf 1.x sets errno as well as returning it; older ones set errno alone. */
static int result(int r)
{
	return r < 0 ? -errno : r;
}

bool cul_sys_bpf_confidential(void)
{
	cul_autofree char *text = NULL;
	size_t size;

	return cul_sys_read_file("/sys/kernel/security/lockdown", 256, &text, &size) == 0 &&
	       strstr(text, "[confidentiality]");
}

int cul_sys_bpf_explain(const char *doing, int code, struct cul_error *err)
{
	if (code == -EMFILE || code == -ENFILE)
		return cul_fail(err, code, "%s: too many open files; raise `ulimit -n`", doing);
	if (code != -EPERM && code != -EACCES && code != -EINVAL)
		return 0;
	if (cul_sys_bpf_confidential())
		return cul_fail(err, -EPERM,
			"%s: this kernel is locked down (lockdown=confidentiality), and no program "
			"may read its memory; boot without that, see /sys/kernel/security/lockdown",
			doing);
	if (code != -EPERM)
		return 0;
	if (geteuid())
		return cul_fail(err, code, "%s: %s; run as root, or give CAP_BPF and CAP_PERFMON",
			doing, cul_strerror(code));
	return cul_fail(err, code,
		"%s: %s, to root too: by a container, or by what this kernel lacks; `culprit "
		"doctor` tells",
		doing, cul_strerror(code));
}

int cul_sys_bpf_map_create(enum bpf_map_type type, const char *name, unsigned key_size,
	unsigned value_size, unsigned entries)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_map_create(type, name, key_size, value_size, entries, NULL));
}

int cul_sys_bpf_map_update(int fd, const void *key, const void *value)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_map_update_elem(fd, key, value, BPF_ANY));
}

int cul_sys_bpf_map_update_batch(int fd, const void *keys, const void *values, unsigned n)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);
	__u32 count = n;

	return r ? r : result(bpf_map_update_batch(fd, keys, values, &count, NULL));
}

int cul_sys_bpf_wait_for_programs(void)
{
	cul_autoclose int inner =
		cul_sys_bpf_map_create(BPF_MAP_TYPE_ARRAY, "culprit_inner", 4, 4, 1);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = (__u32)inner);
	cul_autoclose int outer = inner < 0 ? inner
					    : result(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS,
						      "culprit_wait", 4, 4, 1, &opts));
	__u32 first = 0;

	return outer < 0 ? outer : cul_sys_bpf_map_update(outer, &first, &inner);
}

int cul_sys_bpf_map_delete(int fd, const void *key)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_map_delete_elem(fd, key));
}

int cul_sys_bpf_map_lookup(int fd, const void *key, void *value)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_map_lookup_elem(fd, key, value));
}

int cul_sys_bpf_map_next_key(int fd, const void *key, void *next)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_map_get_next_key(fd, key, next));
}

int cul_sys_bpf_map_mmap(int fd, size_t size, void **out)
{
	int r = cul_sys_faulted(CUL_SYS_MMAP);
	void *p;

	if (r)
		return r;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

int cul_sys_bpf_prog_load(
	enum bpf_prog_type type, const char *name, const struct bpf_insn *insns, size_t n)
{
	struct cul_bpf_prog prog = {.type = type, .name = name, .insns = insns, .n = n};

	return cul_sys_bpf_prog_load_attr(&prog);
}

int cul_sys_bpf_prog_load_attr(const struct cul_bpf_prog *prog)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = prog->expected_attach_type,
		.attach_btf_id = prog->attach_btf_id,
		.attach_btf_obj_fd = (__u32)prog->attach_btf_obj_fd, .log_buf = prog->log,
		.log_size = (__u32)prog->log_size, .log_level = prog->log ? prog->log_level : 0);
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r
		 : result(bpf_prog_load(
			   prog->type, prog->name, "GPL", prog->insns, prog->n, &opts));
}

int cul_sys_bpf_prog_run_on(int fd, int cpu)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = (__u32)cpu);
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_prog_test_run_opts(fd, &opts));
}

int cul_sys_bpf_run(int fd, __u32 *value)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int r = cul_sys_faulted(CUL_SYS_BPF);

	if (!r)
		r = result(bpf_prog_test_run_opts(fd, &opts));
	if (!r)
		*value = opts.retval;
	return r;
}

int cul_sys_bpf_btf_next_id(__u32 id, __u32 *next)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_btf_get_next_id(id, next));
}

int cul_sys_bpf_btf_open(__u32 id)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_btf_get_fd_by_id(id));
}

int cul_sys_bpf_btf_info(int fd, struct bpf_btf_info *info)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);
	__u32 size = sizeof(*info);

	return r ? r : result(bpf_obj_get_info_by_fd(fd, info, &size));
}

/* libbpf's own words would go to stderr; ours name the way out. */
static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

int cul_sys_bpf_load(struct bpf_object_skeleton *skeleton)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	libbpf_set_print(quiet);
	return r ? r : bpf_object__load_skeleton(skeleton);
}
