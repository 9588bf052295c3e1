/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of tracefs' kprobe_events and uprobe_events, the part of them that is
 * ours: they stand in a group named culprit_PID_START_NAMESPACE, by which anybody can tell whether
 * who made them is alive. START is the process's start time and NAMESPACE its
 * PID namespace, since numbers of another one say nothing here; in hexadecimal.
 *
 * Nothing here allocates but what finds tracefs and dead groups: the keeper of
 * trace/kretprobe.h is a forked process.
 */
#ifndef CUL_TRACE_KPROBE_EVENTS_H
#define CUL_TRACE_KPROBE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* With its number an event's name, which the kernel limits to 63 characters. */
enum { CUL_KPROBE_EVENTS_GROUP = 48 };

#define CUL_KPROBE_EVENTS "kprobe_events"
#define CUL_UPROBE_EVENTS "uprobe_events"

/*
 * Where tracefs is mounted with that file: a static string. -ENOENT (no sentence is missing),
 * -EACCES.
 */
int cul_kprobe_events_find(const char *file, const char **tracefs, struct cul_error *err);

/* The group of this process. */
int cul_kprobe_events_own_group(char group[CUL_KPROBE_EVENTS_GROUP]);
/* Whether it is a group of ours, of this PID namespace, whose process is gone. */
bool cul_kprobe_events_is_dead(const char *group, const void *unused);
bool cul_kprobe_events_is_group(const char *group, const void *name);

/* Writes one line. 0 or a negative errno. */
int cul_kprobe_events_write(const char *tracefs, const char *file, const char *line);
/*
 * Takes away the lines of all groups that are `wanted`, from both files. -EBUSY: some are in use
 * and stay.
 */
int cul_kprobe_events_remove(
	const char *tracefs, bool (*wanted)(const char *group, const void *arg), const void *arg);
/* Hits and misses of an event, from kprobe_profile. -ENOENT. */
int cul_kprobe_events_missed(const char *tracefs, const char *event, uint64_t *missed);

#endif
