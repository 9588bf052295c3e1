/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/kretprobe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/vec.h"
#include "sys/file.h"
#include "sys/perf.h"
#include "trace/attach_priv.h"
#include "trace/kprobe_events.h"

struct cul_kretprobes {
	char tracefs[100];
	char group[CUL_KPROBE_EVENTS_GROUP];
	size_t n; /* lines made so far, which is the number of the next one */
	pid_t keeper;
	int alive_fd;         /* the end of a pipe that the keeper waits to see closed */
	CUL_VEC(int) threads; /* events that children inherit; -1: none */
};

enum { TRY_NS = 5000000, KEEPER_TRIES = 12000, OWN_TRIES = 40, NAME_MAX_LEN = 64 };

/*
 * Takes the lines back. One stays busy until the last descriptor of what hangs on it is closed,
 * which the kernel does a moment after the end of a process was seen.
 */
static int take_back(const struct cul_kretprobes *k, int tries)
{
	const struct timespec moment = {.tv_nsec = TRY_NS};
	int r;

	while ((r = cul_kprobe_events_remove(k->tracefs, cul_kprobe_events_is_group, k->group)) ==
			-EBUSY &&
		--tries > 0)
		nanosleep(&moment, NULL);
	return r;
}

static void close_all_but(int fd)
{
	if (fd != 0)
		dup2(fd, 0);
	if (!close_range(1, ~0U, 0))
		return;
	for (long i = 1, n = sysconf(_SC_OPEN_MAX); i < n; i++) /* before 5.9 */
		close((int)i);
}

/* The keeper: no signal but SIGKILL gets to it, nothing that it inherited is kept open. */
static _Noreturn void keep(const struct cul_kretprobes *k, int fd)
{
	sigset_t all;
	ssize_t n;
	char byte;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "culprit-keeper");
	close_all_but(fd);
	if (chdir("/"))
		_exit(1);
	do
		n = read(0, &byte, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
	_exit(take_back(k, KEEPER_TRIES) ? 1 : 0);
}

/* Returns once the keeper is out of reach of our process group's signals. */
static int start_keeper(struct cul_kretprobes *k)
{
	cul_autoclose int alive = -1, waits = -1, ready = -1, settled = -1;
	int fds[2];
	char byte;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	waits = fds[0];
	alive = fds[1];
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	ready = fds[0];
	settled = fds[1];
	k->keeper = fork();
	if (k->keeper < 0)
		return -errno;
	if (!k->keeper)
		keep(k, waits);
	close(cul_take_fd(&settled));
	while (read(ready, &byte, 1) < 0 && errno == EINTR)
		; /* it closes all it has when it has settled */
	k->alive_fd = cul_take_fd(&alive);
	return 0;
}

int cul_kretprobes_new_at(const char *tracefs, struct cul_kretprobes **out, struct cul_error *err)
{
	cul_autofree struct cul_kretprobes *k = cul_calloc(1, sizeof(*k));
	int r = k ? 0 : -ENOMEM;

	if (r)
		return cul_fail(err, r, "kretprobes: out of memory");
	if (strlen(tracefs) >= sizeof(k->tracefs))
		return cul_fail(err, -ENAMETOOLONG, "%.200s: too long a path", tracefs);
	strcpy(k->tracefs, tracefs);
	r = cul_kprobe_events_own_group(k->group);
	if (r)
		return cul_fail(err, r, "/proc/self: %s; is /proc mounted?", cul_strerror(r));
	/* What is in use has an owner, whatever its name says: another time will do. */
	r = cul_kprobe_events_remove(k->tracefs, cul_kprobe_events_is_dead, NULL);
	if (r && r != -EBUSY)
		return cul_fail(err, r, "%s/kprobe_events: %s%s", tracefs, cul_strerror(r),
			r == -EACCES || r == -EPERM ? "; run as root" : "");
	r = start_keeper(k);
	if (r)
		return cul_fail(err, r, "starting the process that takes kretprobes back: %s",
			cul_strerror(r));
	*out = cul_take(k);
	return 0;
}

int cul_kretprobes_new(const char *file, struct cul_kretprobes **out, struct cul_error *err)
{
	const char *tracefs;
	int r = cul_kprobe_events_find(file, &tracefs, err);

	return r ? r : cul_kretprobes_new_at(tracefs, out, err);
}

void cul_kretprobes_free(struct cul_kretprobes *k)
{
	int r;

	if (!k)
		return;
	for (size_t i = 0; i < k->threads.len; i++)
		if (k->threads.data[i] >= 0)
			close(k->threads.data[i]);
	free(k->threads.data);
	r = take_back(k, OWN_TRIES);
	close(k->alive_fd);
	/* With something left the keeper goes on for a while, and we do not wait for it. */
	if (!r)
		while (waitpid(k->keeper, NULL, 0) < 0 && errno == EINTR)
			;
	free(k);
}

static void event_name(const struct cul_kretprobes *k, size_t number, char name[NAME_MAX_LEN])
{
	snprintf(name, NAME_MAX_LEN, "%s_%zu", k->group, number);
}

static int explain(const char *place, unsigned maxactive, int code, struct cul_error *err)
{
	switch (code) {
	case -ENOENT:
		return cul_fail(
			err, code, "kretprobe of %.200s: the kernel has no such function", place);
	case -EADDRNOTAVAIL:
		return cul_fail(err, code,
			"kretprobe of %.200s: there are several functions of that name; give one's "
			"address, or go without --maxactive",
			place);
	case -E2BIG:
	case -ERANGE:
		return cul_fail(err, code,
			"kretprobe of %.200s: %u instances are too many; the kernel takes up to "
			"4096",
			place, maxactive);
	case -EINVAL:
	case -EILSEQ:
		return cul_fail(err, code,
			"kretprobe of %.200s: the kernel allows none there: no such function, or "
			"it is on the kprobes' blacklist or notrace",
			place);
	case -EPERM:
	case -EACCES:
		return cul_fail(err, code,
			"kretprobe of %.200s: %s; run as root; in lockdown mode nobody may", place,
			cul_strerror(code));
	default:
		return cul_fail(err, code, "kretprobe of %.200s: %s", place, cul_strerror(code));
	}
}

/* perf's number for the event. */
static int event_id(const struct cul_kretprobes *k, const char *name, uint64_t *out)
{
	cul_autofree char *text = NULL;
	char path[256];
	size_t size;
	int r;

	snprintf(path, sizeof(path), "%s/events/%s/%s/id", k->tracefs, k->group, name);
	r = cul_sys_read_file(path, 64, &text, &size);
	if (r)
		return r;
	text[strcspn(text, "\n")] = '\0';
	return cul_parse_u64(text, out);
}

static int hang_on(const struct cul_kretprobes *k, const char *name, int prog_fd, uint64_t cookie,
	struct cul_attachment *out, struct cul_error *err)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct perf_event_attr attr;
	bool linking = false;
	uint64_t id;
	int r = event_id(k, name, &id);

	if (r)
		return cul_fail(err, r, "%s/events/%s/%s/id: %s", k->tracefs, k->group, name,
			cul_strerror(r));
	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = id;
	a.kind = CUL_ATTACH_TRACEFS;
	a.at_return = true;
	r = cul_attach_perf(&attr, -1, prog_fd, cookie, &a, &linking);
	if (!r)
		*out = a;
	else if (!cul_attach_explain_common("kretprobe by tracefs", r, linking, err))
		cul_fail(err, r, "kretprobe by tracefs: %s", cul_strerror(r));
	return r;
}

/* The kernel would take the line, and wait for the module. */
static bool module_is_there(const char *place)
{
	cul_autostr struct cul_str path = {0};
	size_t n = strcspn(place, ":/");

	if (place[n] != ':')
		return true;
	cul_str_add(&path, "/sys/module/");
	cul_str_addn(&path, place, n);
	return !access(cul_str_text(&path), F_OK);
}

int cul_kretprobe_attach(struct cul_kretprobes *k, const char *place, unsigned maxactive,
	int prog_fd, uint64_t cookie, size_t *number, struct cul_attachment *out,
	struct cul_error *err)
{
	char name[NAME_MAX_LEN], count[16] = "";
	cul_autostr struct cul_str line = {0};
	int r;

	/* One line, one command: the kernel splits at these. */
	if (!*place || strpbrk(place, " \t\r\n\v\f#"))
		return cul_fail(err, -EINVAL, "kretprobe: '%.200s' is no function's name", place);
	if (maxactive > 4096)
		return explain(place, maxactive, -ERANGE, err);
	if (!module_is_there(place))
		return cul_fail(
			err, -ENOENT, "kretprobe of %.200s: that module is not loaded", place);
	event_name(k, k->n, name);
	if (maxactive)
		snprintf(count, sizeof(count), "%u", maxactive);
	cul_str_addf(&line, "r%s:%s/%s %s\n", count, k->group, name, place);
	r = line.failed
		    ? -ENOMEM
		    : cul_kprobe_events_write(k->tracefs, CUL_KPROBE_EVENTS, cul_str_text(&line));
	if (r)
		return explain(place, maxactive, r, err);
	r = hang_on(k, name, prog_fd, cookie, out, err);
	if (r) {
		cul_str_reset(&line);
		cul_str_addf(&line, "-:%s/%s\n", k->group, name);
		if (!line.failed)
			cul_kprobe_events_write(k->tracefs, CUL_KPROBE_EVENTS, cul_str_text(&line));
		k->n++; /* should the line have stayed, its name is taken */
		return r;
	}
	*number = k->n++;
	return 0;
}

int cul_kretprobe_missed(struct cul_kretprobes *k, size_t number, uint64_t *out)
{
	char name[NAME_MAX_LEN];

	event_name(k, number, name);
	return cul_kprobe_events_missed(k->tracefs, name, out);
}

/* Uprobes */

enum { ROUNDS = 16 }; /* over a process's threads, until there are no new ones */

struct inheriting {
	struct cul_kretprobes *k;
	struct perf_event_attr attr;
	int prog_fd;
	uint64_t cookie;
	CUL_VEC(pid_t) done; /* threads */
	struct cul_attachment *out;
	bool linking;
};

static bool is_done(const struct inheriting *x, pid_t tid)
{
	for (size_t i = 0; i < x->done.len; i++)
		if (x->done.data[i] == tid)
			return true;
	return false;
}

/*
 * The program hangs on an event that is not inherited, and runs for all of that name: an inherited
 * one would take it along when the child ends (perf_event_free_bpf_prog() of
 * kernel/trace/bpf_trace.c, v6.12, which does not ask whose it was).
 */
static int carry(struct inheriting *x, pid_t tid)
{
	struct perf_event_attr attr = x->attr;

	if (x->out->perf_fd >= 0)
		return 0;
	attr.inherit = 0;
	return cul_attach_perf(&attr, tid, x->prog_fd, x->cookie, x->out, &x->linking);
}

static int add_thread(struct inheriting *x, pid_t tid)
{
	pid_t *slot = cul_vec_push(&x->done);
	int *fd = cul_vec_push(&x->k->threads), r;

	if (fd)
		*fd = -1;
	if (!slot || !fd)
		return -ENOMEM;
	*slot = tid;
	r = carry(x, tid);
	if (!r)
		r = cul_sys_perf_event_open(&x->attr, tid, -1);
	if (r >= 0)
		*fd = r;
	return r == -ESRCH || r > 0 ? 0 : r; /* -ESRCH: it has ended */
}

/* 1: there were new ones. */
static int add_threads(struct inheriting *x, pid_t pid)
{
	struct dirent *entry;
	char path[64];
	int r = 0, new = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!r && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid <= 0 || is_done(x, tid))
			continue;
		new = 1;
		r = add_thread(x, tid);
	}
	closedir(dir);
	return r ? r : new;
}

static int inherit(struct inheriting *x, pid_t pid)
{
	int r = 1;

	for (int i = 0; i < ROUNDS && r > 0; i++)
		r = add_threads(x, pid);
	free(x->done.data);
	if (r >= 0)
		return x->out->perf_fd < 0 ? -ESRCH : 0;
	cul_attachment_detach(x->out);
	return r;
}

int cul_uprobe_inherited(struct cul_kretprobes *k, const struct cul_uprobe_place *place, pid_t pid,
	int prog_fd, uint64_t cookie, struct cul_attachment *out, struct cul_error *err)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct inheriting x = {.k = k, .prog_fd = prog_fd, .cookie = cookie, .out = &a};
	cul_autostr struct cul_str line = {0};
	/* By its descriptor: a blank in a path would end it. */
	cul_autoclose int fd = cul_sys_open(place->path, O_RDONLY);
	char name[NAME_MAX_LEN];
	uint64_t id;
	int r = fd < 0 ? fd : 0;

	event_name(k, k->n++, name);
	cul_str_addf(&line, "%c:%s/%s /proc/self/fd/%d:0x%llx\n", place->at_return ? 'r' : 'p',
		k->group, name, fd, (unsigned long long)place->offset);
	if (!r)
		r = line.failed ? -ENOMEM
				: cul_kprobe_events_write(
					  k->tracefs, CUL_UPROBE_EVENTS, cul_str_text(&line));
	if (!r)
		r = event_id(k, name, &id);
	if (r)
		return cul_fail(err, r, "a uprobe by tracefs: %s", cul_strerror(r));
	a.kind = CUL_ATTACH_UPROBE;
	a.at_return = place->at_return;
	x.attr = (struct perf_event_attr){.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(x.attr),
		.config = id,
		.disabled = 1,
		.inherit = 1};
	r = inherit(&x, pid);
	if (r) {
		if (!cul_attach_explain_common("a uprobe by tracefs", r, x.linking, err))
			cul_fail(err, r, "a uprobe by tracefs: %s", cul_strerror(r));
		return r;
	}
	*out = a;
	return 0;
}
