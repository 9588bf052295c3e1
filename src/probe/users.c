/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/users.h"

#include <stdio.h>
#include <string.h>

static void forget(struct cul_user *u)
{
	cul_scope_free(u->scope);
	memset(u, 0, sizeof(*u));
}

void cul_users_free(struct cul_users *users)
{
	for (size_t i = 0; i < CUL_USERS_KEPT; i++)
		forget(&users->users[i]);
}

/* Of this process, or a free one, or the one that was not asked for longest. */
static struct cul_user *find(struct cul_users *users, pid_t pid)
{
	struct cul_user *oldest = &users->users[0];

	for (size_t i = 0; i < CUL_USERS_KEPT; i++) {
		struct cul_user *u = &users->users[i];

		if (u->pid == pid)
			return u;
		if (u->used < oldest->used)
			oldest = u;
	}
	return oldest;
}

/* Names that were given out are of no use after this. */
static void look_again(struct cul_user *u, const char *comm)
{
	bool other = comm[0] && strcmp(u->comm, comm) != 0;

	if (!u->scope || (!other && !u->stale) || u->looks == CUL_USERS_LOOKS)
		return;
	u->looks++;
	u->stale = false;
	if (other)
		snprintf(u->comm, sizeof(u->comm), "%s", comm);
	if (!cul_scope_refresh(u->scope, NULL))
		cul_scope_keep(u->scope);
}

void cul_users_open(struct cul_users *users, pid_t pid, const char *comm)
{
	struct cul_user *u = find(users, pid);

	if (u->pid == pid) {
		look_again(u, comm);
	} else if (users->opened == CUL_USERS_MOST) {
		users->refused = true;
		return;
	} else {
		forget(u);
		users->opened++;
		u->pid = pid;
		snprintf(u->comm, sizeof(u->comm), "%s", comm);
		if (cul_scope_process(pid, users->debug_paths, &u->scope, NULL))
			u->scope = NULL;
		else
			cul_scope_keep(u->scope);
	}
	u->used = ++users->clock;
}

void cul_users_where(
	struct cul_users *users, pid_t pid, const char *comm, uint64_t addr, struct cul_where *out)
{
	struct cul_user *u = find(users, pid);

	*out = (struct cul_where){.addr = addr};
	if (u->pid == pid && u->scope) {
		cul_scope_where(u->scope, addr, true, out);
		u->stale |= !out->function && !out->module; /* of a library that came since? */
	}
	if (!out->function && !out->module && comm[0])
		out->module = comm;
}
