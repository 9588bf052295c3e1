/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/bpf.h"
#include "sys/file.h"
#include "sys/perf.h"
#include "trace/attach_priv.h"

int cul_attach_perf(struct perf_event_attr *attr, pid_t pid, int prog_fd, uint64_t cookie,
	struct cul_attachment *out, bool *linking)
{
	cul_autoclose int perf_fd = -1;
	int cpu, link_fd;

	*linking = false;
	attr->size = sizeof(*attr);
	/* Programs run all the same; what perf itself would do at a hit is left out. */
	attr->disabled = 1;
	/* Probes of the whole machine hang on any one CPU that is there. */
	cpu = pid == -1 ? sched_getcpu() : -1;
	perf_fd = cul_sys_perf_event_open(attr, pid, pid == -1 && cpu < 0 ? 0 : cpu);
	if (perf_fd < 0)
		return perf_fd;
	*linking = true;
	link_fd = cul_sys_bpf_link_perf(prog_fd, perf_fd, cookie);
	if (link_fd < 0)
		return link_fd;
	out->link_fd = link_fd;
	out->perf_fd = cul_take_fd(&perf_fd);
	out->prog_fd = prog_fd;
	return 0;
}

/* The number in a file of a perf PMU, after `prefix`: "type", "format/retprobe" ("config:0"). */
static int read_pmu(const char *pmu, const char *file, const char *prefix, uint64_t *out)
{
	cul_autofree char *text = NULL;
	char path[96];
	size_t size;
	int r;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/%s", pmu, file);
	r = cul_sys_read_file(path, 64, &text, &size);
	if (r)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, prefix, strlen(prefix)))
		return -EINVAL;
	return cul_parse_u64(text + strlen(prefix), out);
}

/* Fills type and config for a probe by perf's kprobe or uprobe PMU (kernel 4.17). */
static int probe_event(
	const char *pmu, bool at_return, struct perf_event_attr *attr, struct cul_error *err)
{
	uint64_t type, bit = 0;
	int r = read_pmu(pmu, "type", "", &type);

	if (!r && at_return)
		r = read_pmu(pmu, "format/retprobe", "config:", &bit);
	if (!r && (type > UINT32_MAX || bit > 63))
		r = -EINVAL;
	if (r)
		return cul_fail(err, r,
			"/sys/bus/event_source/devices/%s: %s; the kernel has no %ss for perf "
			"(CONFIG_%s_EVENTS), or /sys is not mounted",
			pmu, cul_strerror(r), pmu, *pmu == 'k' ? "KPROBE" : "UPROBE");
	memset(attr, 0, sizeof(*attr));
	attr->type = (uint32_t)type;
	attr->config = at_return ? 1ULL << bit : 0;
	return 0;
}

static int explain_kprobe(
	uint64_t addr, int code, bool at_return, bool linking, struct cul_error *err)
{
	char what[96];

	snprintf(what, sizeof(what), "%s at 0x%llx", at_return ? "kretprobe" : "kprobe",
		(unsigned long long)addr);
	if (!linking && (code == -EINVAL || code == -EADDRNOTAVAIL))
		return cul_fail(err, code, "%s: the kernel allows none there: %s", what,
			at_return
				? "no function begins there, or it is on the kprobes' blacklist or "
				  "notrace"
				: "no code, notrace, on the kprobes' blacklist, or rewritten at "
				  "run "
				  "time (a jump label, a static call); try another offset");
	if (cul_attach_explain_common(what, code, linking, err))
		return code;
	switch (code) {
	case -EILSEQ:
		return cul_fail(err, code,
			"%s: no instruction begins there, or one that a kprobe cannot stand on; "
			"disassemble the function for where they begin",
			what);
	case -ENOENT:
		return cul_fail(err, code,
			"%s: there is no code, or its module is on its way out; look at "
			"/proc/modules",
			what);
	case -EBUSY:
		return cul_fail(
			err, code, "%s: a live patch or another probe holds the place", what);
	default:
		return cul_fail(err, code, "%s: %s", what, cul_strerror(code));
	}
}

int cul_attach_kprobe(int prog_fd, uint64_t addr, uint64_t cookie, bool at_return,
	struct cul_attachment *out, struct cul_error *err)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct perf_event_attr attr;
	bool linking;
	int r = probe_event("kprobe", at_return, &attr, err);

	if (r)
		return r;
	attr.kprobe_addr = addr;
	a.kind = CUL_ATTACH_KPROBE;
	a.at_return = at_return;
	r = cul_attach_perf(&attr, -1, prog_fd, cookie, &a, &linking);
	if (r)
		return explain_kprobe(addr, r, at_return, linking, err);
	*out = a;
	return 0;
}

static int explain_uprobe(const char *path, uint64_t offset, pid_t pid, int code, bool at_return,
	bool linking, struct cul_error *err)
{
	char what[256];

	snprintf(what, sizeof(what), "%s at 0x%llx of %.180s", at_return ? "uretprobe" : "uprobe",
		(unsigned long long)offset, path);
	switch (linking ? 0 : code) {
	case -EINVAL:
		return cul_fail(err, code,
			"%s: the kernel allows none there: not a regular file, or beyond its end",
			what);
	case -EOPNOTSUPP:
	case -524: /* ENOTSUPP, the kernel's own */
		return cul_fail(err, code,
			"%s: the instruction there cannot be probed; try another offset", what);
	case -EILSEQ:
		return cul_fail(err, code, "%s: no instruction begins there", what);
	case -EIO:
		return cul_fail(err, code,
			"%s: its file system cannot be read by the kernel that way (uprobes need "
			"one with a page cache)",
			what);
	case -ESRCH:
		return cul_fail(err, code, "%s: process %d is gone", what, pid);
	default:
		break;
	}
	if (cul_attach_explain_common(what, code, linking, err))
		return code;
	return cul_fail(err, code, "%s: %s", what, cul_strerror(code));
}

int cul_attach_uprobe(int prog_fd, const char *path, uint64_t offset, pid_t pid, uint64_t cookie,
	bool at_return, struct cul_attachment *out, struct cul_error *err)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct perf_event_attr attr;
	bool linking;
	int r = probe_event("uprobe", at_return, &attr, err);

	if (r)
		return r;
	attr.uprobe_path = (uint64_t)(uintptr_t)path;
	attr.probe_offset = offset;
	a.kind = CUL_ATTACH_UPROBE;
	a.at_return = at_return;
	r = cul_attach_perf(&attr, pid, prog_fd, cookie, &a, &linking);
	if (r)
		return explain_uprobe(path, offset, pid, r, at_return, linking, err);
	*out = a;
	return 0;
}
