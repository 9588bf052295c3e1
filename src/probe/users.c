/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/users.h"

#include <stdio.h>
#include <string.h>

void cul_users_free(struct cul_users *users)
{
	for (size_t i = 0; i < users->n; i++)
		cul_scope_free(users->users[i].scope);
	users->n = 0;
}

/* NULL: it was not opened. */
static struct cul_user *find(const struct cul_users *users, pid_t pid)
{
	for (size_t i = 0; i < users->n; i++)
		if (users->users[i].pid == pid)
			return (struct cul_user *)&users->users[i];
	return NULL;
}

/* Threads have names of their own: it is another program when its memory is another one. */
static bool is_other_program(const struct cul_user *u, const char *comm)
{
	struct cul_mem *mem = cul_scope_mem(u->scope, NULL);

	return comm[0] && strcmp(u->comm, comm) != 0 && mem && cul_mem_is_gone(mem);
}

static void start_anew(struct cul_users *users, struct cul_user *u, const char *comm)
{
	struct cul_scope *scope;

	snprintf(u->comm, sizeof(u->comm), "%s", comm);
	if (cul_scope_process(u->pid, users->debug_paths, &scope, NULL))
		return; /* it has ended: its old names are the best there are */
	cul_scope_free(u->scope);
	u->scope = scope;
	cul_scope_keep(scope);
}

/* Names that were given out are of no use after this. */
static void look_again(struct cul_users *users, struct cul_user *u, const char *comm)
{
	bool other = u->scope && is_other_program(u, comm);

	if (!u->scope || (!other && !u->stale) || u->looks == CUL_USERS_LOOKS)
		return;
	u->looks++;
	u->stale = false;
	if (other)
		start_anew(users, u, comm);
	else if (!cul_scope_refresh(u->scope, NULL))
		cul_scope_keep(u->scope);
}

void cul_users_open(struct cul_users *users, pid_t pid, const char *comm)
{
	struct cul_user *u = find(users, pid);

	if (u) {
		look_again(users, u, comm);
		return;
	}
	if (users->n == CUL_USERS_MOST) {
		users->refused = true;
		return;
	}
	u = &users->users[users->n++];
	u->pid = pid;
	snprintf(u->comm, sizeof(u->comm), "%s", comm);
	if (cul_scope_process(pid, users->debug_paths, &u->scope, NULL))
		u->scope = NULL;
	else
		cul_scope_keep(u->scope);
}

const char *cul_users_comm(const struct cul_users *users, pid_t pid)
{
	const struct cul_user *u = find(users, pid);

	return u ? u->comm : "";
}

void cul_users_where(
	struct cul_users *users, pid_t pid, const char *comm, uint64_t addr, struct cul_where *out)
{
	struct cul_user *u = find(users, pid);

	*out = (struct cul_where){.addr = addr};
	if (u && u->scope) {
		cul_scope_where(u->scope, addr, true, out);
		u->stale |= !out->function && !out->module; /* of a library that came since? */
	}
	if (!out->function && !out->module && comm[0])
		out->module = comm;
}
