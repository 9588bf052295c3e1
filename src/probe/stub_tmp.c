/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "sym/sites.h"
#include "trace/kretprobe.h"
int cul_sites_process(
	struct cul_process_syms *p, const char *spec, struct cul_sites *out, struct cul_error *err)
{
	return cul_fail(err, -ENOENT, "not yet");
}
int cul_sites_btf_fd(const char *module, struct cul_error *err)
{
	return cul_fail(err, -ENOSYS, "not yet");
}
int cul_kretprobes_new(struct cul_kretprobes **out, struct cul_error *err)
{
	return cul_fail(err, -ENOSYS, "not yet");
}
void cul_kretprobes_free(struct cul_kretprobes *k)
{
}
int cul_kretprobe_attach(struct cul_kretprobes *k, const char *place, unsigned maxactive,
	int prog_fd, uint64_t cookie, size_t *number, struct cul_attachment *out,
	struct cul_error *err)
{
	return cul_fail(err, -ENOSYS, "not yet");
}
int cul_kretprobe_missed(struct cul_kretprobes *k, size_t number, uint64_t *out)
{
	return -ENOSYS;
}
