/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire between tools/vm on the host (host.c) and the first process of the guest (guest.c):
 * frames over one virtio-serial port. One port for everything keeps the order: the exit status
 * arrives after the last byte of output, so nothing is lost when the host ends the machine on it.
 * Both ends are built from one checkout; there is no version to negotiate.
 */
#ifndef VM_LINK_H
#define VM_LINK_H

#include <stdint.h>

#define LINK_MAX   (32 * 1024) /* longest payload of a data frame; a job may be longer */
#define LINK_START "culprit-guest: the command starts"
#define LINK_END   "culprit-guest: the command ended"

enum link_type {
	/* host to guest */
	LINK_JOB = 'J',   /* what to run: NUL-terminated strings, the first byte of each is an enum
			     link_job */
	LINK_IN = 'I',    /* bytes for the command's stdin */
	LINK_CLOSE = 'C', /* stdin has ended */
	LINK_SIZE = 'W',  /* window size of the terminal: rows, columns, 16 bits each */
	/* guest to host */
	LINK_OUT = 'O',   /* bytes of stdout, or of the terminal */
	LINK_ERR = 'E',   /* bytes of stderr */
	LINK_READY = 'R', /* the command starts now */
	LINK_EXIT = 'X',  /* one byte: its exit status, 128+n when signal n ended it */
};

enum link_job {
	LINK_JOB_ARG = 'a',    /* one argument of the command, in order */
	LINK_JOB_ENV = 'e',    /* NAME=value */
	LINK_JOB_CWD = 'd',    /* working directory */
	LINK_JOB_KERNEL = 'k', /* the kernel's directory in the cache */
	LINK_JOB_TTY = 't',    /* run on a pseudo-terminal */
};

struct link_head {
	uint8_t type;
	uint8_t len[3]; /* little endian */
};

static inline uint32_t link_len(const struct link_head *head)
{
	return head->len[0] | (uint32_t)head->len[1] << 8 | (uint32_t)head->len[2] << 16;
}

static inline struct link_head link_head(enum link_type type, uint32_t len)
{
	return (struct link_head){
		.type = (uint8_t)type, .len = {len & 255, len >> 8 & 255, len >> 16 & 255}};
}

#endif
