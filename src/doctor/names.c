/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is to name the kernel's code and data with. */
#include "doctor/checks.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sym/kallsyms.h"
#include "sym/kernel_files.h"
#include "sym/system_map.h"

static void check_data(struct cul_doctor *d, struct cul_kallsyms *k)
{
	struct cul_doctor_check c = {.id = "kernel-data", .what = "find kernel variables by name"};
	struct cul_system_map *map = NULL;
	struct cul_error err = {0};

	if (!d->symbols) {
		c.answer = CUL_DOCTOR_UNTRIED;
		c.because = "there are no symbols";
	} else if (!cul_kallsyms_has_data(k) &&
		   cul_system_map_locate(NULL, d->uts.release, k, &map, &err) == 0) {
		c.found = cul_doctor_text(d, "by %s", cul_system_map_path(map));
	} else if (!cul_kallsyms_has_data(k)) {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d, "/proc/kallsyms lists functions only (%s); %s",
			cul_doctor_option(d, "CONFIG_KALLSYMS_ALL"), err.text);
		c.remedy = "without it name addresses: 0xADDR:SIZE";
	}
	cul_doctor_note(d, &c);
	cul_system_map_free(map);
}

static void check_lines(struct cul_doctor *d, struct cul_kallsyms *k)
{
	struct cul_doctor_check c = {
		.id = "kernel-lines", .what = "name source lines and types of the kernel itself"};
	struct cul_objfile *file = NULL;
	struct cul_ksym text;

	if (d->symbols && cul_kallsyms_find(k, "vmlinux", "_text", &text, NULL, NULL) == 0)
		file = cul_kernel_vmlinux_file(text.addr, NULL);
	if (file) {
		c.found = "a vmlinux with debug information that fits was found";
		cul_objfile_free(file);
	} else {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d,
			"no vmlinux with debug information of this very build, such as "
			"/usr/lib/debug/boot/vmlinux-%s",
			d->uts.release);
		c.remedy = cul_doctor_text(d,
			"install linux-image-%s-dbg (Debian), or give one with --debug; functions "
			"are named without it",
			d->uts.release);
	}
	cul_doctor_note(d, &c);
}

static void check_symbols(struct cul_doctor *d)
{
	struct cul_doctor_check c = {.id = "kernel-symbols", .what = "name the kernel's functions"};
	struct cul_kallsyms *k = NULL;
	struct cul_error err = {0};
	int r = cul_kallsyms_open(NULL, NULL, &k, &err);

	d->symbols = r == 0;
	if (r < 0) {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d, "%s", err.text);
		c.remedy = r == -ENOENT ? cul_doctor_option(d, "CONFIG_KALLSYMS") : NULL;
	} else {
		c.found = "/proc/kallsyms shows addresses";
	}
	cul_doctor_note(d, &c);
	if (d->arch) /* for targets of watch */
		check_data(d, k);
	check_lines(d, k);
	cul_kallsyms_free(k);
}

static unsigned count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n > 2 ? n - 2 : 0; /* without . and .. */
}

static void check_btf(struct cul_doctor *d)
{
	static const char vmlinux[] = "/sys/kernel/btf/vmlinux";
	struct cul_doctor_check c = {.id = "btf", .what = "know the kernel's types"};
	unsigned n = count_entries("/sys/kernel/btf");

	if (access(vmlinux, R_OK) == 0) {
		c.found = cul_doctor_text(
			d, "BTF of the kernel and of %u module%s", n - 1, n == 2 ? "" : "s");
	} else {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d, "%s: %s; %s", vmlinux, cul_strerror(errno),
			cul_doctor_option(d, "CONFIG_DEBUG_INFO_BTF"));
		c.remedy = "give sizes (sym:4) instead of types, or debug files with --debug";
	}
	cul_doctor_note(d, &c);
}

void cul_doctor_names(struct cul_doctor *d)
{
	check_symbols(d);
	check_btf(d);
}
