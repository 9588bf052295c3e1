/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "doctor/checks.h"
#include "sys/file.h"

enum { CONFIG_MOST = 1 << 20 };

const char *cul_doctor_text(struct cul_doctor *d, const char *fmt, ...)
{
	cul_autostr struct cul_str s = {0};
	const char *kept = NULL;
	va_list ap;

	va_start(ap, fmt);
	cul_str_addv(&s, fmt, ap);
	va_end(ap);
	if (!s.failed)
		kept = cul_arena_strdup(&d->arena, cul_str_text(&s));
	d->failed |= !kept;
	return kept ? kept : "";
}

void cul_doctor_note(struct cul_doctor *d, const struct cul_doctor_check *check)
{
	struct cul_doctor_check *c = cul_vec_push(&d->checks);

	if (c)
		*c = *check;
	else
		d->failed = true;
}

void cul_doctor_strange(struct cul_doctor *d, const char *id, const char *what)
{
	struct cul_doctor_check c = {.id = id,
		.what = what,
		.answer = CUL_DOCTOR_NO,
		.because = cul_doctor_text(
			d, "culprit does not know how on this processor (%s) yet", d->uts.machine),
		.remedy = cul_arch_find(d->uts.machine)
				  ? "use culprit stack, which does, or another machine"
				  : "use another machine"};

	cul_doctor_note(d, &c);
}

const char *cul_doctor_line(struct cul_doctor *d, const char *path)
{
	cul_autofree char *text = NULL;
	size_t size;

	if (cul_sys_read_file(path, 1 << 16, &text, &size) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return cul_doctor_text(d, "%s", text);
}

/* Plain or compressed: gzread takes both. */
static char *read_config(struct cul_arena *arena, const char *path)
{
	gzFile f = gzopen(path, "re");
	cul_autostr struct cul_str s = {0};
	char buf[8192];
	int n;

	if (!f)
		return NULL;
	while ((n = gzread(f, buf, sizeof(buf))) > 0 && s.len < CONFIG_MOST)
		cul_str_addn(&s, buf, (size_t)n);
	gzclose(f);
	return s.len && !s.failed ? cul_arena_strndup(arena, s.s, s.len) : NULL;
}

static void find_config(struct cul_doctor *d)
{
	const char *const paths[] = {
		"/proc/config.gz",
		cul_doctor_text(d, "/boot/config-%s", d->uts.release),
		cul_doctor_text(d, "/lib/modules/%s/config", d->uts.release),
	};

	for (size_t i = 0; !d->config && i < sizeof(paths) / sizeof(paths[0]); i++) {
		d->config = read_config(&d->arena, paths[i]);
		d->config_path = paths[i];
	}
}

const char *cul_doctor_option(struct cul_doctor *d, const char *option)
{
	const char *set = cul_doctor_text(d, "\n%s=", option);

	if (!d->config)
		return cul_doctor_text(d,
			"%s may be missing (this kernel's configuration is not to be had)", option);
	if (strstr(d->config, set))
		return cul_doctor_text(d, "%s is set (%s)", option, d->config_path);
	return cul_doctor_text(d, "%s is not set (%s)", option, d->config_path);
}

static int report(struct cul_doctor *d, struct cul_sink *sink, struct cul_error *err)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const struct cul_doctor_report all = {.release = d->uts.release,
		.machine = d->uts.machine,
		.n_cpus = n_cpus > 0 ? (unsigned)n_cpus : 1,
		.checks = d->checks.data,
		.n_checks = d->checks.len};
	int r;

	if (d->failed)
		return cul_fail(err, -ENOMEM, "doctor: %s", cul_strerror(ENOMEM));
	r = sink->ops->doctor(sink, &all);
	return r < 0 ? cul_fail(err, r, "doctor: writing the report: %s", cul_strerror(r)) : 0;
}

int cul_doctor_run(struct cul_sink *sink, struct cul_error *err)
{
	struct cul_doctor d = {0};
	int r;

	uname(&d.uts);
	d.arch = cul_arch_host();
	find_config(&d);
	cul_doctor_breakpoints(&d);
	cul_doctor_programs(&d);
	cul_doctor_probes(&d);
	cul_doctor_names(&d);
	cul_doctor_memory(&d);
	r = report(&d, sink, err);
	free(d.checks.data);
	cul_arena_free(&d.arena);
	return r;
}
