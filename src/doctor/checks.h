/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doctor's notes while it examines. Inside src/doctor only.
 */
#ifndef CUL_DOCTOR_CHECKS_H
#define CUL_DOCTOR_CHECKS_H

#include <sys/utsname.h>

#include "arch/arch.h"
#include "base/arena.h"
#include "base/vec.h"
#include "report/model.h"

#define CUL_DOCTOR_CONFIDENTIAL                                                                    \
	"boot without lockdown=confidentiality (see /sys/kernel/security/lockdown)"

struct cul_doctor {
	struct cul_arena arena; /* of all strings */
	CUL_VEC(struct cul_doctor_check) checks;
	struct utsname uts;
	const struct cul_arch *arch; /* NULL: stacks are all that is known of this processor */
	char *config;                /* the kernel's configuration; NULL: not to be had */
	const char *config_path;     /* where it was read */
	bool failed;                 /* out of memory */
	/* what later checks build on */
	bool breakpoints, bpf, symbols;
};

/* A string that lives as long as the notes; "" when out of memory. */
const char *cul_doctor_text(struct cul_doctor *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Notes a result. Strings are literals or come from cul_doctor_text(). */
void cul_doctor_note(struct cul_doctor *d, const struct cul_doctor_check *check);

/* Notes that `what` cannot be done, since this processor's part of it is not known. */
void cul_doctor_strange(struct cul_doctor *d, const char *id, const char *what);

/* "CONFIG_X is not set (/proc/config.gz)", or that it is, or that nobody knows. */
const char *cul_doctor_option(struct cul_doctor *d, const char *option);

/* The first line of a small file without its line feed; NULL when it cannot be read. */
const char *cul_doctor_line(struct cul_doctor *d, const char *path);

/* Groups of checks, in the order they are reported. */
void cul_doctor_breakpoints(struct cul_doctor *d);
void cul_doctor_programs(struct cul_doctor *d);
void cul_doctor_probes(struct cul_doctor *d);
void cul_doctor_names(struct cul_doctor *d);
void cul_doctor_memory(struct cul_doctor *d);

#endif
